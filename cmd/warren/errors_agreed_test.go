package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// Two people look at the same entries. One of them takes a few away and the queue gets others, while the other one thinks
// about the question: what they say yes to is what they were told of.
func TestAYesIsAboutWhatWasAsked(t *testing.T) {
	t.Parallel()
	broker := rabbittest.New(t)
	conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	ch, err := conn.Channel(t.Context(), connection.Consume)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("orders.error", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(ids ...string) {
		for _, id := range ids {
			if err := broker.Queue("orders.error").Publish(rabbittest.Message{MessageID: id, Body: []byte(id)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("1", "2", "3", "4")

	a := newAgreed()
	r, err := q.Discard(t.Context(), errorqueue.Options{Filter: a.noting(errorqueue.Filter{}), DryRun: true})
	if err != nil || r.Left != 4 {
		t.Fatalf("asked about %+v, %v", r, err)
	}
	if _, err := q.Discard(t.Context(), errorqueue.Options{Limit: 2}); err != nil { // 1 and 2, by a colleague
		t.Fatal(err)
	}
	put("5", "6", "3")
	r, err = q.Discard(t.Context(), errorqueue.Options{Filter: a.only(errorqueue.Filter{}), Limit: 4})
	if err != nil || r.Done != 2 {
		t.Errorf("discarded %+v, %v", r, err)
	}
	var left []string
	for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, e.ID)
	}
	if got := strings.Join(left, " "); got != "5 6 3" {
		t.Errorf("left are %s", got)
	}
}

// What the filter cannot judge is not agreed to.
func TestAYesKeepsTheFilter(t *testing.T) {
	t.Parallel()
	unknown := errors.New("unknown")
	f := errorqueue.Filter{MatchText: "x", Match: func(e errorqueue.Entry) (bool, error) {
		if e.ID == "?" {
			return false, unknown
		}
		return e.ID == "yes", nil
	}}
	a := newAgreed()
	for _, filter := range []errorqueue.Filter{a.noting(f), a.only(f)} {
		for id, want := range map[string]bool{"yes": true, "no": false} {
			if got, err := filter.Match(errorqueue.Entry{ID: id}); got != want || err != nil {
				t.Errorf("%s: %v, %v", id, got, err)
			}
		}
		if got, err := filter.Match(errorqueue.Entry{ID: "?"}); got || !errors.Is(err, unknown) {
			t.Errorf("got %v, %v", got, err)
		}
		if filter.MatchText != "x" {
			t.Errorf("it says %q", filter.MatchText)
		}
	}
}

// A queue that could not be read is not said to be empty.
func TestSummaryOfAFailure(t *testing.T) {
	t.Parallel()
	conn, err := connection.New("amqp://localhost", connection.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	d := deed{action: "replay", past: "replayed"}
	if got := d.summary(q, errorqueue.Options{}, errorqueue.Result{}, false, errorqueue.ErrLost); got != "0 entries replayed in 0ms; all others stay." {
		t.Errorf("it says %q", got)
	}
	if got := d.summary(q, errorqueue.Options{}, errorqueue.Result{}, false, nil); got != "orders.error is empty." {
		t.Errorf("it says %q", got)
	}
}
