package rabbittest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

// childVariable says that this process was started by another test, to fail.
const childVariable = "RABBITTEST_CHILD"

// output runs one test of this binary in a process of its own, and returns what it wrote and how long it took.
func output(t *testing.T, name string) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v", "-test.timeout=20s")
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.CombinedOutput()
	if err == nil {
		t.Errorf("%s passed:\n%s", name, out)
	}
	return string(out), time.Since(began)
}

// onlyAsChild skips a test that is there to fail.
func onlyAsChild(t *testing.T) {
	t.Helper()
	if os.Getenv(childVariable) == "" {
		t.Skip("it is run, in a process of its own, by another test: it is there to fail")
	}
}

func TestAForgottenMessageIsADeadlock(t *testing.T) {
	out, took := output(t, "TestChildForgetsAMessage")
	if !strings.Contains(out, "deadlock: all goroutines in bubble are blocked") {
		t.Errorf("it ended with:\n%s", out)
	}
	t.Logf("reported after %v, with the start of the process", took)
}

func TestChildForgetsAMessage(t *testing.T) {
	onlyAsChild(t)
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "q", nil)
		<-consume(t, ch, "q") // which nobody publishes
	})
}

func TestAForgottenCloseIsForgiven(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
		must(t, err)
		ch, err := conn.Channel()
		must(t, err)
		declare(t, ch, "q", nil)
		consume(t, ch, "q")
		must(t, ch.Publish("", "q", false, false, amqp.Publishing{}))
	})
}

func TestCrashPointsFindsALoss(t *testing.T) {
	out, _ := output(t, "TestChildAcksTooEarly")
	if !strings.Contains(out, "the connection was cut at") || !strings.Contains(out, "is lost") {
		t.Errorf("it ended with:\n%s", out)
	}
	if !strings.Contains(out, "the test broker:\n") {
		t.Error("the failed test has no dump")
	}
}

// TestChildAcksTooEarly moves a message from one queue to another, and acks it before the second one has it.
func TestChildAcksTooEarly(t *testing.T) {
	onlyAsChild(t)
	rabbittest.CrashPoints(t, func(t *testing.T, b *rabbittest.Broker) {
		move := func() error {
			conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
			if err != nil {
				return err
			}
			defer conn.Close() //nolint:errcheck // there is a next one
			ch, err := conn.Channel()
			if err != nil {
				return err
			}
			for _, q := range []string{"from", "to"} {
				if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
					return err
				}
			}
			if b.Queue("from").Len() == 0 && b.Queue("to").Len() == 0 {
				must(t, b.Queue("from").Publish(rabbittest.Message{}))
			}
			m, ok, err := ch.Get("from", false)
			if err != nil || !ok {
				return err
			}
			if err := m.Ack(false); err != nil {
				return err
			}
			return ch.Publish("", "to", false, false, amqp.Publishing{Body: m.Body})
		}
		for move() != nil {
			time.Sleep(time.Second)
		}
		must(t, b.WaitIdle(t.Context()))
		if b.Queue("from").Len()+b.Queue("to").Len() < 1 {
			t.Error("the message is lost")
		}
	})
}
