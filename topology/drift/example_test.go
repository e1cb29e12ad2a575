package drift_test

import (
	"fmt"
	"time"

	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// A broker whose operator has set a policy for all queues.
func ExampleCompare() {
	plan := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
	broker := drift.Broker{
		Version: "4.0.5",
		Queues:  map[string]drift.Queue{},
		Policies: []drift.Policy{{
			Name: "bounded", Pattern: ".*", ApplyTo: "queues",
			Definition: map[string]any{"max-length": 100_000, "overflow": "drop-head"},
		}},
	}
	for _, q := range plan.Queues() {
		broker.Queues[q.Name] = drift.Queue{Name: q.Name, Seen: drift.Present, Type: "quorum", Args: q.Args}
	}
	report := drift.Compare(plan, broker, drift.Options{})
	for _, d := range report.Differences {
		if d.Argument == "overflow" {
			fmt.Printf("%s: %s of %s is %s, not %s, by %s\n", d.Weight, d.Argument, d.Name, d.Have, d.Want, d.Policy)
		}
	}
	fmt.Println(report.Differs())
	// Output:
	// failure: overflow of orders.error is drop-head, not none, by policy bounded
	// failure: overflow of orders is drop-head, not reject-publish, by policy bounded
	// failure: overflow of orders.retry.1m0s is drop-head, not reject-publish, by policy bounded
	// true
}
