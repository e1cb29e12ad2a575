package errorqueue_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	entry := func(id, reason, text string, attempts int64, at time.Time, more amqp.Table) amqp.Publishing {
		h := amqp.Table{
			"warren-reason": reason, "warren-error": text, "warren-error-type": "*net.OpError", "warren-attempts": attempts,
			"warren-last-failure": at.Format(time.RFC3339Nano), "warren-fingerprint": "f-" + reason, "warren-origin-queue": "orders",
		}
		for name, v := range more {
			h[name] = v
		}
		return amqp.Publishing{MessageId: id, Type: "charge." + id, Headers: h}
	}
	errMatch := errors.New("cannot tell")
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.publish(
			entry("a", "exhausted", "Timeout of the bank", 4, noon, amqp.Table{"tenant": "acme", "n": int32(7), "vip": true, "at": noon, "raw": []byte("r")}),
			entry("b", "rejected", "no such card", 1, noon.Add(time.Hour), amqp.Table{"tenant": []any{"acme"}, "n": 7.5}),
			entry("c", "exhausted", "eof", 9, noon.Add(2*time.Hour), amqp.Table{"warren-origin-queue": "invoices", "tenant": nil}),
			amqp.Publishing{MessageId: "d", Body: []byte("no headers")},
		)
		q := k.queue(errorqueue.Config{})
		for _, test := range []struct {
			filter errorqueue.Filter
			want   string
			text   string
		}{
			{errorqueue.Filter{}, "a b c d", "all"},
			{errorqueue.Filter{IDs: []string{"c", "a"}}, "a c", "id=c,a"},
			{errorqueue.Filter{Reasons: []string{"exhausted"}, Error: "TIMEOUT"}, "a", "reason=exhausted error~TIMEOUT"},
			{errorqueue.Filter{Error: "operror"}, "a b c", "error~operror"},
			{errorqueue.Filter{Error: "no such"}, "b", `error~"no such"`},
			{errorqueue.Filter{Types: []string{"charge.b"}}, "b", "type=charge.b"},
			{errorqueue.Filter{Fingerprints: []string{"f-rejected", "x"}}, "b", "fingerprint=f-rejected,x"},
			{errorqueue.Filter{Queues: []string{"invoices"}}, "c", "queue=invoices"},
			{errorqueue.Filter{Queues: []string{""}}, "d", `queue=""`},
			{errorqueue.Filter{Since: noon.Add(time.Hour)}, "b c", "since=2026-03-01T13:00:00Z"},
			{errorqueue.Filter{Until: noon.Add(time.Hour)}, "a", "until=2026-03-01T13:00:00Z"},
			{errorqueue.Filter{Since: noon.Add(time.Nanosecond), Until: noon.Add(2 * time.Hour)}, "b", "since=2026-03-01T12:00:00.000000001Z until=2026-03-01T14:00:00Z"},
			{errorqueue.Filter{MinAttempts: 2}, "a c", "attempts>=2"},
			{errorqueue.Filter{MaxAttempts: 4}, "a b d", "attempts<=4"},
			{errorqueue.Filter{MinAttempts: 1, MaxAttempts: 4}, "a b", "attempts>=1 attempts<=4"},
			{errorqueue.Filter{Headers: map[string]string{"tenant": "acme"}}, "a", "header.tenant=acme"},
			{errorqueue.Filter{Headers: map[string]string{"tenant": "[acme]"}}, "", "header.tenant=[acme]"},
			{errorqueue.Filter{Headers: map[string]string{"tenant": ""}}, "", `header.tenant=""`},
			{errorqueue.Filter{Headers: map[string]string{"n": "7"}}, "a", "header.n=7"},
			{errorqueue.Filter{Headers: map[string]string{"n": "7.5"}}, "b", "header.n=7.5"},
			{errorqueue.Filter{Headers: map[string]string{"vip": "true", "raw": "r", "at": "2026-03-01T12:00:00Z"}}, "a", "header.at=2026-03-01T12:00:00Z header.raw=r header.vip=true"},
			{errorqueue.Filter{Match: func(e errorqueue.Entry) (bool, error) { return e.Attempts == 9, nil }, MatchText: "attempts == 9"}, "c", `match="attempts == 9"`},
			{errorqueue.Filter{IDs: []string{"d"}, Match: func(errorqueue.Entry) (bool, error) { return true, nil }}, "d", "id=d match=custom"},
		} {
			if got := strings.Join(k.list(q, test.filter), " "); got != test.want {
				t.Errorf("%s selects %q, want %q", test.filter, got, test.want)
			}
			if got := test.filter.String(); got != test.text {
				t.Errorf("%s, want %s", got, test.text)
			}
		}

		// What cannot be matched is told with its entry, and the loop goes on.
		failing := errorqueue.Filter{Match: func(e errorqueue.Entry) (bool, error) {
			if e.ID == "b" {
				return false, errMatch
			}
			return true, nil
		}}
		var seen []string
		for e, err := range q.All(t.Context(), failing) {
			if (e.ID == "b") != errors.Is(err, errMatch) {
				t.Errorf("%s: %v", e.ID, err)
			}
			seen = append(seen, e.ID)
		}
		if !slices.Equal(seen, []string{"a", "b", "c", "d"}) {
			t.Errorf("seen %v", seen)
		}
		if groups, err := q.Groups(t.Context(), failing); !errors.Is(err, errMatch) {
			t.Errorf("%v, %v", groups, err)
		}
		if ids := k.ids(); len(ids) != 4 {
			t.Errorf("left %v", ids)
		}
	})
}

// Two filters that select differently read differently.
func TestFilterTextIsUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range []errorqueue.Filter{
		{},
		{Error: "all"},
		{Reasons: []string{"a", "b"}},
		{Reasons: []string{"a,b"}},
		{Reasons: []string{"a b"}},
		{Reasons: []string{`a" error~"b`}},
		{Reasons: []string{"a"}, Error: "b"},
		{Error: "a error~b"},
		{Error: "\x1b[31m"},
		{Error: "\\x1b[31m"},
		{Headers: map[string]string{"a": "b=c"}},
		{Headers: map[string]string{"a=b": "c"}},
		{Error: "a\nb"},
		{Error: "a b"},
		{Error: "a\u00a0b"},
	} {
		s := f.String()
		if seen[s] || strings.ContainsAny(s, "\n\x1b") {
			t.Errorf("%q", s)
		}
		seen[s] = true
	}
}
