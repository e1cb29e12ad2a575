//go:build linux || darwin

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
)

// queueFaults happen to the queues. What was in a queue that somebody deletes is gone, and nobody's to keep: so they
// are deleted when they are empty.
var queueFaults = []fault{
	{name: "main queue deleted", quiet: true, alone: true, inject: func(b *bench) { b.delete(b.queue) }},
	{
		name: "error queue deleted", quiet: true, alone: true,
		inject: func(b *bench) {
			b.harvest(false)
			b.delete(b.errorQueue())
		},
	},
	{
		name: "retry queues deleted", quiet: true, alone: true,
		inject: func(b *bench) {
			for _, q := range b.consumer.Plan().Retry {
				b.delete(q.Name)
			}
		},
	},
	limited("error queue full until its limit is lifted", func(b *bench) string { return b.errorQueue() }),
	limited("a retry queue full until its limit is lifted", func(b *bench) string { return b.consumer.Plan().Retry[0].Name }),
	{
		name: "main queue full until it is worked off", hold: 4 * time.Second, alone: true, timers: true,
		inject: func(b *bench) {
			b.limit(b.queue, 100)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			must(b.t, b.consumer.Pause(ctx))
		},
		undo: func(b *bench) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			must(b.t, b.consumer.Resume(ctx))
		},
	},
	// RabbitMQ 3.10 does not notice that a limit was lifted: the worker that moves messages out of the retry queues takes
	// the main queue for full until it is started again. So here the broker is.
	{
		name: "main queue full until its limit is lifted, and a restart", hold: 4 * time.Second, alone: true, timers: true,
		inject: func(b *bench) { b.limit(b.queue, 1) },
		undo: func(b *bench) {
			b.ctl("clear_policy", b.queue)
			boot(b)
		},
	},
	{
		name: "a consumer of other queues' arguments is refused", n: 2, alone: true,
		inject: func(b *bench) {
			cfg := b.cfg
			cfg.Classic = true
			c, err := consumer.New(b.conn, b.queue, handling(func(string) { b.t.Error("a refused consumer handles") }), cfg)
			must(b.t, err)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			var refused *consumer.DeclareError
			if err := c.Run(ctx); !errors.As(err, &refused) || refused.Argument != "x-queue-type" {
				b.t.Errorf("another consumer's Run returned %v", err)
			}
		},
	},
}

// limited is a queue that takes one message at most for a while.
func limited(name string, queue func(b *bench) string) fault {
	return fault{
		name: name, hold: 4 * time.Second, alone: true,
		inject: func(b *bench) { b.limit(queue(b), 1) },
		undo:   func(b *bench) { b.ctl("clear_policy", queue(b)) },
	}
}

// limit makes a queue refuse what it cannot hold.
func (b *bench) limit(queue string, most int) {
	b.ctl("set_policy", queue, "^"+regexp.QuoteMeta(queue)+"$",
		fmt.Sprintf(`{"max-length":%d,"overflow":"reject-publish"}`, most), "--apply-to", "queues")
}

