package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

// asProgram makes the test binary behave as the program, so that what is tested is what a newcomer runs,
// with the race detector if the test has it.
const asProgram = "QUICKSTART_TEST_RUNS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	rabbitmq.Main(m)
}

// run runs the program to its end, and returns what it printed.
func run(t *testing.T, url, queue string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1", "AMQP_URL="+url, "QUEUE="+queue)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	t.Logf("it printed:\n%s%s", &out, &errs)
	return out.String(), errs.String(), err
}

// steps is what becomes of the five orders, in whatever order.
var steps = []string{
	"publish coffee", "publish tea", "publish cake", "publish bread", "publish honey",
	"coffee, attempt 1: acked, done",
	"bread, attempt 1: acked, done",
	"tea, attempt 1: the bank is down; waits 1s, then comes again",
	"tea, attempt 2: acked, done",
	"cake, attempt 1: no price; moved to the error queue",
	"honey, attempt 1: no price; moved to the error queue",
}

func TestEveryOrderComesToItsEnd(t *testing.T) {
	t.Parallel()
	brokers.EachOverTCP(t, func(t *testing.T, b brokers.Broker) {
		queue := rabbitmq.Name(t, "quickstart")
		b.Delete(t, queue, queue+".retry.1s", queue+".error")
		runsWell(t, b.URL, queue, "2")

		// The second run finds what the first put into the error queue, and what one that was interrupted left in
		// the main queue. It handles that too, and does not take it for its own.
		leave(t, b.URL, queue, Order{"rum", 1}, Order{"rum", 2}, Order{"rum", 3}, Order{"rum", 4}, Order{"rum", 5})
		runsWell(t, b.URL, queue, "4", "rum, attempt 1: acked, done")
	})
}

// What a newcomer does first: nothing is installed, and nothing is set.
func TestItBringsABroker(t *testing.T) {
	t.Parallel()
	runsWell(t, "", "quickstart.orders", "2", "AMQP_URL is not set: this runs on a test broker in the process, which ends with it.")
}

// runsWell runs the program and looks at all that it says.
func runsWell(t *testing.T, url, queue, inErrorQueue string, more ...string) {
	t.Helper()
	began := time.Now()
	out, stderr, err := run(t, url, queue)
	if err != nil || stderr != "" {
		t.Fatalf("the program failed: %v", err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it took %v, and should have waited a second for the tea", took)
	}
	for _, step := range append(more, steps...) {
		if n := strings.Count(out, step+"\n"); n == 0 {
			t.Errorf("it did not print %q", step)
		}
	}
	for _, line := range []string{
		"  0 in " + queue + "\n",
		"  0 in " + queue + ".retry.1s\n",
		"  " + inErrorQueue + " in " + queue + ".error\n",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("it did not print %q", line)
		}
	}
}

// leave publishes orders as of an hour ago.
func leave(t *testing.T, url, queue string, orders ...Order) {
	t.Helper()
	conn, err := connection.Open(t.Context(), url, connection.Config{Monitor: monitoring.Discard{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	p, err := publisher.New(conn, publisher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range orders {
		err := p.Send(t.Context(), publisher.Message{Key: queue, Body: order, Timestamp: time.Now().Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutABrokerItSaysWhatToDo(t *testing.T) {
	t.Parallel()
	began := time.Now()
	_, stderr, err := run(t, "amqp://127.0.0.1:1/", "nobody")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit status 1", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	for _, want := range []string{"connection refused", "Is RabbitMQ running there", "env -u AMQP_URL go run"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it did not say %q", want)
		}
	}
}
