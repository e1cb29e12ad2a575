package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// doctorFlags are those of warren doctor.
type doctorFlags struct {
	access          accessFlags
	management      managementFlags
	form            outputFlags
	options         drift.Options
	user            string
	handlerTimeout  time.Duration
	consumerTimeout time.Duration
}

func doctorCommand() *cobra.Command {
	var flags doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [QUEUE|FILE.json...]",
		Short: "Look for what is wrong with a broker and its queues",
		Long: `Look for what is wrong with a broker, and with the queues of consumers: named by their main queue, or by a file with the
JSON of (*consumer.Consumer).Plan(), which tells more. Without either, all main queues that have an error queue are
looked at. Nothing is changed, and no message is touched.

Each check ends as ok, warning or failure, or is unchecked, with the reason. Most need the management API.

` + helpAccess + `

Exit codes: 0 nothing is wrong as far as could be checked; 1 the check itself failed; 2 not understood; 3 a warning or a failure.`,
		Example: `  warren doctor
  warren doctor orders --handler-timeout 5m
  warren doctor --json plans/*.json`,
		Args: cobra.ArbitraryArgs,
		RunE: flags.examine,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.DurationVar(&flags.handlerTimeout, "handler-timeout", time.Minute, "how long a handler may take: Config.Timeout")
	f.DurationVar(&flags.consumerTimeout, "consumer-timeout", 0, "consumer_timeout of the broker's configuration, which no API tells (default: not known)")
	f.StringVar(&flags.user, "for-user", "", "`NAME` of the user as which consumers log in (default: that of AMQP_URL)")
	f.BoolVar(&flags.options.Own, "own", false, "for consumer.DeclareOwn: the main queue belongs to someone else")
	flags.form.add(f)
	flags.management.add(f)
	flags.access.add(f)
	return cmd
}

// status is how a check ended.
type status string

const (
	fine      status = "ok"
	warns     status = "warning"
	fails     status = "failure"
	unchecked status = "unchecked"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Queue  string `json:"queue,omitempty"` // the one it is about
	Status status `json:"status"`
	Says   string `json:"says"`
	Do     string `json:"do,omitempty"`
}

// patient is what doctor looks at: what could be seen of the broker, and why the rest could not.
type patient struct {
	flags *doctorFlags
	user  string
	vhost string

	version    string // by AMQP, or else by the management API
	amqpErr    error
	conn       *connection.Connection
	sight      *sight // nil: there is no management API
	sightErr   error
	flagList   []management.FeatureFlag
	flagErr    error
	alarms     []management.Alarm
	alarmErr   error
	nodes      []management.Node
	nodeErr    error
	permission management.Permissions
	permitErr  error

	findings []finding
}

func (p *patient) found(check, queue string, s status, says, do string) {
	p.findings = append(p.findings, finding{Check: check, Queue: queue, Status: s, Says: says, Do: do})
}

