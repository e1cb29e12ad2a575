// Package drift compares what consumers need with what a broker has. It does no
// I/O: who asks the broker fills in a [Broker], and [Compare] lists what
// differs, what each difference breaks, and how to mend it.
//
// RabbitMQ refuses a queue that is declared with other arguments than it has
// (406), drops what is not bound without a word, and lets a policy change what
// arguments say. The command line `warren topology plan` shows all of it before
// a consumer is deployed.
package drift

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/topology"
)

// Seen says what is known about something.
type Seen int

const (
	// Unknown has not been looked at, or could not be seen.
	Unknown Seen = iota
	// Missing does not exist.
	Missing
	// Present exists.
	Present
)

// Broker is what is known of a broker, or of one virtual host of it. What is
// left out is unknown, and reported as such.
type Broker struct {
	// Version is such as "4.0.5". Empty means unknown.
	Version string
	// DefaultQueueType is what a queue becomes that is declared without
	// x-queue-type. Empty means classic.
	DefaultQueueType string
	// Queues, by name: those of the plan, and those that their dead letters go to.
	Queues map[string]Queue
	// Exchanges, by name. The default exchange need not be among them.
	Exchanges map[string]Exchange
	// Retries are queues whose names begin like those of the plan's retry
	// queues.
	Retries []Queue
	// Policies are all that may apply. Nil means unknown; empty means none.
	Policies []Policy
	// Why says why something could not be seen, by kind: "queues", "policies",
	// "exchanges", "bindings", "arguments", "retries".
	Why map[string]string
}

// Queue is a queue as the broker has it.
type Queue struct {
	Name string
	Seen Seen
	// Type is quorum, classic or stream. Empty means unknown.
	Type string
	// Transient, AutoDelete and Exclusive queues go by themselves.
	Transient, AutoDelete, Exclusive bool
	// Args are its arguments. Nil means unknown.
	Args map[string]any
	// Refused is what the broker said to a declaration like the plan's. It
	// stands in for Args where those are unknown.
	Refused *Refusal
	// Agreed says that the broker has accepted a declaration like the plan's.
	Agreed bool
	// Effective is what the broker's statistics say that policies define for
	// it. It is used where Policies are unknown.
	Effective map[string]any
	// Messages is how many it holds. Nil means unknown.
	Messages *int64
	// Bindings are those of the queue, without that to the default exchange.
	// Nil means unknown.
	Bindings []Binding
}

// Refusal is the broker's answer to a declaration that differs from what it
// has. It names one argument, though more may differ.
type Refusal struct {
	Argument     string // empty if it did not say
	Ours, Theirs string
	Text         string
}

// Exchange is an exchange as the broker has it.
type Exchange struct {
	Name       string
	Seen       Seen
	Kind       string
	Durable    bool
	AutoDelete bool
	Args       map[string]any
	// Refused and Agreed are as those of Queue. They stand in for Kind, and what
	// follows it, where that is empty.
	Refused *Refusal
	Agreed  bool
	// Bindings are what is bound to it. Nil means unknown.
	Bindings []Binding
}

// Binding binds a queue, or another exchange, to an exchange.
type Binding struct {
	Exchange   string
	Queue      string // empty: it binds an exchange
	ToExchange string
	Key        string
	Args       map[string]any
}

// Kind is a kind of difference.
type Kind string

// The kinds of differences.
const (
	KindMissing  Kind = "missing"  // the broker does not have it
	KindArgument Kind = "argument" // the broker has it, with another argument
	KindProperty Kind = "property" // another type, durability and the like
	KindPolicy   Kind = "policy"   // a policy changes what the arguments say
	KindTarget   Kind = "target"   // its dead letters go nowhere
	KindOrphan   Kind = "orphan"   // a retry queue that the plan does not have
	KindExtra    Kind = "extra"    // a binding that the plan does not have
)

// Weight says how bad a difference is.
type Weight string

// The weights.
const (
	// Failure refuses consumers, or loses messages.
	Failure Weight = "failure"
	// Warning is to be mended, and does not lose messages.
	Warning Weight = "warning"
	// Note is worth knowing. It is no reason to stop a deployment.
	Note Weight = "note"
)

