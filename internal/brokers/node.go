package brokers

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

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
	// Options are those of the rabbittest. On the real node, the users are added
	// to guest, who must be the first, and the shortest ConsumerTimeout of all
	// trials holds; the rest is as it is.
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
					n := &Node{Broker: inMemory(t, trial.Options), tb: t}
					prepare(t, n)
					trial.Test(t, n)
				})
			})
		}
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		node := rabbitmq.Private(t, rabbitmq.Options{Advanced: advanced(trials)})
		prepare(t, &Node{Broker: At(node.URL()), RabbitMQ: node, tb: t})
		for _, trial := range trials {
			t.Run(trial.Name, func(t *testing.T) {
				n := &Node{Broker: At(node.URL()), RabbitMQ: node, tb: t}
				n.admit(trial.Options.Users)
				trial.Test(t, n)
			})
		}
	})
}

// advanced is the advanced.config that the trials ask for.
func advanced(trials []Trial) string {
	shortest := time.Duration(0)
	for _, trial := range trials {
		if d := trial.Options.ConsumerTimeout; d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	if shortest == 0 {
		return ""
	}
	// It is looked at once in a minute, unless told otherwise.
	return fmt.Sprintf("[{rabbit, [{consumer_timeout, %d}, {channel_tick_interval, 1000}]}].", shortest.Milliseconds())
}

// admit adds users to a real node.
func (n *Node) admit(users []rabbittest.User) {
	n.tb.Helper()
	pattern := func(r *regexp.Regexp) string {
		if r == nil {
			return ".*"
		}
		return r.String()
	}
	for _, u := range users[min(1, len(users)):] {
		n.Ctl("add_user", u.Name, u.Password)
		n.Ctl("set_permissions", u.Name, pattern(u.Configure), pattern(u.Write), pattern(u.Read))
	}
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

// Restart stops the broker in order, and boots it.
func (n *Node) Restart() {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Restart()
		return
	}
	n.check(n.RabbitMQ.Restart(context.Background()))
}

// CrashQueue ends the process of a quorum queue so often that its supervisor gives up.
func (n *Node) CrashQueue(name string) {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Queue(name).Crash()
		return
	}
	n.check(n.RabbitMQ.CrashQueue(context.Background(), name))
}

// RecoverQueue starts the process of such a queue again.
func (n *Node) RecoverQueue(name string) {
	n.tb.Helper()
	if n.Test != nil {
		n.Test.Queue(name).Recover()
		return
	}
	n.check(n.RabbitMQ.RecoverQueue(context.Background(), name))
}

// Sync waits until all that was declared is on disk, if there is one: a node
// that is killed before forgets it.
func (n *Node) Sync() {
	n.tb.Helper()
	if n.RabbitMQ != nil {
		n.check(n.RabbitMQ.Sync(context.Background()))
	}
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
