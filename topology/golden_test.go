package topology_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
)

var update = flag.Bool("update", false, "write testdata anew; a changed argument breaks every rolling deployment")

// What is declared is a public contract: RabbitMQ refuses a queue that is declared with other arguments than before. If
// this test fails, the change is wrong, not the file.
func TestArgumentsStayAsTheyAre(t *testing.T) {
	waits := []time.Duration{250 * time.Millisecond, time.Second, 90 * time.Second, 24 * time.Hour}
	for name, plan := range map[string]topology.Plan{
		"quorum":  topology.Tiers("orders", topology.Quorum, waits),
		"classic": topology.Tiers("orders", topology.Classic, waits),
		"native":  topology.Native("orders", 10*time.Second, time.Minute, 5),
	} {
		t.Run(name, func(t *testing.T) {
			checkGolden(t, name, render(plan))
		})
	}
}

// render prints the queues in the order of declaring.
func render(p topology.Plan) string {
	var b strings.Builder
	for _, q := range p.Queues() {
		fmt.Fprint(&b, renderQueue(q))
	}
	fmt.Fprintln(&b, "\n# when first needed")
	for _, r := range p.Rungs {
		fmt.Fprint(&b, renderQueue(r.Queue))
	}
	return b.String()
}

// renderQueue prints a queue with the type that each argument has in AMQP.
func renderQueue(q topology.Queue) string {
	var b strings.Builder
	fmt.Fprintln(&b, q.Name)
	for _, name := range slices.Sorted(maps.Keys(q.Args)) {
		switch v := q.Args[name].(type) {
		case string:
			fmt.Fprintf(&b, "  %s = S %q\n", name, v)
		case int64:
			fmt.Fprintf(&b, "  %s = l %d\n", name, v)
		default:
			fmt.Fprintf(&b, "  %s = ? %T\n", name, v)
		}
	}
	return b.String()
}

func TestPlanIsReadableAsJSON(t *testing.T) {
	b, err := json.Marshal(topology.Tiers("q", topology.Quorum, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"waiting":"tiers"`, `"error":{"name":"q.error"`, `"retry":[]`, `"rungs":[{"name":"q.retry.1s"`, `"wait":1000000000`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

func TestFindKnowsEveryQueue(t *testing.T) {
	p := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
	for _, name := range []string{"orders", "orders.error", "orders.retry.1m0s", "orders.retry.1s", "orders.retry.2h0m0s"} {
		if q, ok := p.Find(name); !ok || q.Name != name {
			t.Errorf("%s is not found", name)
		}
	}
	for _, name := range []string{"", "order", "orders.retry.2m0s"} {
		if _, ok := p.Find(name); ok {
			t.Errorf("%s is found", name)
		}
	}
	if r, ok := p.Exactly(time.Minute); !ok || r.Name != "orders.retry.1m0s" {
		t.Errorf("the queue for a minute is %q", r.Name)
	}
	if _, ok := p.Exactly(time.Second); ok {
		t.Error("a rung is taken for one of the policy's queues")
	}
}

func TestCheckName(t *testing.T) {
	waits := []time.Duration{time.Minute}
	for _, test := range []struct {
		name, queue, want string
	}{
		{"a plain one", "orders", ""},
		{"any text", "Größe/α.β-γ {1}", ""},
		{"empty", "", "no name"},
		{"reserved", "amq.orders", "reserved"},
		{"not text", "or\xffders", "not text"},
		{"as read from a file", "orders\n", "line break"},
		{"from Windows", "orders\r\n", "line break"},
		{"with a zero byte", "or\x00ders", "not text"},
		{"the longest", strings.Repeat("x", 255-len(".retry.2h0m0s")), ""},
		{"longer", strings.Repeat("x", 256-len(".retry.2h0m0s")), "has 243 bytes; at most 242 are possible"},
		{"endless", strings.Repeat("x", 1<<20), "at most 242"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := topology.CheckName(test.queue, waits)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}
	if err := topology.CheckName(strings.Repeat("x", 242), []time.Duration{1193*time.Hour + 2*time.Minute + 47*time.Second + 295*time.Millisecond}); err == nil {
		t.Error("a wait with a long name is not counted")
	}
}

// What refers to something comes after it, and nothing is left out.
func TestDeclarationsAreInOrder(t *testing.T) {
	p := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
	p.Exchanges = []topology.Exchange{{Name: "events", Kind: "topic"}, {Name: "orders-error", Kind: "topic", AutoDelete: true}}
	p.Bindings = []topology.Binding{{Exchange: "events", Queue: "orders", Key: "#"}, {Exchange: "orders-error", Queue: "orders.error"}}
	list := func() (names []string) {
		for _, d := range p.Declarations() {
			switch {
			case d.Queue != nil && d.Exchange == nil && d.Binding == nil:
				names = append(names, "queue "+d.Queue.Name)
			case d.Exchange != nil && d.Binding == nil:
				names = append(names, "exchange "+d.Exchange.Name)
			case d.Binding != nil:
				names = append(names, d.Binding.Exchange+" to "+d.Binding.Queue)
			}
		}
		return names
	}
	want := []string{
		"queue orders.error", "queue orders", "queue orders.retry.1m0s",
		"exchange events", "exchange orders-error", "events to orders", "orders-error to orders.error",
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	p.Peers = []topology.Queue{{Name: "orders-retry"}} // as the peer does it, and then ours
	want = []string{
		"exchange events", "exchange orders-error", "queue orders", "queue orders-retry", "queue orders.error",
		"events to orders", "orders-error to orders.error", "queue orders.retry.1m0s",
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("with a peer %q, want %q", got, want)
	}
	if q, ok := p.Find("orders-retry"); !ok || q.Name != "orders-retry" {
		t.Error("a peer's queue is not found")
	}
}
