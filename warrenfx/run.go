package warrenfx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
)

type runParams struct {
	fx.In
	Lifecycle  fx.Lifecycle
	Shutdowner fx.Shutdowner
	Config     Config
	Logger     *slog.Logger `optional:"true"`

	// Not used here. But an application that has no consumers shall connect, too; and these come before the consumers, so
	// that they are closed after them.
	Connection *connection.Connection
	Publisher  *publisher.Publisher

	Consumers []*consumer.Consumer `group:"warren.consumers"`
}

// run has the consumers run while the application does.
func run(p runParams) error {
	if slices.Contains(p.Consumers, nil) {
		return errors.New("a constructor of a consumer has returned nil")
	}
	f := &fleet{
		consumers: p.Consumers,
		wait:      !p.Config.StartWithoutBroker,
		failed:    make(chan struct{}),
		shutDown: func(err error) {
			code := cmp.Or(p.Config.ExitCode, 1)
			logger := cmp.Or(p.Logger, slog.Default())
			logger.LogAttrs(context.Background(), slog.LevelError, "shutting down, a consumer failed",
				slog.String("error", err.Error()), slog.Int("exit_code", code))
			// The error says that someone else has shut it down and it has not noticed yet.
			_ = p.Shutdowner.Shutdown(fx.ExitCode(code))
		},
	}
	f.running, f.cancel = context.WithCancel(context.Background())
	p.Lifecycle.Append(fx.Hook{OnStart: f.start, OnStop: f.stop})
	return nil
}

// fleet are the consumers of an application.
type fleet struct {
	consumers []*consumer.Consumer
	wait      bool // start waits until all are subscribed
	shutDown  func(error)

	// running is the context of every Run. It has nothing to do with those of the hooks, which end with them.
	running context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup // of the goroutines in Run

	mu      sync.Mutex
	started bool
	failure error         // of the first that failed for good
	failed  chan struct{} // closed with it
	undone  []error       // what those said that were told to stop
}

// start returns when every consumer is subscribed, or when one has failed.
func (f *fleet) start(ctx context.Context) error {
	for _, c := range f.consumers {
		f.wg.Go(func() { f.ended(c, c.Run(f.running)) })
	}
	err := f.allReady(ctx)
	f.mu.Lock()
	if err == nil {
		err = f.failure
	}
	f.started = err == nil // from here on a failure is for shutDown
	f.mu.Unlock()
	if err != nil {
		// Fx does not stop what has not started.
		return errors.Join(err, f.halt(ctx, 1))
	}
	return nil
}

// allReady waits until all are subscribed that shall be, if start waits at all.
func (f *fleet) allReady(ctx context.Context) error {
	if !f.wait {
		return nil
	}
	ctx, cancel := starting(ctx)
	defer cancel()
	for _, c := range f.consumers {
		if c.Paused() {
			continue
		}
		if err := f.ready(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until c is subscribed.
func (f *fleet) ready(ctx context.Context, c *consumer.Consumer) error {
	select {
	case <-c.Ready():
		return nil
	case <-f.failed:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.failure
	case <-ctx.Done():
		health := c.Health()
		if health == nil || c.Paused() {
			return nil // in the last moment; or someone has paused it meanwhile
		}
		return fmt.Errorf("consumer of %q: %w: %w", c.Queue(), context.Cause(ctx), health)
	}
}

// ended notes that Run has returned.
func (f *fleet) ended(c *consumer.Consumer, err error) {
	if f.isEnd(c, err) {
		f.shutDown(f.failure)
	}
}

// isEnd tells whether it is the end of the application that Run has returned err.
func (f *fleet) isEnd(c *consumer.Consumer, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil:
		return false
	case isDrain(err):
		f.undone = append(f.undone, err)
		return false
	case f.failure != nil:
		// One has ended it all already, perhaps for the same reason. As an error of the stop, this one would take the
		// place of the exit code; the monitor has been told of it, too.
		return false
	}
	err = fmt.Errorf("consumer of %q: %w", c.Queue(), err)
	if f.running.Err() != nil {
		f.undone = append(f.undone, err)
		return false
	}
	f.failure = err
	close(f.failed)
	return f.started
}

// isDrain tells whether all that err says is that someone has stopped the consumer, and not everything was settled.
func isDrain(err error) bool {
	_, is := err.(*consumer.DrainError) //nolint:errorlint // itself: one that is joined with a reason to end is none
	return is
}

// stop is OnStop.
func (f *fleet) stop(ctx context.Context) error { return f.halt(ctx, 5) }

// halt stops all consumers side by side, so many parts before the deadline of ctx, and waits for them.
func (f *fleet) halt(ctx context.Context, parts int) error {
	ctx, cancel := leave(ctx, parts)
	defer cancel()
	// Stop has no effect on a consumer whose Run is only about to begin. That one sees the end of its context.
	f.cancel()
	for _, c := range f.consumers {
		// What it returns is what Run does: see ended.
		f.wg.Go(func() { _ = c.Stop(ctx) })
	}
	f.wg.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.undone...)
}
