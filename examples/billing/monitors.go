package main

import (
	"log/slog"
	"os"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/getsentry/sentry-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/warren-mq/warren/monitoring/sentrymonitor"
	"github.com/warren-mq/warren/monitoring/statsdmonitor"
	"github.com/warren-mq/warren/warrenfx"
)

// observed is all that watches: the log, StatsD and Sentry where there are any, and the books.
var observed = fx.Options(
	fx.Provide(
		newLogger, newStatsD, newSentry, newLedger,
		warrenfx.AsMonitor(newStatsDMonitor),
		warrenfx.AsMonitor(newSentryMonitor),
		warrenfx.AsMonitor(func(l *ledger) *ledger { return l }),
	),
	fx.WithLogger(newFxLogger),
)

// newLogger is what the module logs to. What is a matter of routine is left out, unless it is asked for.
func newLogger(s Settings) *slog.Logger {
	level := slog.LevelError
	if s.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func newFxLogger(l *slog.Logger) fxevent.Logger {
	events := &fxevent.SlogLogger{Logger: l}
	events.UseLogLevel(slog.LevelDebug)
	return events
}

// newStatsD is the application's client: what is not about messages can be counted with it, too. Nil if there is none.
func newStatsD(lc fx.Lifecycle, s Settings) (statsd.ClientInterface, error) {
	if s.StatsD == "" {
		return nil, nil
	}
	client, err := statsd.New(s.StatsD, statsd.WithExtendedClientSideAggregation())
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StopHook(client.Close)) // after the monitor, which was made with it
	return client, nil
}

// newStatsDMonitor returns nil if there is no client, and then there is no such monitor.
func newStatsDMonitor(client statsd.ClientInterface) (*statsdmonitor.Monitor, error) {
	if client == nil {
		return nil, nil
	}
	return statsdmonitor.New(client, statsdmonitor.Config{}) // with Bunnicula: true, under Bunnicula's names
}

// newSentry is the application's hub. Nil if there is none.
func newSentry(lc fx.Lifecycle, s Settings) (*sentry.Hub, error) {
	if s.Sentry == "" {
		return nil, nil
	}
	client, err := sentry.NewClient(sentry.ClientOptions{Dsn: s.Sentry})
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StopHook(client.Close)) // after the monitor has sent what is left
	return sentry.NewHub(client, sentry.NewScope()), nil
}

// newSentryMonitor returns nil if there is no hub.
func newSentryMonitor(hub *sentry.Hub) (*sentrymonitor.Monitor, error) {
	if hub == nil {
		return nil, nil
	}
	return sentrymonitor.New(hub, sentrymonitor.Config{})
}
