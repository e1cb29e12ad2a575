package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// said joins what was found, as "status check: text".
func (p *patient) said() string {
	var lines []string
	for _, f := range p.findings {
		lines = append(lines, string(f.Status)+" "+f.Check+": "+f.Says)
	}
	return strings.Join(lines, "\n")
}

func node(name, version string, partitions ...string) management.Node {
	n := management.Node{Name: name, Running: version != "", Partitions: partitions}
	if n.Running {
		n.Applications = append(n.Applications, struct{ Name, Version string }{"rabbit", version})
	}
	return n
}

func number(n int64) *int64 { return &n }

// What one node that works cannot show.
func TestDoctorFindsWhatOneNodeCannotShow(t *testing.T) {
	quorum := func(members, online int) management.Queue {
		nodes := []string{"a", "b", "c"}
		return management.Queue{Type: "quorum", Members: nodes[:members], Online: nodes[:online]}
	}
	plan := topology.Plan{Main: topology.Queue{Name: "q"}, Error: topology.Queue{Name: "q.error"}}
	members := func(nodes int, q management.Queue) func(*patient) {
		return func(p *patient) {
			p.nodes = make([]management.Node, nodes)
			p.sight = &sight{details: map[string]management.Queue{"q": q}}
			p.checkMembers(plan)
		}
	}
	held := func(n *int64) func(*patient) {
		return func(p *patient) {
			p.sight = &sight{details: map[string]management.Queue{"q": {DeadLetters: n}}}
			p.checkHeldUp(plan)
		}
	}
	flags := func(list ...management.FeatureFlag) func(*patient) {
		return func(p *patient) { p.flagList = list; p.checkFlags() }
	}
	for _, test := range []struct {
		name  string
		check func(*patient)
		want  string
	}{
		{"an unknown version", (*patient).checkVersion, "unchecked version: the broker did not say its version"},
		{"too old", func(p *patient) { p.version = "3.9.29"; p.checkVersion() }, "failure version: RabbitMQ 3.9.29 cannot expire messages"},
		{"old", func(p *patient) { p.version = "3.11.0"; p.checkVersion() }, "warning version: "},
		{"good", func(p *patient) { p.version = "3.12.0"; p.checkVersion() }, "ok version: RabbitMQ 3.12.0"},
		{"new", func(p *patient) { p.version = "5.0.0"; p.checkVersion() }, "ok version: RabbitMQ 5.0.0; it can delay retries"},

		{"three nodes", func(p *patient) {
			p.nodes = []management.Node{node("a", "4.0.5"), node("b", "4.0.5"), node("c", "4.0.5")}
			p.checkNodes()
		}, "ok nodes: 3 nodes run"},
		{"a node is down", func(p *patient) { p.nodes = []management.Node{node("a", "4.0.5"), node("b", "")}; p.checkNodes() }, "warning nodes: not running: b"},
		{"an upgrade", func(p *patient) {
			p.nodes = []management.Node{node("a", "4.0.5"), node("b", "4.1.0")}
			p.checkNodes()
		}, "warning nodes: they run different versions: 4.0.5, 4.1.0"},
		{"a partition", func(p *patient) { p.nodes = []management.Node{node("a", "4.0.5", "b")}; p.checkNodes() }, "failure nodes: the network between nodes is broken, as seen by a"},
		{"nodes not for this user", func(p *patient) { p.nodeErr = management.ErrForbidden; p.checkNodes() }, "unchecked nodes: not for this user"},

		{"flags", flags(management.FeatureFlag{Name: "stream_queue", State: "enabled"}, management.FeatureFlag{Name: "khepri_db", State: "disabled", Stability: "experimental"}), "ok feature flags: all stable ones are enabled"},
		{"a flag", flags(management.FeatureFlag{Name: "x", State: "disabled", Stability: "stable"}), "warning feature flags: not enabled: x"},
		{"stream_queue", flags(management.FeatureFlag{Name: "stream_queue", State: "disabled", Stability: "stable"}), "failure feature flags: stream_queue is disabled"},
		{"flags not for this user", func(p *patient) { p.flagErr = management.ErrForbidden; p.checkFlags() }, "unchecked feature flags: not for this user"},

		{"a disk alarm", func(p *patient) { p.alarms = []management.Alarm{{Node: "a", Resource: "disk"}}; p.checkAlarms() }, "failure alarms: a is low on disk"},
		{"alarms not for this user", func(p *patient) { p.alarmErr = management.ErrForbidden; p.checkAlarms() }, "unchecked alarms: not for this user"},

		{"all members", members(3, quorum(3, 3)), "ok quorum: all members run"},
		{"two of three", members(3, quorum(3, 2)), "warning quorum: 2 of the 3 members of q run"},
		{"one of three", members(3, quorum(3, 1)), "failure quorum: 1 of the 3 members of q run"},
		{"one of two", members(3, quorum(2, 1)), "failure quorum: 1 of the 2 members of q run"},
		{"one member", members(3, quorum(1, 1)), "warning quorum: q is on one of 3 nodes only"},
		{"one node", members(1, quorum(1, 1)), "ok quorum: all members run"},
		{"classic", members(3, management.Queue{Type: "classic"}), "ok quorum: none of the queues is a quorum queue"},

		{"few dead letters", held(number(31)), "ok held up: dead letters get through"},
		{"many dead letters", held(number(32)), "warning held up: 32 dead letters of q are on their way"},
		{"nothing counted", held(nil), "unchecked held up: the broker has not counted"},

		{"a negative limit on 3.10", func(p *patient) {
			p.version = "3.10.8"
			p.checkLimits(plan, drift.Broker{Policies: []drift.Policy{}, Queues: map[string]drift.Queue{
				"q":       {Name: "q", Seen: drift.Present, Type: "quorum", Args: map[string]any{"x-delivery-limit": -1}},
				"q.error": {Seen: drift.Missing},
			}})
		}, "failure delivery limits: q has a negative one"},
		{"a pattern that only Erlang can read", func(p *patient) {
			p.user, p.permission = "u", management.Permissions{Configure: "(?!x)", Write: ".*", Read: ".*"}
			p.checkPermissions(plan)
		}, "unchecked permissions: the pattern (?!x) can be read by Erlang only"},
		{"an empty pattern", func(p *patient) {
			p.user, p.permission = "u", management.Permissions{Configure: "", Write: ".*", Read: ".*"}
			p.checkPermissions(plan)
		}, "failure permissions: user u may not configure q.error, q"},
		{"a passive declaration", func(p *patient) {
			p.flags.options.Own, p.version = true, "4.3.6"
			p.user, p.permission = "u", management.Permissions{Configure: "error$", Write: ".*", Read: ".*"}
			p.checkPermissions(plan)
		}, "failure permissions: user u may not configure q: it is needed to see that it is there"},
		{"a passive declaration before 4.3", func(p *patient) {
			p.flags.options.Own, p.version = true, "4.0.5"
			p.user, p.permission = "u", management.Permissions{Configure: "error$", Write: ".*", Read: ".*"}
			p.checkPermissions(plan)
		}, "ok permissions: user u may do what is needed"},
		{"nothing can be seen", func(p *patient) {
			p.amqpErr, p.sightErr = errors.New("no route"), errors.New("no API")
			p.checkReach()
			p.examine(t.Context(), plan, true)
		}, "failure reachable: no route\nunchecked management: no API\nunchecked queues: no route"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &patient{flags: &doctorFlags{handlerTimeout: time.Minute}}
			test.check(p)
			if got := p.said(); !strings.HasPrefix(got, test.want) || strings.Count(got, "\n") != strings.Count(test.want, "\n") {
				t.Errorf("found\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// A command that doctor suggests is copied into a shell, and queues may be called anything.
func TestSuggestedCommandsAreQuoted(t *testing.T) {
	const name = "it's $(reboot).error"
	p := &patient{flags: &doctorFlags{}, version: "4.0.5", vhost: "/"}
	p.checkLimits(topology.Plan{Main: topology.Queue{Name: "it's $(reboot)"}, Error: topology.Queue{Name: name}}, drift.Broker{
		Policies: []drift.Policy{},
		Queues: map[string]drift.Queue{
			"it's $(reboot)": {Seen: drift.Missing},
			name:             {Name: name, Seen: drift.Present, Type: "quorum", Args: map[string]any{}},
		},
	})
	if want := `rabbitmqctl set_policy -p '/' keep '^it'\''s \$\(reboot\)\.error$' '{"delivery-limit":1000000}'`; len(p.findings) != 1 ||
		!strings.Contains(p.findings[0].Do, want) {
		t.Errorf("it says %+v, without %s", p.findings, want)
	}
}
