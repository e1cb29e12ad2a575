package drift_test

import (
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

func TestWhichPolicyHolds(t *testing.T) {
	define := func(v any) map[string]any { return map[string]any{"max-length": v} }
	for _, test := range []struct {
		name     string
		policies []drift.Policy
		want     any
		by       string
		fails    bool
	}{
		{name: "none", policies: nil},
		{name: "the highest", want: 2, by: "policy b", policies: []drift.Policy{
			{Name: "a", Pattern: "q", Priority: 1, Definition: define(1)}, {Name: "b", Pattern: "q", Priority: 2, Definition: define(2)},
		}},
		{name: "only one that matches", want: 1, by: "policy a", policies: []drift.Policy{
			{Name: "a", Pattern: "", Priority: 1, Definition: define(1)}, {Name: "b", Pattern: "^x", Priority: 2, Definition: define(2)},
		}},
		{name: "only one for such a queue", want: 1, by: "policy a", policies: []drift.Policy{
			{Name: "a", Pattern: "q", ApplyTo: "quorum_queues", Definition: define(1)},
			{Name: "b", Pattern: "q", Priority: 2, ApplyTo: "classic_queues", Definition: define(2)},
			{Name: "c", Pattern: "q", Priority: 2, ApplyTo: "exchanges", Definition: define(3)},
			{Name: "d", Pattern: "q", Priority: 2, ApplyTo: "streams", Definition: define(4)},
		}},
		{name: "the operator's is stricter", want: 1, by: "operator policy b", policies: []drift.Policy{
			{Name: "a", Pattern: "q", Definition: define(2)}, {Name: "b", Operator: true, Pattern: "q", Definition: define(1)},
		}},
		{name: "the operator's is not", want: 2, by: "policy a", policies: []drift.Policy{
			{Name: "a", Pattern: "q", Definition: define(2)}, {Name: "b", Operator: true, Pattern: "q", Definition: define(3)},
		}},
		{name: "texts", want: "x", by: "operator policy b", policies: []drift.Policy{
			{Name: "a", Pattern: "q", Definition: define("y")}, {Name: "b", Operator: true, Pattern: "q", Definition: define("x")},
		}},
		{name: "a tie", fails: true, policies: []drift.Policy{
			{Name: "a", Pattern: "q", Definition: define(2)}, {Name: "b", Pattern: "q", Definition: define(1)},
		}},
		{name: "a tie that does not matter", want: 2, by: "policy a", policies: []drift.Policy{
			{Name: "a", Pattern: "q", Definition: define(2)}, {Name: "b", Pattern: "q", Definition: define(2)},
		}},
		{name: "a pattern for Erlang only", fails: true, policies: []drift.Policy{{Name: "a", Pattern: "(?!x)q", Definition: define(2)}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, by, err := drift.Effective("q", "quorum", test.policies)
			if (err != nil) != test.fails || got["max-length"] != test.want || by["max-length"] != test.by {
				t.Errorf("%v by %v, %v", got, by, err)
			}
		})
	}
}

func TestWhatHolds(t *testing.T) {
	for _, test := range []struct {
		kind, key         string
		arg, policy, want any
	}{
		{"quorum", "message-ttl", 5, 7, int64(5)},
		{"classic", "expires", 7, 5, int64(5)},
		{"quorum", "delivery-limit", 7, -1, int64(7)},
		{"quorum", "delivery-limit", -1, -2, int64(-1)},
		{"quorum", "overflow", "reject-publish", "drop-head", "drop-head"},
		{"classic", "overflow", "reject-publish", "drop-head", "reject-publish"},
		{"quorum", "dead-letter-exchange", "", "x", ""},
		{"quorum", "delayed-retry-type", "failed", "all", "all"},
		{"quorum", "max-length", nil, 3, 3},
		{"quorum", "max-length", 3, nil, 3},
		{"quorum", "max-length", nil, nil, nil},
	} {
		args, definition := map[string]any{}, map[string]any{}
		if test.arg != nil {
			args["x-"+test.key] = test.arg
		}
		if test.policy != nil {
			definition[test.key] = test.policy
		}
		b := drift.Broker{
			Queues:   map[string]drift.Queue{"q": {Name: "q", Seen: drift.Present, Type: test.kind, Args: args}},
			Policies: []drift.Policy{{Name: "p", Pattern: "q", Definition: definition}},
		}
		value, known := b.Settings("q")
		if got := value(test.key); !known || got != test.want {
			t.Errorf("%+v: %v (%T), %v", test, got, got, known)
		}
	}
	if _, known := (drift.Broker{}).Settings("q"); known {
		t.Error("a queue that nobody has seen is known")
	}
}

// Where policies cannot be read, the statistics of the queue stand in.
func TestStatisticsStandIn(t *testing.T) {
	p := plan()
	b := deployed(p)
	b.Policies = nil
	for name, q := range b.Queues {
		q.Effective = map[string]any{"expires": 5000}
		b.Queues[name] = q
	}
	r := drift.Compare(p, b, drift.Options{})
	if len(r.Unseen) > 0 || len(r.Differences) != 3 || r.Differences[0].Policy != "a policy" {
		t.Errorf("%+v", r)
	}
}

func TestPeersPlansAreAsPlanned(t *testing.T) {
	for _, p := range []topology.Plan{
		topology.Bunnicula("q", topology.Quorum, []time.Duration{time.Minute}),
		topology.Kicks("q", topology.Quorum, time.Minute, topology.KicksNames{}),
	} {
		if r := drift.Compare(p, deployed(p), drift.Options{}); len(r.Differences)+len(r.Unseen) > 0 {
			t.Errorf("%s: %+v", p.Waiting, r)
		}
		// Declared where queues are quorum queues unless they say otherwise.
		b := deployed(p)
		b.DefaultQueueType = "quorum"
		r := drift.Compare(p, b, drift.Options{})
		if !r.Differs() || r.Differences[0].Argument != "x-queue-type" || r.Differences[0].Want != "quorum (the default of the virtual host)" {
			t.Errorf("%s: %+v", p.Waiting, r)
		}
		// The exchange that takes its dead letters is gone.
		b = deployed(p)
		name := p.Peers[0].Args["x-dead-letter-exchange"].(string)
		b.Exchanges[name] = drift.Exchange{Name: name, Seen: drift.Missing}
		r = drift.Compare(p, b, drift.Options{})
		if !r.Differs() || line(r.Differences[0]) != "failure target queue q-retry (apply)" {
			t.Errorf("%s: %+v", p.Waiting, r.Differences)
		}
	}
}

// RabbitMQ 4.0 takes the arguments of 4.3 without a word, and then what is
// rejected comes back at once, until it is gone.
func TestNativeNeedsARecentBroker(t *testing.T) {
	p := topology.Native("q", time.Second, time.Minute, 5)
	for version, want := range map[string]int{"3.10.8": 3, "4.0.5": 3, "4.2.9": 3, "4.3.0": 0, "4.10.0": 0, "5.0.0": 0, "": 0} {
		for _, there := range []bool{true, false} {
			b := deployed(p)
			b.Version = version
			if !there {
				b.Queues["q"] = drift.Queue{Name: "q", Seen: drift.Missing}
			}
			found := 0
			for _, d := range drift.Compare(p, b, drift.Options{}).Differences {
				if d.Kind == drift.KindMissing && d.Name == "q" && d.Apply != (want == 0) {
					t.Errorf("%s: it would be declared: %v", version, d.Apply)
				}
				if d.Kind == drift.KindArgument {
					found++
					if d.Weight != drift.Failure || d.Have != "unknown to RabbitMQ "+version {
						t.Errorf("%s: %+v", version, d)
					}
				}
			}
			if found != want {
				t.Errorf("%q, there: %v: %d differences, want %d", version, there, found, want)
			}
		}
	}
}

func TestIsRetryQueue(t *testing.T) {
	for name, want := range map[string]bool{
		"q.retry.1m0s": true, "q.retry.250ms": true, "q.retry.60s": false, "q.retry.": false, "q.retry": false,
		"q": false, "q.x.retry.1s": false, "q.retry.1s.retry.1s": false,
	} {
		if drift.IsRetryQueue("q", name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
