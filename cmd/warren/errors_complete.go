package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/monitoring"
)

// reasons are those of Warren and of the broker.
var reasons = []cobra.Completion{
	cobra.CompletionWithDesc(string(monitoring.ReasonExhausted), "all attempts failed"),
	cobra.CompletionWithDesc(string(monitoring.ReasonRejected), "the handler gave it up, or a consumer rejected it"),
	cobra.CompletionWithDesc(string(monitoring.ReasonUndecodable), "the body could not be decoded"),
	cobra.CompletionWithDesc(string(monitoring.ReasonInvalid), "what it says is not valid"),
	cobra.CompletionWithDesc(string(monitoring.ReasonCrashed), "consumers died of it"),
	cobra.CompletionWithDesc(string(monitoring.ReasonExpired), "it was deferred for too long, or its time to live was over"),
	cobra.CompletionWithDesc("delivery_limit", "the broker gave it up after too many deliveries"),
	cobra.CompletionWithDesc("maxlen", "there was no room for it"),
}

// patience is how long a shell waits for a completion from the broker.
const patience = 1500 * time.Millisecond

// completeFilters completes what flags take: reasons, and fingerprints as the broker has them, if it answers soon.
func completeFilters(cmd *cobra.Command, q *queueFlags) {
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	_ = cmd.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(reasons, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("fingerprint", func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return q.fingerprints(cmd, args), cobra.ShellCompDirectiveNoFileComp
	})
}

// fingerprints are those in the queue. A shell that completes must not ask for a password.
func (q *queueFlags) fingerprints(cmd *cobra.Command, args []string) (found []cobra.Completion) {
	if len(args) == 0 || os.Getenv(urlVariable) == "" || q.access.host != "" || q.access.user != "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	cmd.SetContext(ctx)
	_ = q.with(cmd, args[0], func(ctx context.Context, eq *errorqueue.Queue) error {
		groups, err := eq.Groups(ctx, errorqueue.Filter{})
		for _, g := range groups {
			found = append(found, cobra.CompletionWithDesc(g.Fingerprint, printable(cut(g.Error, 60))))
		}
		return err
	})
	return found
}