// delete deletes a queue, as an operator does.
func (b *bench) delete(queue string) {
	b.t.Helper()
	conn, err := amqp.Dial(b.node.URL())
	must(b.t, err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(b.t, err)
	n, err := ch.QueueDelete(queue, false, false, false)
	must(b.t, err)
	if n > 0 {
		b.t.Errorf("%d messages were deleted with %s", n, queue)
	}
}

// accountFaults happen to the user as whom everyone connects.
var accountFaults = []fault{
	{
		name: "password changed", hold: 4 * time.Second,
		inject: func(b *bench) {
			b.ctl("change_password", "guest", "another")
			b.ctl("close_all_connections", "the password has changed")
		},
		undo: func(b *bench) { b.ctl("change_password", "guest", "guest") },
	},
	{
		name: "permissions revoked", hold: 4 * time.Second, alone: true,
		inject: func(b *bench) { b.ctl("clear_permissions", "guest") },
		undo:   func(b *bench) { b.ctl("set_permissions", "guest", ".*", ".*", ".*") },
	},
	{
		name: "permissions revoked, and connections closed", hold: 4 * time.Second, alone: true,
		inject: func(b *bench) {
			b.ctl("clear_permissions", "guest")
			b.ctl("close_all_connections", "no permission")
		},
		undo: func(b *bench) { b.ctl("set_permissions", "guest", ".*", ".*", ".*") },
	},
	{
		name: "no connections allowed", hold: 4 * time.Second,
		inject: func(b *bench) {
			b.ctl("set_user_limits", "guest", `{"max-connections":0}`)
			b.ctl("close_all_connections", "a limit")
		},
		undo: func(b *bench) { b.ctl("clear_user_limits", "guest", "max-connections") },
	},
	{
		name: "consumer timeout", hold: 8 * time.Second, alone: true,
		config: func(c *consumer.Config) { c.Timeout = 10 * time.Second },
		mix:    []string{doAck, doRetry, doAck, doError, doAck, doDefer},
		inject: func(b *bench) {
			b.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1500).")
			b.ctl("close_all_connections", "so that it holds")
			for range 3 {
				b.send(context.Background(), doLong)
			}
		},
		undo: func(b *bench) {
			b.ctl("eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
			b.ctl("close_all_connections", "so that it holds no more")
		},
	},
}

// lifeFaults happen to the consumers.
var lifeFaults = append([]fault{
	{
		name: "consumer stopped and started again", n: 4, alone: true,
		inject: func(b *bench) { b.restart(nothing, nothing, true) },
	},
	{
		name: "broker killed while the consumer stops", alone: true, mix: []string{doAck, doRetry, doSlow, doError},
		config: func(c *consumer.Config) { c.Timeout = 5 * time.Second },
		inject: func(b *bench) { b.restart(func() { must(b.t, b.node.Kill()) }, func() { boot(b) }, true) },
	},
	{
		name: "a consumer's process killed, again and again", children: true, n: 4, short: true, alone: true,
		inject: func(b *bench) { b.children[0].kill() },
	},
	poison("a message that exits its process", doExit),
	poison("a message that eats the memory of its process", doMemory),
}, deathFaults()...)

func deathFaults() (list []fault) {
	for _, d := range []death{inHandler, beforePublish, afterPublish, atConfirm, beforeAck, afterAck} {
		list = append(list, fault{
			name: "a consumer's process killed " + string(d), children: true, death: d, alone: true,
			inject: func(b *bench) {
				b.eventually("a process dies", time.Minute, func() bool { return b.children[0].died() > 0 })
			},
		})
	}
	return list
}

// poison is one message that kills the process of each handler that it is given to, among innocent ones.
func poison(name, do string) fault {
	return fault{
		name: name, children: true, alone: true,
		entry: func(b *bench, d amqp.Delivery) {
			if is := strings.Contains(string(d.Body), `"`+do+`"`); is != (d.Headers["warren-reason"] == "crashed") {
				b.t.Errorf("%.100q is in the error queue as %v", d.Body, d.Headers["warren-reason"])
			}
		},
		inject: func(b *bench) {
			b.send(context.Background(), do)
			deaths := func() int { return b.children[0].died() + b.children[1].died() }
			b.eventually("a process dies", time.Minute, func() bool { return deaths() > 0 })
			const bound = 10 // DESIGN.md, D5
			b.eventually("the processes live on", 2*time.Minute, func() bool {
				before := deaths()
				nap(context.Background(), 5*time.Second)
				return deaths() == before
			})
			if n := deaths(); n > bound+2 {
				b.t.Errorf("it has killed %d processes", n)
			}
		},
	}
}

// restart stops the consumer of this process within its time, and starts it again. Meanwhile is called while it stops,
// and then when it has. If ready is true it returns when it consumes again.
func (b *bench) restart(meanwhile, then func(), ready bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	began := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- b.consumer.Stop(ctx) }()
	meanwhile()
	if err := <-stopped; err != nil && !errors.As(err, new(*consumer.DrainError)) {
		b.t.Errorf("Stop returned %v", err)
	}
	<-b.running
	if took, most := time.Since(began), b.cfg.Drain+5*time.Second; took > most {
		b.t.Errorf("it took %v to stop, more than %v", took, most)
	}
	then()
	b.start()
	if ready {
		b.waitReady()
	}
}
