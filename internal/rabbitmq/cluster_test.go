package rabbitmq_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := rabbitmq.Cluster(t, 2, rabbitmq.Options{Name: "member"})
	if nodes[0].Name() == nodes[1].Name() {
		t.Errorf("both are %s", nodes[0].Name())
	}
	declare(t, channel(t, dial(t, nodes[0].URL())), "everyone's")
	if err := nodes[0].Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ctl(t, nodes[1], "list_queues", "name"); !strings.Contains(got, "everyone's") {
		t.Errorf("the other node lists %q", got)
	}
	// The first one's epmd serves both, also while it is dead itself.
	if err := nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	ctl(t, nodes[1], "list_queues", "name")
	if err := nodes[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has found the other one", func() bool {
		return strings.Contains(ctl(t, nodes[0], "eval", "nodes()."), nodes[1].Name())
	})
}
