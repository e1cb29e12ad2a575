package brokers

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/rabbittest"
)

// Node is a broker that a test has to itself, and may do anything to. Its
// methods report what goes wrong as errors of the test, and may be called from
// any of its goroutines.
type Node struct {
	Broker
	// RabbitMQ is the node itself if it is a real one, and else nil.
	RabbitMQ *rabbitmq.Node

	tb testing.TB
}

// Trial is a test that breaks its broker, and leaves it as it was.
type Trial struct {
	Name string
	Test func(t *testing.T, n *Node)
	// Options are those of the rabbittest.
	Options rabbittest.Options
}

// Alone runs trials, each as a subtest of "rabbittest" with a broker of its own
// in a bubble, and one after the other as subtests of "rabbitmq" on a node of
// RabbitMQ that they share. That takes some seconds to start, and is skipped
// where none is installed. If prepare is not nil it is called with every broker
// before the trials.
func Alone(t *testing.T, prepare func(testing.TB, *Node), trials ...Trial) {
	t.Helper()
	if prepare == nil {
		prepare = func(testing.TB, *Node) {}
	}
	t.Run("rabbittest", func(t *testing.T) {
		t.Parallel()
		for _, trial := range trials {
			t.Run(trial.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := rabbittest.NewWith(t, trial.Options)
					n := &Node{Broker: Broker{URL: b.URL(), Dial: b.Dial, Test: b}, tb: t}
					prepare(t, n)
					trial.Test(t, n)
				})
			})
		}
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		node := rabbitmq.Private(t, rabbitmq.Options{})
		prepare(t, &Node{Broker: At(node.URL()), RabbitMQ: node, tb: t})
		for _, trial := range trials {
			t.Run(trial.Name, func(t *testing.T) {
				trial.Test(t, &Node{Broker: At(node.URL()), RabbitMQ: node, tb: t})
			})
		}
	})
}

// Ctl runs rabbitmqctl, on a real node only.
func (n *Node) Ctl(args ...string) {
	n.tb.Helper()
	_, err := n.RabbitMQ.Ctl(context.Background(), args...)
	n.check(err)
}

// Alarm makes the broker say that it is low on memory, and read no more from
// those who publish.
func (n *Node) Alarm() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Block("low on memory")
		return
	}
	n.Ctl("set_vm_memory_high_watermark", "absolute", "1MB")
}

// Calm ends the alarm.
func (n *Node) Calm() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Unblock()
		return
	}
	n.Ctl("set_vm_memory_high_watermark", "0.4")
}

// Freeze halts the broker as it stands.
func (n *Node) Freeze() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Pause()
		return
	}
	n.check(n.RabbitMQ.Freeze())
}

// Thaw lets it go on.
func (n *Node) Thaw() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Resume()
		return
	}
	n.check(n.RabbitMQ.Thaw())
}

// Kill ends the broker at once.
func (n *Node) Kill() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Kill()
		return
	}
	n.check(n.RabbitMQ.Kill())
}

// Boot starts it again, with what it has kept.
func (n *Node) Boot() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Boot()
		return
	}
	n.check(n.RabbitMQ.Restart(context.Background()))
}

// CloseConnections closes every connection as an operator does, who says why.
func (n *Node) CloseConnections(why string) {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.CloseConnections(320, "CONNECTION_FORCED - "+why)
		return
	}
	n.Ctl("close_all_connections", why)
}

func (n *Node) check(err error) {
	n.tb.Helper()
	if err != nil {
		n.tb.Error(err)
	}
}
