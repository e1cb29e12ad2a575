package topology_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
)

// recorded is what RabbitMQ said was there after a peer had declared it: Bunnicula 2.2.3, Kicks 3.4.
type recorded struct {
	Queues    []recordedQueue    `json:"queues"`
	Exchanges []recordedExchange `json:"exchanges"`
	Bindings  []recordedBinding  `json:"bindings"`
}

type recordedQueue struct {
	Name       string         `json:"name"`
	Durable    bool           `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Exclusive  bool           `json:"exclusive"`
	Arguments  map[string]any `json:"arguments"`
}

type recordedExchange struct {
	Name       string         `json:"name"`
	Kind       string         `json:"type"`
	Durable    bool           `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Internal   bool           `json:"internal"`
	Arguments  map[string]any `json:"arguments"`
}

type recordedBinding struct {
	Source      string         `json:"source"`
	Destination string         `json:"destination"`
	Key         string         `json:"routing_key"`
	Arguments   map[string]any `json:"arguments"`
}

func readRecorded(t *testing.T, name string) recorded {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// declared is what a broker would say about a plan, but for Warren's own queues.
func declared(p topology.Plan) recorded {
	var r recorded
	own := map[string]bool{}
	for _, q := range p.Retry {
		own[q.Name] = true
	}
	empty := map[string]any{}
	for _, d := range p.Declarations() {
		switch {
		case d.Queue != nil && !own[d.Queue.Name]:
			args := map[string]any{}
			for k, v := range d.Queue.Args {
				args[k] = v
				if n, ok := v.(int64); ok {
					args[k] = float64(n) // as JSON has it
				}
			}
			r.Queues = append(r.Queues, recordedQueue{Name: d.Queue.Name, Durable: true, Arguments: args})
		case d.Exchange != nil:
			e := d.Exchange
			r.Exchanges = append(r.Exchanges, recordedExchange{
				Name: e.Name, Kind: e.Kind, Durable: e.Durable, AutoDelete: e.AutoDelete, Arguments: empty,
			})
		case d.Binding != nil:
			b := d.Binding
			r.Bindings = append(r.Bindings, recordedBinding{b.Exchange, b.Queue, b.Key, empty})
		}
	}
	slices.SortFunc(r.Queues, func(a, b recordedQueue) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Exchanges, func(a, b recordedExchange) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Bindings, func(a, b recordedBinding) int { return cmp.Compare(a.Source, b.Source) })
	return r
}

// What we declare is what the peers were seen to declare, object by object, and nothing else but queues of ours.
func TestPeersAreDeclaredAsRecorded(t *testing.T) {
	kicks := topology.Kicks("q.kicks", topology.Quorum, time.Second, topology.KicksNames{})
	kicks.Exchanges = append(kicks.Exchanges, topology.Exchange{Name: topology.KicksExchange, Kind: "direct", Durable: true})
	kicks.Bindings = append(kicks.Bindings, topology.Binding{Exchange: topology.KicksExchange, Queue: "q.kicks", Key: "q.kicks"})
	for name, p := range map[string]topology.Plan{
		"topology.bunnicula.json": topology.Bunnicula("q.bun", topology.Quorum, []time.Duration{time.Second}),
		"topology.kicks.json":     kicks,
	} {
		if got, want := declared(p), readRecorded(t, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: we declare\n%+v\nand was recorded\n%+v", name, got, want)
		}
	}
}

// The order, the flags and the AMQP types of what is declared are a contract, as those of Tiers are.
func TestDeclarationsOfPeersStayAsTheyAre(t *testing.T) {
	for name, p := range map[string]topology.Plan{
		"bunnicula": topology.Bunnicula("orders", topology.Quorum, []time.Duration{time.Second, time.Minute}),
		"kicks":     topology.Kicks("orders", topology.Quorum, time.Minute, topology.KicksNames{}),
		"kicks-names": topology.Kicks("orders", topology.Classic, time.Second, topology.KicksNames{
			Retry: "later", Error: "failed", Requeue: "again", RequeueKey: "orders.*",
		}),
	} {
		checkGolden(t, name, renderDeclarations(p))
	}
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed. It is:\n%s\nand was:\n%s", name, got, want)
	}
}

func renderDeclarations(p topology.Plan) string {
	var b strings.Builder
	for _, d := range p.Declarations() {
		switch {
		case d.Queue != nil:
			fmt.Fprint(&b, "queue ", renderQueue(*d.Queue))
		case d.Exchange != nil:
			fmt.Fprintf(&b, "exchange %s %s durable=%v auto-delete=%v\n", d.Exchange.Name, d.Exchange.Kind, d.Exchange.Durable, d.Exchange.AutoDelete)
		default:
			fmt.Fprintf(&b, "bind %s to %s by %q\n", d.Binding.Queue, d.Binding.Exchange, d.Binding.Key)
		}
	}
	fmt.Fprintln(&b, "\n# when first needed")
	for _, r := range p.Rungs {
		fmt.Fprint(&b, renderQueue(r.Queue))
	}
	return b.String()
}

func TestFindKnowsQueuesOfPeers(t *testing.T) {
	p := topology.Bunnicula("orders", topology.Quorum, []time.Duration{time.Minute})
	for _, name := range []string{"orders", "orders-error", "orders-retry", "orders.retry.1m0s", "orders.retry.2h0m0s"} {
		if q, ok := p.Find(name); !ok || q.Name != name {
			t.Errorf("%s is not found", name)
		}
	}
	if b, err := json.Marshal(p); err != nil || !strings.Contains(string(b), `"waiting":"bunnicula"`) {
		t.Errorf("%s %v", b, err)
	}
}

func TestCheckPeerNames(t *testing.T) {
	kicks := func(n topology.KicksNames) topology.Plan {
		return topology.Kicks("orders", topology.Quorum, time.Minute, n)
	}
	long := strings.Repeat("x", 242) // and -retry-requeue
	for _, test := range []struct {
		name string
		plan topology.Plan
		want string
	}{
		{"Bunnicula's", topology.Bunnicula("orders", topology.Quorum, nil), ""},
		{"Kicks' own", kicks(topology.KicksNames{}), ""},
		{"others", kicks(topology.KicksNames{Retry: "a", Error: "b", Requeue: "c", RequeueKey: "d"}), ""},
		{"the longest", topology.Bunnicula(long[1:], topology.Quorum, nil), ""},
		{"longer", topology.Bunnicula(long, topology.Quorum, nil), "has 256 bytes"},
		{"the main queue as error queue", kicks(topology.KicksNames{Error: "orders"}), "two queues"},
		{"one queue for both", kicks(topology.KicksNames{Error: "x", Retry: "x"}), "two queues"},
		{"one exchange for both ways", kicks(topology.KicksNames{Requeue: "x", Retry: "x"}), "two exchanges"},
		{"back by the error exchange", kicks(topology.KicksNames{Requeue: "x", Error: "x"}), "two exchanges"},
		{"Kicks' own in Requeue", kicks(topology.KicksNames{Requeue: "orders-error"}), "two exchanges"},
		{"two lines", kicks(topology.KicksNames{Requeue: "x\n"}), "line break"},
		{"reserved", kicks(topology.KicksNames{Requeue: "amq.topic"}), "reserved"},
		{"not text", kicks(topology.KicksNames{Requeue: "a\x00"}), "not text"},
		{"a long key", kicks(topology.KicksNames{RequeueKey: strings.Repeat("k", 256)}), "the key"},
	} {
		err := test.plan.CheckPeerNames()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}
