package rabbitmq

import (
	"context"
	"fmt"
	"testing"
)

// Cluster starts so many nodes that form a cluster, for this test alone. Each can be killed, frozen and started again by
// itself, and [Node.Ctl] of each that runs tells of all. They are closed when the test ends. The test is skipped, loudly,
// where no node can be started.
func Cluster(tb testing.TB, size int, o Options) []*Node {
	tb.Helper()
	nodes := []*Node{Private(tb, o)}
	o.first = nodes[0]
	for len(nodes) < size {
		n := Private(tb, o)
		if err := n.join(tb.Context(), nodes[0]); err != nil {
			tb.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// Name is the name of the Erlang node, as rabbitmqctl shows it.
func (n *Node) Name() string { return n.facts.Name }

// join makes n a member of another node's cluster. What n had is gone.
func (n *Node) join(ctx context.Context, first *Node) error {
	for _, args := range [][]string{
		{"stop_app"},
		{"join_cluster", first.facts.Name},
		{"start_app"},
		{"await_startup"},
	} {
		if _, err := n.Ctl(ctx, args...); err != nil {
			return fmt.Errorf("join a cluster: %w", err)
		}
	}
	return nil
}