func (d *doctorFlags) examine(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	var plans []topology.Plan
	var names []string
	for _, arg := range args {
		if arg != "-" && !strings.HasSuffix(arg, ".json") {
			names = append(names, arg)
			continue
		}
		some, err := readPlans(cmd, []string{arg})
		if err != nil {
			return err
		}
		plans = append(plans, some...)
	}
	p, err := d.admit(cmd)
	if err != nil {
		return err
	}
	defer p.discharge()
	p.checkBroker()
	for _, plan := range plans {
		p.examine(ctx, plan, true)
	}
	if len(args) == 0 && p.sight != nil {
		if names, err = p.mainQueues(ctx); err != nil {
			return err
		}
	}
	for _, name := range names {
		p.examine(ctx, p.asItIs(ctx, name), false)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return p.report(d.form.of(cmd))
}

// admit connects to the broker in both ways, and asks what it can.
func (d *doctorFlags) admit(cmd *cobra.Command) (*patient, error) {
	ctx := cmd.Context()
	address, err := d.access.url(ctx)
	if err != nil {
		return nil, err
	}
	p := &patient{flags: d}
	if uri, err := amqp.ParseURI(address); err == nil {
		p.user = uri.Username
	}
	if d.user != "" {
		p.user = d.user
	}
	p.conn, p.amqpErr = d.access.connect(cmd)
	if errors.As(p.amqpErr, &usageError{}) {
		return nil, p.amqpErr
	}
	if p.amqpErr == nil {
		if s, err := p.conn.Session(ctx, connection.Publish); err == nil {
			p.version = s.Version()
		}
	}
	client, vhost, err := d.management.client(address)
	if errors.As(err, &usageError{}) {
		p.discharge()
		return nil, err
	}
	p.vhost, p.sightErr = vhost, err
	if err == nil {
		if p.sight, p.sightErr = look(ctx, client, vhost); p.sightErr != nil {
			client.Close()
		}
	}
	p.askBroker(ctx)
	return p, nil
}

// errNoManagement is why something could not be seen; why there is no management API is said by a check of its own.
var errNoManagement = errors.New("only the management API tells")

// askBroker asks about the broker as a whole.
func (p *patient) askBroker(ctx context.Context) {
	if p.sight == nil {
		p.flagErr, p.alarmErr, p.nodeErr, p.permitErr = errNoManagement, errNoManagement, errNoManagement, errNoManagement
		return
	}
	if p.version == "" {
		p.version = p.sight.broker.Version
	}
	p.flagList, p.flagErr = p.sight.FeatureFlags(ctx)
	p.alarms, p.alarmErr = p.sight.Alarms(ctx)
	p.nodes, p.nodeErr = p.sight.Nodes(ctx)
	p.permission, p.permitErr = p.sight.Permissions(ctx, p.vhost, p.user)
}

func (p *patient) discharge() {
	if p.conn != nil {
		hangUp(p.conn)
	}
	if p.sight != nil {
		p.sight.Close()
	}
}

// errorNames are how the error queues of main queues are called: ours, and those of Bunnicula and Kicks.
var errorNames = []string{".error", "-error"}

// mainQueues finds the queues that have an error queue.
func (p *patient) mainQueues(ctx context.Context) (names []string, err error) {
	for _, suffix := range errorNames {
		queues, err := p.sight.QueuesNamed(ctx, p.vhost, suffix)
		if err != nil {
			return nil, err
		}
		for _, q := range queues {
			main, ok := strings.CutSuffix(q.Name, suffix)
			if !ok || slices.Contains(names, main) {
				continue
			}
			if _, err := p.sight.Queue(ctx, p.vhost, main); err == nil {
				names = append(names, main)
			}
		}
	}
	return names, nil
}

// asItIs is a plan with the queues of a main queue, as the broker has them.
func (p *patient) asItIs(ctx context.Context, main string) topology.Plan {
	plan := topology.Plan{
		Main:  topology.Queue{Name: main},
		Error: topology.Queue{Name: topology.ErrorQueue(main)},
	}
	if p.sight == nil {
		return plan
	}
	for _, suffix := range errorNames {
		p.sight.queue(ctx, main+suffix)
		if p.sight.broker.Queues[main+suffix].Seen == drift.Present {
			plan.Error.Name = main + suffix
			break
		}
	}
	p.sight.queue(ctx, main)
	p.sight.retries(ctx, main)
	for _, q := range []*topology.Queue{&plan.Main, &plan.Error} {
		q.Args = p.sight.broker.Queues[q.Name].Args
	}
	for _, q := range p.sight.broker.Retries {
		if !drift.IsRetryQueue(main, q.Name) {
			continue
		}
		wait, _ := time.ParseDuration(strings.TrimPrefix(q.Name, main+".retry."))
		plan.Retry = append(plan.Retry, topology.Retry{Queue: topology.Queue{Name: q.Name, Args: q.Args}, Wait: wait})
	}
	return plan
}

// colours of what was found.
var statuses = map[status]colour{fine: green, warns: yellow, fails: red, unchecked: faint}

// report prints what was found, and says whether anything is wrong.
func (p *patient) report(o output) error {
	counts := map[status]int{}
	for _, f := range p.findings {
		counts[f.Status]++
	}
	if o.json {
		if err := o.value(struct {
			Version  string         `json:"version"`
			Counts   map[status]int `json:"counts"`
			Findings []finding      `json:"findings"`
		}{p.version, counts, p.findings}); err != nil {
			return err
		}
	} else if err := p.print(o, counts); err != nil {
		return err
	}
	if counts[warns]+counts[fails] > 0 {
		return leftError{}
	}
	return nil
}

func (p *patient) print(o output, counts map[status]int) error {
	out := &lines{o: o}
	about := ""
	for _, f := range p.findings {
		if f.Queue != about {
			about = f.Queue
			out.line("%s:", printable(about))
		}
		out.line("  %s  %s: %s", o.paint(statuses[f.Status], fmt.Sprintf("%-9s", f.Status)), f.Check, printable(f.Says))
		if f.Do != "" {
			out.line("             %s", printable(f.Do))
		}
	}
	out.line("")
	out.line("%d ok, %s, %s, %d unchecked", counts[fine], count(counts[warns], "warning", "warnings"),
		count(counts[fails], "failure", "failures"), counts[unchecked])
	return out.err
}
