//go:build linux || darwin

package faults_test

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/faults"
	"github.com/warren-mq/warren/internal/netproxy"
)

// fault is something that can happen around the library.
type fault struct {
	name string
	hold time.Duration // how long it lasts
	n    int           // how often a run injects it; 0: once
	// inject begins it, and undo ends it; nil if it is over at once.
	inject, undo func(b *bench)

	check func(b *bench, v faults.Verdict) // what else must hold in the end; nil: nothing

	look  func(b *bench, m consumer.Message[order]) // sees each message before its handler; nil: nobody does
	entry func(b *bench, d amqp.Delivery)           // sees each entry of the error queue in the end; nil: nobody does

	over     over // how it gets to the node
	children bool // the consumers are processes of their own
	death    death
	quiet    bool     // nothing is in work when it comes
	mix      []string // what messages ask for; nil: the usual
	config   func(*consumer.Config)
	alone    bool // not in a soak
	timers   bool // each retry after it may wait for three minutes, as DESIGN.md tells in D2
	short    bool // in the short form, too
}

// brokerFaults happen to the node.
var brokerFaults = []fault{
	{name: "broker killed", inject: func(b *bench) { must(b.t, b.node.Kill()) }, undo: boot},
	{
		name: "broker killed twice, the second time as soon as it serves", alone: true,
		inject: func(b *bench) {
			must(b.t, b.node.Kill())
			boot(b)
			must(b.t, b.node.Kill())
		}, undo: boot,
	},
	{name: "broker restarted in order", inject: func(b *bench) { must(b.t, b.node.Stop(context.Background())) }, undo: boot},
	{
		name: "broker frozen", hold: 5 * time.Second,
		inject: func(b *bench) { must(b.t, b.node.Freeze()) }, undo: func(b *bench) { must(b.t, b.node.Thaw()) },
	},
	{name: "connections closed by an operator", n: 3, hold: time.Second, inject: func(b *bench) { b.ctl("close_all_connections", "maintenance") }},
	{name: "channels crash in the broker", n: 3, hold: time.Second, inject: func(b *bench) {
		b.ctl("eval", "[exit(P, kill) || P <- rabbit_channel:list()].")
	}},
	// Slowly: its supervisor gives up after three crashes in five seconds, and the queue is down until the node is restarted.
	{name: "main queue's process crashes", n: 2, hold: 6 * time.Second, inject: func(b *bench) { b.crashQueue(b.queue) }},
	{
		name: "main queue down until it is started again", hold: 4 * time.Second, alone: true, timers: true,
		inject: func(b *bench) { b.ra("stop_server", b.queue) }, undo: func(b *bench) { b.ra("restart_server", b.queue) },
	},
	{
		name: "main queue's process dead until the node is restarted", alone: true,
		config: func(c *consumer.Config) { c.Silence = time.Second },
		inject: func(b *bench) {
			must(b.t, b.node.CrashQueue(context.Background(), b.queue))
			b.eventually("the consumer says so", 30*time.Second, func() bool { return errors.Is(b.consumer.Health(), consumer.ErrSilent) })
		},
		undo: boot,
	},
	{
		name: "memory alarm", hold: 4 * time.Second,
		inject: func(b *bench) { b.ctl("set_vm_memory_high_watermark", "absolute", "1MB") },
		undo:   func(b *bench) { b.ctl("set_vm_memory_high_watermark", "0.4") },
	},
	{
		name: "disk alarm", hold: 4 * time.Second,
		inject: func(b *bench) { b.ctl("set_disk_free_limit", "999999GB") },
		undo:   func(b *bench) { b.ctl("set_disk_free_limit", "50MB") },
	},
}

func boot(b *bench) { b.boot(b.node) }

// crashQueue ends the process of a quorum queue, which its supervisor starts again.
func (b *bench) crashQueue(name string) {
	b.ctl("eval", `case whereis(binary_to_atom(<<"%2F_`+name+`">>)) of undefined -> none; P -> exit(P, kill) end.`)
}

// ra stops or starts the only member of a quorum queue.
func (b *bench) ra(do, queue string) {
	b.ctl("eval", `ra:`+do+`(quorum_queues, {binary_to_atom(<<"%2F_`+queue+`">>), node()}).`)
}

// networkFaults happen to the connections of this process.
var networkFaults = []fault{
	{name: "connections reset", n: 5, hold: 500 * time.Millisecond, inject: func(b *bench) { b.net.Cut() }},
	{
		name: "network unplugged", hold: 3 * time.Second,
		inject: func(b *bench) { b.net.Unplug() }, undo: func(b *bench) { b.net.Plug() },
	},
	{
		name: "black hole", hold: 5 * time.Second,
		inject: func(b *bench) { b.net.Freeze() }, undo: func(b *bench) { b.net.Release() },
	},
	{
		name: "black hole from the broker only", hold: 5 * time.Second,
		inject: func(b *bench) { b.net.Hold(netproxy.FromBroker) }, undo: func(b *bench) { b.net.Release() },
	},
	{
		name: "black hole to the broker only", hold: 5 * time.Second,
		inject: func(b *bench) { b.net.Hold(netproxy.ToBroker) }, undo: func(b *bench) { b.net.Release() },
	},
	{
		name: "cut after so many bytes", hold: 6 * time.Second,
		inject: func(b *bench) {
			b.net.CutAt(netproxy.ToBroker, 30_011)
			b.net.CutAt(netproxy.FromBroker, 50_021)
		},
		undo: func(b *bench) {
			b.net.CutAt(netproxy.ToBroker, 0)
			b.net.CutAt(netproxy.FromBroker, 0)
		},
	},
	cutOn("cut when something was published", netproxy.ToBroker, basicPublish),
	cutOn("cut between confirm and ack", netproxy.FromBroker, basicAck),
	cutOn("cut when something was acked", netproxy.ToBroker, basicAck),
}

// cutOn cuts a connection again and again, when a method has passed.
func cutOn(name string, d netproxy.Direction, method []byte) fault {
	return fault{
		name: name, n: 10, hold: 300 * time.Millisecond,
		inject: func(b *bench) { b.net.CutOn(d, method) }, undo: func(b *bench) { b.net.CutOn(d, nil) },
	}
}

// slowFaults are those that can be beside another.
var slowFaults = []fault{
	{
		name: "latency", hold: 5 * time.Second,
		inject: func(b *bench) {
			b.net.Delay(netproxy.ToBroker, 50*time.Millisecond, 50*time.Millisecond)
			b.net.Delay(netproxy.FromBroker, 50*time.Millisecond, 50*time.Millisecond)
		},
		undo: func(b *bench) {
			b.net.Delay(netproxy.ToBroker, 0, 0)
			b.net.Delay(netproxy.FromBroker, 0, 0)
		},
	},
	{
		name: "narrow bandwidth", hold: 5 * time.Second,
		inject: func(b *bench) {
			b.net.Narrow(netproxy.ToBroker, 20_000)
			b.net.Narrow(netproxy.FromBroker, 20_000)
		},
		undo: func(b *bench) {
			b.net.Narrow(netproxy.ToBroker, 0)
			b.net.Narrow(netproxy.FromBroker, 0)
		},
	},
}
