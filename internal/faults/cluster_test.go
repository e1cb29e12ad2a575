//go:build linux || darwin

package faults_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// clusterFaults happen to three nodes, on which each queue has three members.
var clusterFaults = []fault{
	leaderKilled("cluster: leader of the main queue killed", func(b *bench) string { return b.queue }),
	leaderKilled("cluster: leader of a retry queue killed", func(b *bench) string { return b.consumer.Plan().Retry[0].Name }),
	leaderKilled("cluster: leader of the main queue and of all retry queues killed", func(b *bench) string {
		leader := b.leader(b.queue)
		for _, q := range b.consumer.Plan().Retry {
			b.lead(q.Name, leader)
		}
		return b.queue
	}),
	{
		name: "cluster: a consumer starts while one of three nodes is up", hold: 15 * time.Second,
		inject: func(b *bench) {
			b.restart(nothing, func() {
				must(b.t, b.others[0].Kill())
				must(b.t, b.others[1].Kill())
			}, false)
		},
		undo: func(b *bench) {
			if b.consumer.Health() == nil {
				b.t.Error("the consumer is healthy without a quorum")
			}
			b.bootAll()
			b.waitReady()
		},
	},
	{
		name: "cluster: two of three nodes killed", hold: 5 * time.Second,
		inject: func(b *bench) {
			must(b.t, b.others[0].Kill())
			must(b.t, b.others[1].Kill())
		},
		undo: func(b *bench) { b.bootAll() },
	},
	{
		name: "cluster: all three nodes killed", hold: time.Second,
		inject: func(b *bench) {
			for _, n := range b.nodes() {
				must(b.t, n.Kill())
			}
		},
		undo: func(b *bench) { b.bootAll() },
	},
	{
		name: "cluster: nodes restarted in turn",
		inject: func(b *bench) {
			for _, n := range b.nodes() {
				b.boot(n)
				b.flow()
			}
		},
	},
	{
		name: "cluster: leader of the main queue frozen", hold: 6 * time.Second,
		inject: func(b *bench) {
			b.broken = b.leader(b.queue)
			must(b.t, b.broken.Freeze())
		},
		undo: func(b *bench) { must(b.t, b.broken.Thaw()) },
	},
}

// leaderKilled kills the node that leads a queue, and starts it again.
func leaderKilled(name string, queue func(b *bench) string) fault {
	return fault{
		name: name, hold: 5 * time.Second,
		inject: func(b *bench) {
			b.broken = b.leader(queue(b))
			must(b.t, b.broken.Kill())
		},
		undo: func(b *bench) { b.boot(b.broken) },
	}
}

// TestCluster injects what can happen to a cluster.
func TestCluster(t *testing.T) {
	if !*full {
		t.Skip("with -faults.full")
	}
	t.Parallel()
	nodes := rabbitmq.Cluster(t, 3, rabbitmq.Options{Name: "faults", Advanced: advanced})
	for _, f := range clusterFaults {
		t.Run(f.name, func(t *testing.T) {
			defer noteFailure(t, nodes[0], f.name)
			record(t, nodes[0], f.name, false, f.run(t, nil, nodes[0], nodes[1:]...))
		})
	}
}

func (b *bench) nodes() []*rabbitmq.Node { return append([]*rabbitmq.Node{b.node}, b.others...) }

// leader returns the node that leads a quorum queue.
func (b *bench) leader(queue string) *rabbitmq.Node {
	b.t.Helper()
	var led *rabbitmq.Node
	b.eventually("the queue has a leader", time.Minute, func() bool {
		for line := range strings.Lines(b.ctl("list_queues", "name", "leader")) {
			name, leader, _ := strings.Cut(strings.TrimSpace(line), "\t")
			for _, n := range b.nodes() {
				if name == queue && leader == n.Name() {
					led = n
				}
			}
		}
		return led != nil
	})
	return led
}

// lead makes a node the leader of a quorum queue.
func (b *bench) lead(queue string, n *rabbitmq.Node) {
	b.t.Helper()
	for try := 0; b.leader(queue) != n; try++ {
		if try == 10 {
			b.t.Fatalf("%s does not become the leader of %s", n.Name(), queue)
		}
		b.ctl("eval", `{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"`+queue+`">>)), `+
			`rabbit_quorum_queue:transfer_leadership(Q, '`+n.Name()+`').`)
		nap(context.Background(), time.Second)
	}
}

// boot stops a node in order, if it runs, and starts it again.
func (b *bench) boot(n *rabbitmq.Node) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	must(b.t, n.Restart(ctx))
}

// bootAll starts all nodes that do not run at once, since they may wait for one another.
func (b *bench) bootAll() {
	b.t.Helper()
	var booted sync.WaitGroup
	for _, n := range b.nodes() {
		if n.Freeze() == nil { // it runs
			must(b.t, n.Thaw())
			continue
		}
		booted.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			if err := n.Restart(ctx); err != nil {
				b.t.Errorf("boot: %v", err)
			}
		})
	}
	booted.Wait()
}
