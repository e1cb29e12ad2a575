package topology_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
)

// full has something in every field of a plan.
func full() topology.Plan {
	p := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute, 90 * time.Second})
	args := func() map[string]any {
		return map[string]any{
			"big": int64(9007199254740993), "negative": int64(-1), "half": 0.5, "text": "", "yes": true,
			"list": []any{int64(1), "a"}, "table": map[string]any{"n": int64(2)}, "nothing": nil,
		}
	}
	p.Peers = []topology.Queue{{Name: "orders-retry", Args: args()}}
	p.Exchanges = []topology.Exchange{{Name: "events", Kind: "topic", Durable: true, AutoDelete: true, Args: args()}}
	p.Bindings = []topology.Binding{{Exchange: "events", Queue: "orders", Key: "#", Args: args()}}
	return p
}

// Numbers must be what they were: RabbitMQ takes no float for x-message-ttl.
func TestPlansSurviveJSON(t *testing.T) {
	p := full()
	fields := reflect.ValueOf(p)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("this test leaves out the field %s", fields.Type().Field(i).Name)
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back topology.Plan
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, back) {
		t.Errorf("it is\n%#v\nand was\n%#v", back, p)
	}
}

func TestReadPlans(t *testing.T) {
	one, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	p := string(one)
	for text, want := range map[string]int{
		p: 1, p + "\n" + p: 2, "[" + p + "," + p + "]": 2, " [" + p + "] " + p: 2,
	} {
		plans, err := topology.ReadPlans(strings.NewReader(text))
		if err != nil || len(plans) != want {
			t.Errorf("%d plans and the error %v, want %d", len(plans), err, want)
			continue
		}
		for _, got := range plans {
			if !reflect.DeepEqual(got, full()) {
				t.Errorf("a plan has changed: %#v", got)
			}
		}
	}
	for text, want := range map[string]string{
		"":              "there is none",
		"[]":            "there is none",
		"{":             "unexpected EOF",
		"7":             "cannot unmarshal number",
		"{}":            "queue without a name",
		`{"queues":[]}`: `unknown field "queues"`,
		p[:len(p)-1] + `,"main":{"name":"x","arguments":{"n":99999999999999999999}}}`: "does not fit in 64 bits",
		p + "]": "invalid character",
	} {
		if _, err := topology.ReadPlans(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: the error is %v, want one with %q", text, err, want)
		}
	}
}
