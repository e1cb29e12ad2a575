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
	"github.com/warren-mq/warren/rabbittest"
)

// childQueue tells a child the name of the main queue, besides AMQP_URL.
const childQueue = "WARREN_ERRORQUEUE_TEST_QUEUE"

// little is how much memory a call may take, where entries are small.
const little = 64 << 20

// measured makes a child of what is done with an error queue. It prints the numbers that do returns and how much
// memory that took: all that Go has ever had of the system.
func measured(do func(ctx context.Context, q *errorqueue.Queue) ([]any, error)) func() int {
	return func() int {
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
		numbers, err := do(ctx, q)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(append(numbers, m.Sys)...)
		return 0
	}
}

// inChild runs a child on the kit's error queue. It reads the child's numbers into those that are given, and returns
// how much memory the child took.
func (k *kit) inChild(t *testing.T, name string, numbers ...*int) (sys int) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+name, "AMQP_URL="+k.broker.URL, childQueue+"="+k.main)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var into []any
	for _, n := range append(numbers, &sys) {
		into = append(into, n)
	}
	if _, err := fmt.Sscan(string(out), into...); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	t.Logf("RabbitMQ %s, %s: %s; %.1f MB", k.version(), name, strings.TrimSpace(string(out)), float64(sys)/1e6)
	return sys
}

// readAll reads and groups an error queue, whose entries have their numbers as ids.
func readAll(ctx context.Context, q *errorqueue.Queue) ([]any, error) {
	listed := 0
	groups, err := q.Groups(ctx, errorqueue.Filter{Match: func(e errorqueue.Entry) (bool, error) {
		if listed++; e.Message.ID != strconv.Itoa(listed) {
			return false, fmt.Errorf("%s is number %d", e.Message.ID, listed)
		}
		return true, nil
	}})
	grouped := 0
	for _, g := range groups {
		grouped += g.Count
	}
	return []any{listed, len(groups), grouped}, err
}

// replayAll replays an error queue.
func replayAll(ctx context.Context, q *errorqueue.Queue) ([]any, error) {
	r, err := q.Replay(ctx, errorqueue.ReplayOptions{})
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%d have failed: %v", r.Failed, r.Errors)
	}
	return []any{r.Done}, err
}

// failed is an entry of this number, with a body of this size.
func failed(k *kit, n int, body []byte) amqp.Publishing {
	return amqp.Publishing{MessageId: strconv.Itoa(n), Body: body, Headers: amqp.Table{
		"warren-reason": "exhausted", "warren-error": "the bank is down", "warren-origin-queue": k.main,
		"warren-fingerprint": fmt.Sprintf("%016x", n%1500),
	}}
}

// publishMany puts n entries of a kilobyte into the error queue.
func (k *kit) publishMany(n int) {
	k.Helper()
	body := bytes.Repeat([]byte("x"), 1<<10)
	for first := 1; first <= n; first += 5000 {
		var all []amqp.Publishing
		for i := first; i < first+5000; i++ {
			all = append(all, failed(k, i, body))
		}
		k.publish(all...)
	}
}

// A queue of any size is listed and grouped in little memory, and stays in order.
func TestLittleMemory(t *testing.T) {
	t.Parallel()
	k := newKit(t, brokers.RabbitMQ(t))
	k.declare(nil)
	n := 100_000
	if testing.Short() || raceEnabled { // with it, memory says nothing either
		n = 20_000
	}
	k.publishMany(n)
	var listed, groups, grouped int
	sys := k.inChild(t, "read", &listed, &groups, &grouped)
	if listed != n || grouped != n || groups != 1001 {
		t.Errorf("listed %d, and grouped %d in %d groups", listed, grouped, groups)
	}
	if sys > little {
		t.Errorf("it took %d bytes", sys)
	}
	if ready := k.ready(k.name); ready != n {
		t.Errorf("%d are left", ready)
	}
}

// A queue of any size is replayed in little memory.
func TestReplayInLittleMemory(t *testing.T) {
	t.Parallel()
	k := newKit(t, brokers.RabbitMQ(t))
	k.declare(nil)
	k.declareMain()
	n := 100_000
	if testing.Short() || raceEnabled {
		n = 10_000
	}
	k.publishMany(n)
	var done int
	if sys := k.inChild(t, "replay", &done); sys > little {
		t.Errorf("it took %d bytes", sys)
	}
	eventually(t, "all in the main queue", func() bool { return k.ready(k.main) == n })
	if left := k.ready(k.name); done != n || left != 0 {
		t.Errorf("%d were done, %d are left", done, left)
	}
}

// Memory stays bounded although large entries come when many small ones have been seen, in whatever order.
func TestLittleMemoryWhenEntriesGrow(t *testing.T) {
	t.Parallel()
	const n, size = 600, 1 << 20
	t.Run("at the end, on RabbitMQ", func(t *testing.T) {
		t.Parallel()
		growing(t, brokers.RabbitMQ(t), n, size, func(i int) bool { return i >= 530 })
	})
	for name, isLarge := range map[string]func(i int) bool{
		"at the beginning": func(i int) bool { return i < 70 },
		"in between":       func(i int) bool { return i >= 100 && i%100 >= 86 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := rabbittest.New(t)
			if _, err := b.Listen("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			growing(t, brokers.At(b.URL()), n, size, isLarge)
		})
	}
}

// growing reads and replays a queue of n entries, of which some are large.
func growing(t *testing.T, b brokers.Broker, n, size int, isLarge func(i int) bool) {
	k := newKit(t, b)
	k.declare(nil)
	k.declareMain()
	large := bytes.Repeat([]byte("x"), size)
	for first := 0; first < n; first += 50 {
		var all []amqp.Publishing
		for i := first; i < first+50; i++ {
			body := []byte("x")
			if isLarge(i) {
				body = large
			}
			all = append(all, failed(k, i+1, body))
		}
		k.publish(all...)
	}
	most := little + 32*size // on a busy machine garbage is collected late: it was 89 MB once
	var listed, groups, grouped, done int
	if sys := k.inChild(t, "read", &listed, &groups, &grouped); sys > most {
		t.Errorf("reading took %d bytes", sys)
	}
	if ready := k.ready(k.name); listed != n || grouped != n || ready != n {
		t.Errorf("listed %d, and grouped %d; %d are left", listed, grouped, ready)
	}
	// By now what was given back is ahead of the rest.
	if sys := k.inChild(t, "replay", &done); sys > most {
		t.Errorf("replaying took %d bytes", sys)
	}
	eventually(t, "all in the main queue", func() bool { return k.ready(k.main) == n })
	if left := k.ready(k.name); done != n || left != 0 {
		t.Errorf("%d were done, %d are left", done, left)
	}
}
