package errorqueue_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
)

// replayInChild replays an error queue, and tells how much memory that took: all that Go has ever had of the system.
func replayInChild() int {
	ctx := context.Background()
	conn, err := connection.Open(ctx, os.Getenv("AMQP_URL"), connection.Config{Monitor: silence})
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	defer func() { _ = conn.Close(ctx) }()
	q, err := errorqueue.New(conn, os.Getenv(childQueue), errorqueue.Config{})
	if err != nil {
		fmt.Println("new:", err)
		return 1
	}
	r, err := q.Replay(ctx, errorqueue.ReplayOptions{})
	if err != nil || r.Failed > 0 {
		fmt.Println("replay:", err, r.Errors)
		return 1
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(r.Done, m.Sys, r.Took)
	return 0
}

// A queue of any size is replayed in little memory.
func TestReplayInLittleMemory(t *testing.T) {
	t.Parallel()
	const most = 64 << 20
	k := newKit(t, brokers.RabbitMQ(t))
	k.declare(nil)
	k.declareMain()
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 10_000
	}
	body := bytes.Repeat([]byte("x"), 1<<10)
	for first := 1; first <= n; first += 5000 {
		var all []amqp.Publishing
		for i := first; i < first+5000; i++ {
			all = append(all, amqp.Publishing{MessageId: strconv.Itoa(i), Body: body, Headers: amqp.Table{
				"warren-reason": "exhausted", "warren-error": "the bank is down", "warren-origin-queue": k.main,
			}})
		}
		k.publish(all...)
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=replay", "AMQP_URL="+k.broker.URL, childQueue+"="+k.main)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var done, sys int
	if _, err := fmt.Sscan(string(out), &done, &sys); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("RabbitMQ %s: %s; %.1f MB", k.version(), strings.TrimSpace(string(out)), float64(sys)/1e6)
	if sys > most {
		t.Errorf("it took %d bytes", sys)
	}
	eventually(t, "all in the main queue", func() bool { return k.ready(k.main) == n })
	if left := k.ready(k.name); done != n || left != 0 {
		t.Errorf("%d were done, %d are left", done, left)
	}
}
