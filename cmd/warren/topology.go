package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// topologyFlags are those of warren topology plan and apply.
type topologyFlags struct {
	access     accessFlags
	management managementFlags
	form       outputFlags
	confirm    confirmFlags // apply's
	options    drift.Options
}

func topologyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Compare the queues that consumers need with those that the broker has",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(planCommand(), applyCommand())
	return cmd
}

const helpPlans = `FILE has the JSON of (*consumer.Consumer).Plan(): one, several one after the other, or a list; - is standard input.

The management API is asked for what the broker has. Where it cannot be, AMQP alone tells which queues exist, and
whether the broker takes the planned arguments. What could not be seen is said.

`

func planCommand() *cobra.Command {
	var flags topologyFlags
	cmd := &cobra.Command{
		Use:   "plan FILE...",
		Short: "Say how the broker differs from what consumers need",
		Long: `Say how the broker differs from what consumers need: what is missing, what a consumer would be refused for, which
policies change what its queues do, where dead letters would be lost, which retry queues are left over. Nothing is changed.

` + helpPlans + helpAccess + `

Exit codes: 0 as planned, or notes only; 1 failed, or queues could not be compared; 2 not understood; 3 it differs.`,
		Example: `  go run ./cmd/billing --print-plan | warren topology plan -
  warren topology plan --json plans/*.json`,
		Args: someFiles,
		RunE: flags.plan,
	}
	flags.add(cmd)
	return cmd
}

func applyCommand() *cobra.Command {
	var flags topologyFlags
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Declare what the broker lacks",
		Long: `Declare the queues, exchanges and bindings that the broker lacks. Nothing is changed or deleted: what is there with
other arguments stays, and is listed afterwards as warren topology plan does.

` + helpPlans + helpAccess + `

Exit codes: 0 as planned now; 1 failed, or declined; 2 not understood; 3 it still differs, or would be changed (--dry-run).`,
		Example: `  warren topology apply --dry-run plan.json
  warren topology apply --yes plans/*.json`,
		Args: someFiles,
		RunE: flags.apply,
	}
	flags.add(cmd)
	flags.confirm.add(cmd.Flags())
	return cmd
}

func (t *topologyFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&t.options.Own, "own", false, "for consumer.DeclareOwn: the main queue belongs to someone else, and only has to exist")
	f.BoolVar(&t.options.Rungs, "rungs", false, "want the queues, too, that consumers declare when RetryAfter or Defer first needs them")
	t.form.add(f)
	t.management.add(f)
	t.access.add(f)
}

func someFiles(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("which plan? Name a file, or - for standard input")}
	}
	return nil
}

// readPlans reads the plans of all files.
func readPlans(cmd *cobra.Command, files []string) ([]topology.Plan, error) {
	var all []topology.Plan
	for _, name := range files {
		plans, err := readPlanFile(cmd, name)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", name, err)}
		}
		all = append(all, plans...)
	}
	return all, nil
}

