package drift_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

func plan() topology.Plan {
	p := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
	p.Exchanges = []topology.Exchange{{Name: "events", Kind: "topic", Durable: true}}
	p.Bindings = []topology.Binding{{Exchange: "events", Queue: "orders", Key: "order.*"}}
	return p
}

// deployed is a broker that has exactly what is planned.
func deployed(p topology.Plan) drift.Broker {
	b := drift.Broker{
		Version: "4.0.5", Queues: map[string]drift.Queue{}, Exchanges: map[string]drift.Exchange{},
		Policies: []drift.Policy{}, Why: map[string]string{},
	}
	zero := int64(0)
	for _, q := range p.Queues() {
		kind, _ := q.Args["x-queue-type"].(string)
		if kind == "" {
			kind = "classic"
		}
		b.Queues[q.Name] = drift.Queue{
			Name: q.Name, Seen: drift.Present, Type: kind, Args: maps.Clone(q.Args), Messages: &zero, Bindings: []drift.Binding{},
		}
	}
	for _, r := range p.Rungs {
		b.Queues[r.Name] = drift.Queue{Name: r.Name, Seen: drift.Missing}
	}
	for _, r := range p.Retry {
		b.Retries = append(b.Retries, b.Queues[r.Name])
	}
	for _, e := range p.Exchanges {
		b.Exchanges[e.Name] = drift.Exchange{
			Name: e.Name, Seen: drift.Present, Kind: e.Kind, Durable: e.Durable, AutoDelete: e.AutoDelete, Args: e.Args, Bindings: []drift.Binding{},
		}
	}
	for _, x := range p.Bindings {
		binding := drift.Binding{Exchange: x.Exchange, Queue: x.Queue, Key: x.Key, Args: x.Args}
		e, q := b.Exchanges[x.Exchange], b.Queues[x.Queue]
		e.Bindings, q.Bindings = append(e.Bindings, binding), append(q.Bindings, binding)
		b.Exchanges[x.Exchange], b.Queues[x.Queue] = e, q
	}
	return b
}

// change edits a queue of the broker.
func change(name string, f func(*drift.Queue)) func(*drift.Broker) {
	return func(b *drift.Broker) {
		q := b.Queues[name]
		f(&q)
		b.Queues[name] = q
	}
}

func argument(queue, name string, v any) func(*drift.Broker) {
	return change(queue, func(q *drift.Queue) {
		if v == nil {
			delete(q.Args, name)
		} else {
			q.Args[name] = v
		}
	})
}

func policy(key string, v any) func(*drift.Broker) {
	return func(b *drift.Broker) {
		b.Policies = []drift.Policy{{Name: "p", Pattern: "^orders", ApplyTo: "queues", Definition: map[string]any{key: v}}}
	}
}

func both(fs ...func(*drift.Broker)) func(*drift.Broker) {
	return func(b *drift.Broker) {
		for _, f := range fs {
			f(b)
		}
	}
}

// line is a difference in short: what the tests compare.
func line(d drift.Difference) string {
	parts := []string{string(d.Weight), string(d.Kind), d.Object, d.Name}
	if d.Argument != "" {
		parts = append(parts, d.Argument+":", d.Want, "->", d.Have)
	}
	if d.Policy != "" {
		parts = append(parts, "by", d.Policy)
	}
	if d.Apply {
		parts = append(parts, "(apply)")
	}
	return strings.Join(parts, " ")
}

