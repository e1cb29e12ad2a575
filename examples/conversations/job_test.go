package main

import (
	"context"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
)

// A handler is a function: what it says can be tested without RabbitMQ.
func TestWhatTheHandlerSays(t *testing.T) {
	all := conversations(100)
	api, base, err := startProvider(all, 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer api.close()
	im := newImporter(base, 1)
	defer im.client.CloseIdleConnections()

	handle := func(c Conversation) consumer.Outcome {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		return im.handle(ctx, consumer.Message[job]{Body: job{Account: c.Account, Conversation: c.ID}})
	}
	for _, test := range []struct {
		name  string
		index int
		want  []consumer.Kind // at the first request, the second, and so on
	}{
		{"200", 0, []consumer.Kind{consumer.KindAck}},
		{"stored already", 0, []consumer.Kind{consumer.KindAck}},
		{"401", 43, []consumer.Kind{consumer.KindError}},
		{"403 with Retry-After", 23, []consumer.Kind{consumer.KindDefer, consumer.KindAck}},
		{"403 without", 37, []consumer.Kind{consumer.KindError}},
		{"404", 3, []consumer.Kind{consumer.KindError}},
		{"500 once", 7, []consumer.Kind{consumer.KindRetry, consumer.KindAck}},
		{"500 twice", 27, []consumer.Kind{consumer.KindRetry, consumer.KindRetry, consumer.KindAck}},
		{"dropped half way", 11, []consumer.Kind{consumer.KindRetry, consumer.KindAck}},
		{"slow once", 19, []consumer.Kind{consumer.KindRetry, consumer.KindAck}},
		{"slow for ever", 31, []consumer.Kind{consumer.KindRetry, consumer.KindRetry}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, want := range test.want {
				o := handle(all[test.index])
				if o.Kind() != want {
					t.Fatalf("it said %v, want %v", o, want)
				}
				if o.Kind() == consumer.KindDefer && o.Delay() != time.Second {
					t.Errorf("deferred by %v, want what Retry-After said, 1s", o.Delay())
				}
			}
		})
	}
	if n := api.answers()["200"]; n != 6 {
		t.Errorf("the provider answered 200 %d times, want 6: what is stored need not be fetched", n)
	}
	for _, i := range []int{0, 23, 7, 27, 11, 19} {
		if got := im.store.byID[all[i].ID]; !reflect.DeepEqual(got, all[i]) {
			t.Errorf("stored %+v,\nwant %+v", got, all[i])
		}
	}
}

func TestARateLimitIsWaitedForAsTold(t *testing.T) {
	all := conversations(3)
	api, base, err := startProvider(all, 1) // that is two in two seconds
	if err != nil {
		t.Fatal(err)
	}
	defer api.close()
	im := newImporter(base, 1)
	defer im.client.CloseIdleConnections()

	var o consumer.Outcome
	for _, c := range all {
		o = im.handle(t.Context(), consumer.Message[job]{Body: job{Account: c.Account, Conversation: c.ID}})
	}
	if o.Kind() != consumer.KindDefer || o.Delay() < time.Second || o.Delay() > 2*time.Second {
		t.Errorf("the third request of two that are free: %v, want deferred by one or two seconds", o)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2024, time.June, 3, 7, 12, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"soon":                          0,
		"Mon, 03 Jun 2024 07:12:30 GMT": 30 * time.Second,
		"Mon, 03 Jun 2024 07:11:30 GMT": 0,
	} {
		if got := parseRetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