func readPlanFile(cmd *cobra.Command, name string) ([]topology.Plan, error) {
	const most = 64 << 20
	if name == "-" {
		return topology.ReadPlans(io.LimitReader(cmd.InOrStdin(), most))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return topology.ReadPlans(io.LimitReader(f, most))
}

// comparison is what plan and apply print.
type comparison struct {
	// By is "management" or "amqp".
	By string `json:"by"`
	// Why says why the management API was not asked.
	Why      string         `json:"management_error,omitempty"`
	Version  string         `json:"version"`
	Declared []string       `json:"declared,omitempty"` // by apply
	Reports  []drift.Report `json:"plans"`
	Differs  bool           `json:"differs"`
}

// compare looks at the broker, and compares.
func (t *topologyFlags) compare(ctx context.Context, cmd *cobra.Command, plans []topology.Plan) (comparison, error) {
	brokers, result, err := t.see(ctx, cmd, plans)
	if err != nil {
		return result, err
	}
	for i, p := range plans {
		r := drift.Compare(p, brokers[i], t.options)
		result.Version = brokers[i].Version
		result.Reports = append(result.Reports, r)
		result.Differs = result.Differs || r.Differs()
	}
	return result, nil
}

// see looks at the broker through the management API or, where that cannot be used, asks by AMQP. What it finds is for
// each plan: by AMQP, it is the answer to what that plan declares.
func (t *topologyFlags) see(ctx context.Context, cmd *cobra.Command, plans []topology.Plan) ([]drift.Broker, comparison, error) {
	address, err := t.access.url(ctx)
	if err != nil {
		return nil, comparison{}, err
	}
	client, vhost, err := t.management.client(address)
	if err == nil {
		defer client.Close()
		var s *sight
		if s, err = look(ctx, client, vhost); err == nil {
			for _, p := range plans {
				s.plan(ctx, p)
			}
			return slices.Repeat([]drift.Broker{s.broker}, len(plans)), comparison{By: "management"}, ctx.Err()
		}
	}
	if errors.As(err, &usageError{}) || ctx.Err() != nil || t.management.required() {
		return nil, comparison{}, err
	}
	result := comparison{By: "amqp", Why: err.Error()}
	conn, err := t.access.connect(cmd)
	if err != nil {
		return nil, result, err
	}
	defer hangUp(conn)
	session, err := conn.Session(ctx, connection.Consume)
	if err != nil {
		return nil, result, err
	}
	brokers := make([]drift.Broker, len(plans))
	for i, p := range plans {
		brokers[i] = drift.Broker{
			Version: session.Version(),
			Queues:  map[string]drift.Queue{}, Exchanges: map[string]drift.Exchange{}, Why: map[string]string{},
		}
		if err := askPlan(ctx, conn, p, t.options.Own, &brokers[i]); err != nil {
			return nil, result, err
		}
	}
	return brokers, result, nil
}

// errUncompared is that the most important could not be seen.
var errUncompared = errors.New("some queues or exchanges could not be compared")

// end is how the command ends after its comparison has been printed.
func (c *comparison) end() error {
	if c.Differs {
		return leftError{}
	}
	for _, r := range c.Reports {
		if slices.ContainsFunc(r.Unseen, func(u drift.Unseen) bool {
			return u.What == "existence" && u.Object != "binding" || u.What == "arguments"
		}) {
			return errUncompared
		}
	}
	return nil
}

func (t *topologyFlags) plan(cmd *cobra.Command, files []string) error {
	plans, err := readPlans(cmd, files)
	if err != nil {
		return err
	}
	result, err := t.compare(cmd.Context(), cmd, plans)
	if err != nil {
		return err
	}
	if err := result.print(t.form.of(cmd)); err != nil {
		return err
	}
	return result.end()
}

func (t *topologyFlags) apply(cmd *cobra.Command, files []string) error {
	if err := t.confirm.check(); err != nil {
		return err
	}
	plans, err := readPlans(cmd, files)
	if err != nil {
		return err
	}
	before, err := t.compare(cmd.Context(), cmd, plans)
	if err != nil {
		return err
	}
	o := t.form.of(cmd)
	missing := t.missing(plans, before)
	if len(missing) == 0 || t.confirm.dryRun {
		if err := before.printBefore(o, missing); err != nil || len(missing) == 0 {
			return errors.Join(err, before.end())
		}
		return leftError{}
	}
	question := []string{count(len(missing), "object", "objects") + " will be declared:"}
	for _, d := range missing {
		question = append(question, "  "+printable(nameOf(d)))
	}
	if err := t.confirm.confirm(cmd, strings.Join(question, "\n")); err != nil {
		return err
	}
	declared, err := t.declare(cmd, missing)
	if err != nil {
		return err
	}
	after, err := t.compare(cmd.Context(), cmd, plans)
	if err != nil {
		return err
	}
	after.Declared = declared
	if err := after.print(o); err != nil {
		return err
	}
	return after.end()
}

// missing lists what is to be declared, in order. A binding that could not be seen is among it: to bind again changes
// nothing.
func (t *topologyFlags) missing(plans []topology.Plan, c comparison) []topology.Declaration {
	var all []topology.Declaration
	var names []string
	for i, p := range plans {
		r := c.Reports[i]
		wanted := p.Declarations()
		if t.options.Rungs {
			for _, q := range rungsOf(p) {
				wanted = append(wanted, topology.Declaration{Queue: &q})
			}
		}
		for _, d := range wanted {
			lacks := slices.ContainsFunc(r.Differences, func(x drift.Difference) bool {
				return x.Kind == drift.KindMissing && x.Apply && x.Object+" "+x.Name == nameOf(d)
			})
			unseen := slices.ContainsFunc(r.Unseen, func(x drift.Unseen) bool {
				return x.Object == "binding" && x.Object+" "+x.Name == nameOf(d)
			})
			if (lacks || unseen) && !slices.Contains(names, nameOf(d)) {
				all, names = append(all, d), append(names, nameOf(d))
			}
		}
	}
	return all
}

// nameOf is what drift calls it.
func nameOf(d topology.Declaration) string {
	switch {
	case d.Queue != nil:
		return "queue " + d.Queue.Name
	case d.Exchange != nil:
		return "exchange " + d.Exchange.Name
	default:
		return "binding " + drift.BindingName(*d.Binding)
	}
}

// declare declares these, and returns what it has declared.
func (t *topologyFlags) declare(cmd *cobra.Command, missing []topology.Declaration) (done []string, err error) {
	conn, err := t.access.connect(cmd)
	if err != nil {
		return nil, err
	}
	defer hangUp(conn)
	for _, d := range missing {
		said, err := askBroker(cmd.Context(), conn, func(ch *amqp.Channel) error {
			switch {
			case d.Queue != nil:
				_, err := ch.QueueDeclare(d.Queue.Name, true, false, false, false, d.Queue.Args)
				return err
			case d.Exchange != nil:
				return ch.ExchangeDeclare(d.Exchange.Name, d.Exchange.Kind, d.Exchange.Durable, d.Exchange.AutoDelete, false, false, d.Exchange.Args)
			default:
				return ch.QueueBind(d.Binding.Queue, d.Binding.Key, d.Binding.Exchange, false, d.Binding.Args)
			}
		})
		if err == nil && said != nil {
			err = said
		}
		if err != nil {
			return done, fmt.Errorf("declare %s: %w; %s declared before it, and stay", nameOf(d), err, count(len(done), "object was", "objects were"))
		}
		done = append(done, nameOf(d))
	}
	return done, nil
}
