package main

import (
	"github.com/spf13/cobra"

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

// completeFilters completes what flags take.
func completeFilters(cmd *cobra.Command) {
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	_ = cmd.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(reasons, cobra.ShellCompDirectiveNoFileComp))
}
