package prommonitor_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/prommonitor"
)

func ExampleNew() {
	registry := prometheus.NewRegistry()
	m, err := prommonitor.New(registry, prommonitor.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// connection.Config{Monitor: m} has it told what happens:
	m.Observe(context.Background(), monitoring.ConsumerReady{Queue: "orders", Workers: 4})

	n, err := testutil.GatherAndCount(registry, "warren_workers", "warren_errored_total")
	fmt.Println(n, err)
	// Output: 7 <nil>
}
