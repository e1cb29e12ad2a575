package statsdmonitor_test

import (
	"context"
	"fmt"
	"net"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/statsdmonitor"
)

func ExampleOpen() {
	agent, err := net.ListenPacket("udp", "127.0.0.1:0") // stands for the agent
	if err != nil {
		fmt.Println(err)
		return
	}
	defer agent.Close() //nolint:errcheck // an example

	m, err := statsdmonitor.Open(agent.LocalAddr().String(), statsdmonitor.Config{},
		statsd.WithNamespace("shop."), statsd.WithoutTelemetry(), statsd.WithoutOriginDetection())
	if err != nil {
		fmt.Println(err)
		return
	}
	// connection.Config{Monitor: m} has it told what happens:
	m.Observe(context.Background(), monitoring.Held{Delivery: monitoring.Delivery{Queue: "orders"}})
	if err := m.Close(); err != nil { // last of all: it sends what is left
		fmt.Println(err)
	}

	packet := make([]byte, 1500)
	n, _, _ := agent.ReadFrom(packet)
	fmt.Printf("%s", packet[:n])
	// Output: shop.warren.held:1|c|#queue:orders
}

// With a client that the program has already, and Bunnicula's names.
func ExampleNew() {
	client, err := statsd.New("127.0.0.1:8125", statsd.WithNamespace("my-server."))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close() //nolint:errcheck // an example
	m, err := statsdmonitor.New(client, statsdmonitor.Config{Bunnicula: true})
	fmt.Println(m != nil, err)
	// Output: true <nil>
}
