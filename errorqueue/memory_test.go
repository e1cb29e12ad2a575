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
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
)

// childQueue tells a child the name of the main queue, besides AMQP_URL.
const childQueue = "WARREN_ERRORQUEUE_TEST_QUEUE"

// readInChild reads and groups an error queue, and tells how much memory that took: all that Go has ever had of the
// system.
func readInChild() int {
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
	began, listed := time.Now(), 0
	groups, err := q.Groups(ctx, errorqueue.Filter{Match: func(e errorqueue.Entry) (bool, error) {
		if listed++; e.Message.ID != strconv.Itoa(listed) {
			return false, fmt.Errorf("%s is number %d", e.Message.ID, listed)
		}
		return true, nil
	}})
	if err != nil {
		fmt.Println("group:", err)
		return 1
	}
	grouped := 0
	for _, g := range groups {
		grouped += g.Count
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(listed, len(groups), grouped, m.Sys, time.Since(began))
	return 0
}

// A queue of any size is listed and grouped in little memory, and stays in order.
func TestLittleMemory(t *testing.T) {
	t.Parallel()
	const most = 64 << 20
	k := newKit(t, brokers.RabbitMQ(t))
	k.declare(nil)
	n := 100_000
	if testing.Short() || raceEnabled { // with it, memory says nothing either
		n = 20_000
	}
	body := bytes.Repeat([]byte("x"), 1<<10)
	for first := 1; first <= n; first += 5000 {
		var all []amqp.Publishing
		for i := first; i < first+5000; i++ {
			all = append(all, amqp.Publishing{MessageId: strconv.Itoa(i), Body: body, Headers: amqp.Table{
				"warren-reason": "exhausted", "warren-error": "the bank is down", "warren-fingerprint": fmt.Sprintf("%016x", i%1500),
			}})
		}
		k.publish(all...)
	}
	began := time.Now()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=read", "AMQP_URL="+k.broker.URL, childQueue+"="+k.main)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var listed, groups, grouped, sys int
	if _, err := fmt.Sscan(string(out), &listed, &groups, &grouped, &sys); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("RabbitMQ %s: %s; %.1f MB, %v", k.version(), strings.TrimSpace(string(out)), float64(sys)/1e6, time.Since(began))
	if listed != n || grouped != n || groups != 1001 {
		t.Errorf("listed %d, and grouped %d in %d groups", listed, grouped, groups)
	}
	if sys > most {
		t.Errorf("it took %d bytes", sys)
	}
	if ready := k.ready(k.name); ready != n {
		t.Errorf("%d are left", ready)
	}
}
