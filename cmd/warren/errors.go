package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/topology"
)

func errorsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "errors",
		Short: "Look after error queues: see what failed and why, replay it, or discard it",
		Long: `Look after error queues: see what failed and why, replay it, or discard it.

QUEUE is the main queue, such as orders. orders.error is understood, too, and so is
orders-error, which is how Bunnicula and Kicks name theirs. With --error-queue QUEUE is
taken as it is.

` + helpAccess + `

Looking takes entries from the queue, and gives them back in their order. Nobody else gets
an entry while one command holds it. Whatever dies meanwhile, nothing is lost: an entry
leaves the queue only when the broker has confirmed that it is where it should be.

` + helpExitCodes,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(
		lsCommand(), showCommand(), groupsCommand(),
		replayCommand(), discardCommand(), moveCommand(), copyCommand(),
		exportCommand(), importCommand(),
	)
	return cmd
}

// queueFlags are those of every command for error queues.
type queueFlags struct {
	access     accessFlags
	management managementFlags
	form       outputFlags
	errorQueue string
	deliveries int  // limit of the error queue
	acts       bool // and does not only look
	auditLog   string
}

func (q *queueFlags) add(f *pflag.FlagSet) {
	q.form.add(f)
	f.StringVar(&q.errorQueue, "error-queue", "", "`NAME` of the error queue, if it is not QUEUE.error")
	f.IntVar(&q.deliveries, "delivery-limit", 0, "`NUMBER` of looks after which the broker deletes an entry, -1 for none (default: asked of the management API)")
	if q.acts {
		f.StringVar(&q.auditLog, "audit-log", "", "`FILE` to append a line of JSON to for each act (default $"+auditVariable+")")
	}
	q.management.add(f)
	q.access.add(f)
}

// names are the main and the error queue that are meant.
func (q *queueFlags) names(queue string) (main, errorQueue string) {
	if q.errorQueue != "" {
		return queue, q.errorQueue
	}
	for _, suffix := range []string{".error", "-error"} {
		if main, ok := strings.CutSuffix(queue, suffix); ok && main != "" {
			return main, queue
		}
	}
	return queue, ""
}

// with connects, and calls do with the queue that is meant.
func (q *queueFlags) with(cmd *cobra.Command, queue string, do func(context.Context, *errorqueue.Queue) error) (err error) {
	if main, name := q.names(queue); main == name {
		return usageError{fmt.Errorf("--error-queue is the main queue, %s", main)}
	}
	trail := &audit{}
	if q.acts {
		if trail, err = openAudit(q.auditLog); err != nil {
			return usageError{err}
		}
	}
	defer func() { err = errors.Join(err, trail.close()) }()
	conn, err := q.access.connect(cmd)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	main, name := q.names(queue)
	if name == "" {
		name = topology.ErrorQueue(main)
	}
	limit := q.deliveries
	if limit == 0 {
		if limit, err = q.limit(cmd.Context(), name); err != nil {
			return err
		}
	}
	eq, err := errorqueue.New(conn, main, errorqueue.Config{ErrorQueue: name, DeliveryLimit: limit, Monitor: trail.monitor()})
	if err != nil {
		return usageError{err}
	}
	err = do(cmd.Context(), eq)
	if errors.Is(err, errorqueue.ErrNoQueue) && q.errorQueue == "" {
		return fmt.Errorf("%w; --error-queue tells its name", err)
	}
	return err
}

// words checks the arguments that are no flags. Those after the first least may be left out.
func words(least int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least {
			return usageError{fmt.Errorf("%s is missing", names[len(args)])}
		}
		if len(args) > len(names) {
			return usageError{fmt.Errorf("%q is one word too many", args[len(names)])}
		}
		for i, arg := range args {
			if arg == "" {
				return usageError{fmt.Errorf("%s is empty", names[i])}
			}
		}
		return nil
	}
}
