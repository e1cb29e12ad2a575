package topology_test

import (
	"fmt"
	"time"

	"github.com/warren-mq/warren/topology"
)

func show(p topology.Plan) {
	for _, d := range p.Declarations() {
		switch {
		case d.Exchange != nil:
			fmt.Println(d.Exchange.Kind, "exchange", d.Exchange.Name)
		case d.Queue != nil:
			fmt.Println("queue", d.Queue.Name)
		default:
			fmt.Println(d.Binding.Exchange, "to", d.Binding.Queue)
		}
	}
}

// What consumers of Bunnicula declare for a queue, and after it what Warren
// needs besides.
func ExampleBunnicula() {
	show(topology.Bunnicula("orders", topology.Quorum, []time.Duration{time.Minute}))
	// Output:
	// fanout exchange orders-retry
	// topic exchange orders-error
	// fanout exchange orders-retry-requeue
	// queue orders
	// queue orders-retry
	// queue orders-error
	// orders-retry-requeue to orders
	// orders-error to orders-error
	// orders-retry to orders-retry
	// queue orders.retry.1m0s
}

// What workers of Kicks declare for a queue, where they have another name for
// the error queue.
func ExampleKicks() {
	show(topology.Kicks("orders", topology.Quorum, time.Minute, topology.KicksNames{Error: "failed-orders"}))
	// Output:
	// topic exchange orders-retry
	// topic exchange failed-orders
	// topic exchange orders-retry-requeue
	// queue orders
	// queue orders-retry
	// queue failed-orders
	// orders-retry to orders-retry
	// failed-orders to failed-orders
	// orders-retry-requeue to orders
}