func TestDifferences(t *testing.T) {
	const retry = "orders.retry.1m0s"
	for _, test := range []struct {
		name    string
		change  func(*drift.Broker)
		options drift.Options
		want    []string // all of them, in order
		says    string   // in what the first of them breaks
		unseen  bool     // something could not be seen
	}{
		{name: "none", change: func(*drift.Broker) {}},
		{
			name: "numbers of other types", change: argument("orders", "x-delivery-limit", json.Number("100")),
		},
		{
			name: "the error queue is missing", change: change("orders.error", func(q *drift.Queue) { q.Seen = drift.Missing }),
			want: []string{
				"failure target queue orders (apply)",
				"warning missing queue orders.error (apply)",
			},
			says: "stays in the queue",
		},
		{
			name: "the main queue is missing", change: change("orders", func(q *drift.Queue) { q.Seen = drift.Missing }),
			want: []string{
				"failure target queue " + retry + " (apply)",
				"failure missing binding events to orders with key order.* (apply)",
				"warning missing queue orders (apply)",
			},
		},
		{
			name: "a retry queue is missing", change: change(retry, func(q *drift.Queue) { q.Seen = drift.Missing }),
			want: []string{"warning missing queue " + retry + " (apply)"}, says: "wait for 1m0s",
		},
		{
			name: "rungs are wanted", change: func(*drift.Broker) {}, options: drift.Options{Rungs: true},
			want: []string{
				"warning missing queue orders.retry.1s (apply)", "warning missing queue orders.retry.5s (apply)",
				"warning missing queue orders.retry.30s (apply)", "warning missing queue orders.retry.3m0s (apply)",
				"warning missing queue orders.retry.20m0s (apply)", "warning missing queue orders.retry.2h0m0s (apply)",
			},
		},
		{
			name: "a rung has other arguments",
			change: change("orders.retry.5s", func(q *drift.Queue) {
				q.Seen, q.Type, q.Args = drift.Present, "classic", map[string]any{"x-message-ttl": int64(5000), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"}
			}),
			want: []string{
				"failure argument queue orders.retry.5s x-queue-type: quorum -> classic",
				"failure argument queue orders.retry.5s x-dead-letter-strategy: at-least-once -> none",
				"failure argument queue orders.retry.5s x-overflow: reject-publish -> none",
			},
			says: "loses confirmed messages when the broker is killed",
		},
		{
			name: "another limit", change: argument("orders", "x-delivery-limit", int64(5)),
			want: []string{"failure argument queue orders x-delivery-limit: 100 -> 5"}, says: "406",
		},
		{
			name: "no limit on the error queue", change: argument("orders.error", "x-delivery-limit", nil),
			want: []string{"failure argument queue orders.error x-delivery-limit: 1000000 -> none"}, says: "deletes an entry",
		},
		{
			name: "no dead letters", change: both(argument("orders", "x-dead-letter-exchange", nil), argument("orders", "x-dead-letter-routing-key", nil)),
			want: []string{
				`failure argument queue orders x-dead-letter-exchange: "" -> none`,
				"failure argument queue orders x-dead-letter-routing-key: orders.error -> none",
			},
			says: "dropped without a word",
		},
		{
			name:   "dead letters into the void",
			change: both(argument("orders", "x-dead-letter-routing-key", "nowhere"), change("nowhere", func(q *drift.Queue) { q.Seen = drift.Missing })),
			want: []string{
				"failure argument queue orders x-dead-letter-routing-key: orders.error -> nowhere",
				"failure target queue orders",
			},
		},
		{
			name: "an argument that this release ignores", change: argument("orders", "x-delayed-retry-type", "failed"),
			want: []string{"note argument queue orders x-delayed-retry-type: none -> failed"}, says: "does not know",
		},
		{
			name:   "the same on one that does not",
			change: both(argument("orders", "x-delayed-retry-type", "failed"), func(b *drift.Broker) { b.Version = "4.3.6" }),
			want:   []string{"failure argument queue orders x-delayed-retry-type: none -> failed"},
		},
		{
			name:   "the same on an unknown one",
			change: both(argument("orders", "x-delayed-retry-type", "failed"), func(b *drift.Broker) { b.Version = "" }),
			want:   []string{"failure argument queue orders x-delayed-retry-type: none -> failed"},
		},
		{
			name: "a transient queue", change: change("orders", func(q *drift.Queue) { q.Transient, q.AutoDelete, q.Exclusive = true, true, true }),
			want: []string{
				"failure property queue orders durable: true -> false", "failure property queue orders auto_delete: false -> true",
				"failure property queue orders exclusive: false -> true",
			},
			says: "does not survive a restart",
		},
		{
			name: "a foreign main queue", options: drift.Options{Own: true},
			change: change("orders", func(q *drift.Queue) {
				q.Type, q.Args = "classic", map[string]any{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders.error"}
			}),
		},
		{
			name: "a foreign main queue without dead letters", options: drift.Options{Own: true},
			change: change("orders", func(q *drift.Queue) { q.Type, q.Args = "quorum", map[string]any{"x-queue-type": "quorum"} }),
			want:   []string{"warning target queue orders"}, says: "deleted without a word",
		},
		{
			name: "a foreign main queue that is missing", options: drift.Options{Own: true},
			change: change("orders", func(q *drift.Queue) { q.Seen = drift.Missing }),
			want: []string{
				"failure missing queue orders", "failure target queue " + retry + " (apply)",
				"failure missing binding events to orders with key order.* (apply)",
			},
			says: "belongs to someone else",
		},
		{
			name: "refused by the broker", unseen: true,
			change: change("orders", func(q *drift.Queue) {
				q.Args, q.Refused = nil, &drift.Refusal{Argument: "x-overflow", Ours: "reject-publish", Theirs: "none"}
			}),
			want: []string{"failure argument queue orders x-overflow: reject-publish -> none"},
		},

		{name: "message-ttl on main", change: onlyFor("orders", "message-ttl", 5000), want: []string{"warning policy queue orders message-ttl: none -> 5000 by policy p"}, says: "without having been handled"},
		{name: "message-ttl on error", change: onlyFor("orders.error", "message-ttl", 5000), want: []string{"failure policy queue orders.error message-ttl: none -> 5000 by policy p"}, says: "older than 5s are deleted"},
		{name: "message-ttl on retry", change: onlyFor(retry, "message-ttl", 5000), want: []string{"warning policy queue " + retry + " message-ttl: 60000 -> 5000 by policy p"}, says: "after 5s instead of 1m0s"},
		{name: "a longer message-ttl on retry", change: onlyFor(retry, "message-ttl", 90000)},
		{name: "max-length on main", change: onlyFor("orders", "max-length", 5), want: []string{"warning policy queue orders max-length: none -> 5 by policy p"}, says: "publishers are refused"},
		{name: "max-length on retry", change: onlyFor(retry, "max-length-bytes", 5), want: []string{"warning policy queue " + retry + " max-length-bytes: none -> 5 by policy p"}, says: "holds up the consumer"},
		{name: "max-length on error", change: onlyFor("orders.error", "max-length", 5), want: []string{"failure policy queue orders.error max-length: none -> 5 by policy p"}, says: "oldest messages are deleted"},
		{name: "overflow on main", change: onlyFor("orders", "overflow", "drop-head"), want: []string{"failure policy queue orders overflow: reject-publish -> drop-head by policy p"}, says: "falls back to at-most-once"},
		{name: "overflow on error", change: onlyFor("orders.error", "overflow", "drop-head")},
		{name: "expires on retry", change: onlyFor(retry, "expires", 60000), want: []string{"failure policy queue " + retry + " expires: none -> 60000 by policy p"}, says: "is deleted"},
		{name: "delivery-limit 5 on main", change: onlyFor("orders", "delivery-limit", 5), want: []string{"warning policy queue orders delivery-limit: 100 -> 5 by policy p"}, says: "Warren does that after 10"},
		{name: "delivery-limit 50 on main", change: onlyFor("orders", "delivery-limit", 50), want: []string{"note policy queue orders delivery-limit: 100 -> 50 by policy p"}},
		{name: "delivery-limit 500 on main", change: onlyFor("orders", "delivery-limit", 500)},
		{name: "delivery-limit on error", change: onlyFor("orders.error", "delivery-limit", 20), want: []string{"failure policy queue orders.error delivery-limit: 1000000 -> 20 by policy p"}, says: "looked at 20 times"},
		{name: "delivery-limit on retry", change: onlyFor(retry, "delivery-limit", 5)},
		{name: "dead letters of the error queue", change: onlyFor("orders.error", "dead-letter-exchange", "x"), want: []string{"note policy queue orders.error dead-letter-exchange: none -> x by policy p"}},
		{name: "dead letters of the main queue", change: onlyFor("orders", "dead-letter-exchange", "x")},
		{name: "strategy of the main queue", change: onlyFor("orders", "dead-letter-strategy", "at-most-once")},
		{name: "consumer-timeout", change: onlyFor("orders", "consumer-timeout", 60000), want: []string{"note policy queue orders consumer-timeout: none -> 60000 by policy p"}},
		{name: "delayed-retry", change: onlyFor("orders", "delayed-retry-type", "all"), want: []string{"warning policy queue orders delayed-retry-type: none -> all by policy p"}},
		{name: "what does not matter", change: onlyFor("orders", "queue-mode", "lazy")},

		{
			name: "the exchange is missing", change: func(b *drift.Broker) { b.Exchanges["events"] = drift.Exchange{Name: "events", Seen: drift.Missing} },
			want: []string{"failure missing binding events to orders with key order.* (apply)", "warning missing exchange events (apply)"},
		},
		{
			name: "another exchange",
			change: func(b *drift.Broker) {
				e := b.Exchanges["events"]
				e.Kind, e.Durable, e.AutoDelete, e.Args = "direct", false, true, map[string]any{"alternate-exchange": "x"}
				b.Exchanges["events"] = e
			},
			want: []string{
				"failure property exchange events type: topic -> direct", "failure property exchange events durable: true -> false",
				"failure property exchange events auto_delete: false -> true", "failure property exchange events alternate-exchange: none -> x",
			},
		},
		{
			name: "an exchange that the broker agrees to",
			change: func(b *drift.Broker) {
				b.Exchanges["events"] = drift.Exchange{Name: "events", Seen: drift.Present, Agreed: true}
			},
		},
		{
			name: "an exchange of which nobody knows more", unseen: true,
			change: func(b *drift.Broker) { b.Exchanges["events"] = drift.Exchange{Name: "events", Seen: drift.Present} },
		},
		{
			name:   "a binding is missing",
			change: change("orders", func(q *drift.Queue) { q.Bindings = []drift.Binding{} }),
			want:   []string{"failure missing binding events to orders with key order.* (apply)"}, says: "drops it without a word",
		},
		{
			name: "a binding too many",
			change: change("orders", func(q *drift.Queue) {
				q.Bindings = append(q.Bindings, drift.Binding{Exchange: "events", Queue: "orders", Key: "order.*", Args: map[string]any{"a": 1}})
			}),
			want: []string{"note extra binding events to orders with key order.*"},
		},

		{
			name: "an orphan, empty", change: orphan("orders.retry.7s", 0, map[string]any{}),
			want: []string{"note orphan queue orders.retry.7s"}, says: "and empty",
		},
		{
			name: "an orphan that drains", change: orphan("orders.retry.7s", 3, map[string]any{
				"x-message-ttl": 7000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders",
			}),
			want: []string{"note orphan queue orders.retry.7s"}, says: "by themselves, after 7s",
		},
		{
			name: "an orphan that does not", change: orphan("orders.retry.7s", 3, map[string]any{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"}),
			want: []string{"failure orphan queue orders.retry.7s"}, says: "do not come back",
		},
		{name: "what is no orphan", change: both(orphan("orders.retry.later", 3, nil), orphan("orders.retry.60s", 3, nil), orphan("orders.retry.1s", 0, nil))},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := deployed(plan())
			test.change(&b)
			r := drift.Compare(plan(), b, test.options)
			var got []string
			for _, d := range r.Differences {
				got = append(got, line(d))
				if d.Breaks == "" || d.Mend == "" {
					t.Errorf("%s: it does not say what it breaks, or how to mend it: %+v", line(d), d)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if test.unseen == (len(r.Unseen) == 0) {
				t.Errorf("not seen: %+v", r.Unseen)
			}
			if len(got) > 0 && !strings.Contains(r.Differences[0].Breaks, test.says) {
				t.Errorf("it says %q, without %q", r.Differences[0].Breaks, test.says)
			}
			bad := slices.ContainsFunc(got, func(s string) bool { return !strings.HasPrefix(s, "note") })
			if r.Differs() != bad {
				t.Errorf("Differs() is %v", r.Differs())
			}
		})
	}
}

// onlyFor is a policy for one queue.
func onlyFor(queue, key string, v any) func(*drift.Broker) {
	return func(b *drift.Broker) {
		policy(key, v)(b)
		b.Policies[0].Pattern = "^" + queue + "$"
	}
}

func orphan(name string, messages int64, args map[string]any) func(*drift.Broker) {
	return func(b *drift.Broker) {
		b.Retries = append(b.Retries, drift.Queue{Name: name, Seen: drift.Present, Type: "quorum", Args: args, Messages: &messages})
	}
}

// What could not be seen is said, and never taken for equal.
func TestNothingUnseenIsSilent(t *testing.T) {
	p := plan()
	r := drift.Compare(p, drift.Broker{Why: map[string]string{"queues": "no", "retries": "no"}}, drift.Options{})
	if len(r.Differences) > 0 || r.Differs() {
		t.Errorf("%+v", r.Differences)
	}
	names := map[string]bool{}
	for _, u := range r.Unseen {
		names[u.Name] = true
		if u.Why == "" || u.What == "" {
			t.Errorf("%+v", u)
		}
	}
	for _, q := range append(p.Queues(), p.Rungs[0].Queue) {
		if !names[q.Name] {
			t.Errorf("%s is passed over", q.Name)
		}
	}
	for _, name := range []string{"events"} {
		if !names[name] {
			t.Errorf("%s is passed over", name)
		}
	}

	if !slices.ContainsFunc(r.Unseen, func(u drift.Unseen) bool { return u.What == "retry queues of earlier plans" }) {
		t.Error("orphans are passed over")
	}

	b := deployed(p)
	b.Policies, b.Why["policies"] = nil, "not for you"
	change("orders", func(q *drift.Queue) { q.Args, q.Bindings = nil, nil })(&b)
	b.Why["arguments"], b.Why["bindings"] = "no API", "no API"
	var got []string
	for _, u := range drift.Compare(p, b, drift.Options{}).Unseen {
		got = append(got, u.Object+" "+u.Name+" "+u.What+": "+u.Why)
	}
	want := []string{
		"queue orders.error policies: not for you", "queue orders arguments: no API", "queue orders policies: not for you",
		"queue orders where dead letters go: no API",
		"queue orders.retry.1m0s policies: not for you", "binding events to orders with key order.* existence: no API",
	}
	if !slices.Equal(got, want) {
		t.Errorf("not seen: %q, want %q", got, want)
	}
	change("orders", func(q *drift.Queue) { q.Agreed = true })(&b)
	for _, u := range drift.Compare(p, b, drift.Options{}).Unseen {
		if u.What == "arguments" || u.What == "where dead letters go" {
			t.Errorf("the broker has agreed, and yet: %+v", u)
		}
	}
}
