package sentrymonitor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/sentrymonitor"
)

func ExampleNew() {
	transport := &sentry.MockTransport{} // stands for Sentry
	client, err := sentry.NewClient(sentry.ClientOptions{Dsn: "https://key@sentry.invalid/1", Transport: transport})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := sentrymonitor.New(sentry.NewHub(client, sentry.NewScope()), sentrymonitor.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// connection.Config{Monitor: m} has it told what happens:
	m.Observe(context.Background(), monitoring.Errored{
		Delivery: monitoring.Delivery{Queue: "orders", MessageID: "7", Attempt: 4},
		Reason:   monitoring.ReasonExhausted, Err: errors.New("the bank is down"),
	})
	if err := m.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	for _, e := range transport.Events() {
		fmt.Println(e.Tags["warren.queue"], e.Tags["warren.reason"], e.Exception[0].Value)
	}
	// Output: orders exhausted the bank is down
}