// Difference is one thing that is not as planned.
type Difference struct {
	Kind   Kind   `json:"kind"`
	Weight Weight `json:"weight"`
	// Object is "queue", "exchange" or "binding", and Name which.
	Object string `json:"object"`
	Name   string `json:"name"`
	// Argument is the argument, or the policy's key.
	Argument string `json:"argument,omitempty"`
	// Policy names the policy or policies that define it.
	Policy string `json:"policy,omitempty"`
	// Want is what is planned, and Have what the broker has, both as text;
	// "none" if it is not set.
	Want string `json:"want,omitempty"`
	Have string `json:"have,omitempty"`
	// Breaks says what goes wrong, and Mend what to do.
	Breaks string `json:"breaks"`
	Mend   string `json:"mend"`
	// Apply says that declaring what is missing mends it.
	Apply bool `json:"apply"`
}

// Unseen is something that could not be compared.
type Unseen struct {
	Object string `json:"object"`
	Name   string `json:"name"`
	What   string `json:"what"` // existence, arguments, policies, ...
	Why    string `json:"why"`
}

// Report is the result for one plan.
type Report struct {
	Queue       string       `json:"queue"` // the main queue
	Differences []Difference `json:"differences"`
	Unseen      []Unseen     `json:"unseen"`
}

// Differs says whether there is more than notes.
func (r Report) Differs() bool {
	return slices.ContainsFunc(r.Differences, func(d Difference) bool { return d.Weight != Note })
}

// Options change what is compared. The zero value is right for consumers that
// declare everything.
type Options struct {
	// Own is for consumer.DeclareOwn: the main queue belongs to someone else,
	// and only has to exist.
	Own bool
	// Rungs also wants the queues that are otherwise declared when they are
	// first needed.
	Rungs bool
}

// role is what a queue is for.
type role int

const (
	mainQueue role = iota
	errorQueue
	retryQueue
	peerQueue
)

// planned is a queue of the plan.
type planned struct {
	topology.Queue
	role     role
	optional bool // it need not exist yet
	foreign  bool // its arguments are not ours
}

// comparison is the state of Compare.
type comparison struct {
	plan    topology.Plan
	broker  Broker
	options Options
	report  Report
}

// Compare compares a plan with what the broker has.
func Compare(p topology.Plan, b Broker, o Options) Report {
	c := &comparison{plan: p, broker: b, options: o, report: Report{
		Queue: p.Main.Name, Differences: []Difference{}, Unseen: []Unseen{},
	}}
	for _, q := range c.queues() {
		c.queue(q)
	}
	for _, e := range p.Exchanges {
		c.exchange(e)
	}
	for _, binding := range p.Bindings {
		c.binding(binding)
	}
	c.extraBindings()
	c.orphans()
	slices.SortStableFunc(c.report.Differences, func(x, y Difference) int {
		return cmp.Compare(x.Weight.rank(), y.Weight.rank())
	})
	return c.report
}

func (w Weight) rank() int {
	return slices.Index([]Weight{Failure, Warning, Note}, w)
}

// queues returns the plan's queues with what each is for.
func (c *comparison) queues() []planned {
	p := c.plan
	all := []planned{
		{Queue: p.Error, role: errorQueue},
		{Queue: p.Main, role: mainQueue, foreign: c.options.Own},
	}
	for _, r := range p.Retry {
		all = append(all, planned{Queue: r.Queue, role: retryQueue})
	}
	for _, q := range p.Peers {
		all = append(all, planned{Queue: q, role: peerQueue})
	}
	for _, r := range p.Rungs {
		all = append(all, planned{Queue: r.Queue, role: retryQueue, optional: !c.options.Rungs})
	}
	return all
}

func (c *comparison) differs(d Difference) {
	c.report.Differences = append(c.report.Differences, d)
}

func (c *comparison) unseen(object, name, what, kind string) {
	why := c.broker.Why[kind]
	if why == "" {
		why = "nobody looked"
	}
	u := Unseen{Object: object, Name: name, What: what, Why: why}
	if !slices.Contains(c.report.Unseen, u) {
		c.report.Unseen = append(c.report.Unseen, u)
	}
}
