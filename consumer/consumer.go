// Package consumer runs a handler for each message of a queue and carries out
// what the handler says.
//
// A [Handler] is a function. It is given a [Message] and returns an [Outcome]:
// [Ack], [Retry], [RetryAfter], [Error] or [Defer].
//
//	func (b *Billing) Charge(ctx context.Context, m consumer.Message[Order]) consumer.Outcome {
//		switch err := b.Bank.Charge(ctx, m.Body.ID, m.Body.Cents); {
//		case err == nil:
//			return consumer.Ack()
//		case errors.Is(err, ErrDeclined):
//			return consumer.Error(err) // a person must look at it
//		default:
//			return consumer.Retry(err) // the bank is down; try again later
//		}
//	}
//
//	c, err := consumer.New(conn, "orders", billing.Charge, consumer.Config{Workers: 8})
//	err = c.Run(ctx) // until ctx ends and the running handlers are done
//
// # What becomes of a message
//
//	Ack                  done
//	Retry, RetryAfter    it waits in a retry queue, then it is delivered again;
//	                     after the last attempt: error queue, reason "exhausted"
//	Defer                the same, without using up an attempt;
//	                     after Config.MaxAge: error queue, reason "expired"
//	Error                error queue, reason "rejected"
//	timeout, panic       as Retry
//	cannot be decoded    error queue, reason "undecodable"; no handler runs;
//	                     as Retry if the error wraps codec.ErrUnavailable
//	Validate fails       error queue, reason "invalid"; no handler runs
//	kills its process    error queue, reason "crashed", after ten deliveries
//
// How it waits is Config.Waiting: see [Waiting].
//
// # What is promised
//
// A message is acknowledged only after its handler said Ack, or after the
// broker has confirmed that it has the message in a retry queue or in the error
// queue. Whatever dies in between, the message is delivered again: a handler
// may run twice for one message, and must not mind. Nothing is promised about
// order.
package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/execute"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/internal/rehearsal"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// Consumer consumes one queue. Make one with [New]. Its methods are safe for
// concurrent use.
type Consumer struct {
	conn    *connection.Connection
	queue   string
	config  Config
	choices []*means              // ways of waiting, the best first; one, but for Auto
	taken   atomic.Pointer[means] // the one that was declared last
	unfit   error                 // why Auto has only one choice
	monitor monitoring.Monitor
	number  int64              // of the consumer, for the monitor
	starter monitoring.Starter // nil if the monitor is none
	execute executor
	host    string
	process string
	ids     header.IDs

	state state
}

// executor decodes a delivery's body and runs the handler. It returns a reason
// if the body cannot be given to the handler.
type executor func(ctx context.Context, d *delivery) (Outcome, monitoring.Reason)

// New returns a Consumer of queue that runs handle for each message. It checks
// its arguments and does no I/O. T is the type of the decoded bodies.
//
// The Consumer does not own conn: close it after Run has returned.
func New[T any](conn *connection.Connection, queue string, handle Handler[T], cfg Config) (*Consumer, error) {
	c, err := newConsumer(conn, queue, cfg)
	if err == nil && handle == nil {
		err = errors.New("the handler is nil")
	}
	if err != nil {
		return nil, fmt.Errorf("consumer of %q: %w", queue, err)
	}
	fallback := cfg.Codec
	if fallback == nil {
		fallback = codec.Default[T]()
	}
	codecs, err := codec.NewSet(fallback, cfg.Codecs...)
	if err != nil {
		return nil, fmt.Errorf("consumer of %q: Config.Codecs: %w", queue, err)
	}
	decoder := execute.NewDecoder[T](codecs, cfg.MaxBody)
	c.execute = func(ctx context.Context, d *delivery) (Outcome, monitoring.Reason) {
		body, err := decoder.Decode(d.ContentType, d.ContentEncoding, d.Body)
		switch {
		case errors.Is(err, execute.ErrInvalid):
			return Outcome{kind: KindError, err: err}, monitoring.ReasonInvalid
		case errors.Is(err, codec.ErrUnavailable): // not the body's fault
			return Outcome{kind: KindRetry, err: err}, ""
		case err != nil:
			return Outcome{kind: KindError, err: err}, monitoring.ReasonUndecodable
		}
		m := newMessage[T](d)
		m.Body = body
		return handle(ctx, m), ""
	}
	return c, nil
}

// numbers counts the consumers of the program.
var numbers atomic.Int64

func newConsumer(conn *connection.Connection, queue string, cfg Config) (*Consumer, error) {
	if conn == nil {
		return nil, errors.New("the connection is nil")
	}
	checked, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	choices, unfit, err := checked.choices(queue)
	if err != nil {
		return nil, err
	}
	c := &Consumer{conn: conn, queue: queue, config: checked, choices: choices, unfit: unfit}
	c.monitor = monitoring.All(cmp.Or(cfg.Monitor, conn.Monitor()))
	c.starter, _ = c.monitor.(monitoring.Starter)
	c.number = numbers.Add(1)
	c.host, _ = os.Hostname()
	c.process = filepath.Base(os.Args[0]) + "[" + strconv.Itoa(os.Getpid()) + "]"
	c.state.init(checked.Workers)
	return c, nil
}

// Queue returns the name of the main queue.
func (c *Consumer) Queue() string { return c.queue }

// Plan returns the queues, exchanges and bindings that the consumer needs.
// The caller may change what it returns.
//
// With Auto they are those of Tiers, which every broker can do, until the
// consumer has declared its queues; and from then on those that it has declared.
func (c *Consumer) Plan() topology.Plan {
	// Anew: it is all slices and maps.
	choices, _, _ := c.config.choices(c.queue)
	for _, m := range choices {
		if m.plan.Waiting == c.present().plan.Waiting {
			return m.plan
		}
	}
	return topology.Plan{}
}

// Declare does what Config.Declare says, as Run does whenever it connects: a
// program that publishes before it consumes calls it first, so that there are
// queues to publish to. It waits for the broker until ctx ends. The error is
// that of ctx, a [*DeclareError], or [connection.ErrClosed].
func (c *Consumer) Declare(ctx context.Context) error {
	for wait := minPause; ; wait = min(2*wait, maxPause) {
		s, err := c.conn.Session(ctx, connection.Consume)
		if err == nil {
			_, err = c.prepare(ctx, s)
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil, isRefusal(err), errors.Is(err, connection.ErrClosed):
			return fmt.Errorf("consumer of %q: %w", c.queue, err)
		}
		pause(ctx, wait)
	}
}

// Run consumes until ctx ends or Stop is called, and the running handlers are
// done. The values of ctx reach the handlers; its end does not: they have
// Config.Drain to finish.
//
// Run waits for the broker for as long as it takes. It returns early only if the
// broker refuses the first declaration or subscription, with a [*DeclareError],
// or if the connection is closed by Close, with [connection.ErrClosed]. Whatever
// else fails is told to the monitor and by Health, and tried again.
//
// When it has stopped it returns nil or, if messages that it had taken are not
// settled, a [*DrainError]. Nothing of it is left running then, but for the
// handlers named there and, if the broker does not answer, what ends with the
// connection. Run can be called again.
func (c *Consumer) Run(ctx context.Context) error {
	r, err := c.state.start(ctx, c)
	if err != nil {
		return fmt.Errorf("consumer of %q: %w", c.queue, err)
	}
	if stage := rehearsal.On(ctx); stage != nil {
		err = r.rehearse(stage)
	} else {
		err = r.loop()
	}
	c.state.finish(r, err)
	return err
}

// Stop stops a running consumer as the end of Run's context does, but within
// the deadline of ctx: handlers' contexts end early enough. If the consumer is
// stopping already, that is hastened. Stop waits for Run and returns what Run
// returns; nil if the consumer does not run, and then it has no effect.
func (c *Consumer) Stop(ctx context.Context) error {
	r := c.state.current()
	if r == nil {
		return nil
	}
	r.stop(ctx)
	return r.err
}

// Pause cancels the subscription and works off what has been taken already. It
// returns nil when nothing is in work any more; the error is that of ctx, and
// the consumer goes on pausing then. A consumer that is not running starts
// paused.
func (c *Consumer) Pause(ctx context.Context) error {
	return c.switchTo(ctx, true, func(s *state) bool { return s.paused })
}

// Resume undoes Pause. It returns nil when the consumer is subscribed again, or
// is not running; the error is that of ctx, or [ErrPaused] if Pause was called
// meanwhile.
func (c *Consumer) Resume(ctx context.Context) error {
	return c.switchTo(ctx, false, func(s *state) bool { return s.subscribed })
}

// Paused tells whether the last word was Pause and not Resume, also before Run:
// the consumer starts paused then, and Ready waits for Resume. It does not tell
// whether what was taken is worked off.
func (c *Consumer) Paused() bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.pausing
}

// SetWorkers changes the number of workers to n, at least 1, for this Run and
// later ones; and Prefetch with it, if that is not set. It does not wait for
// handlers that run. It returns an error if the messages taken ahead could not
// be handled in time.
func (c *Consumer) SetWorkers(n int) error {
	if n < 1 || n > 1<<16 {
		return fmt.Errorf("consumer of %q: %d workers, not between 1 and %d", c.queue, n, 1<<16)
	}
	if _, err := c.config.prefetch(n); err != nil {
		return fmt.Errorf("consumer of %q: %w", c.queue, err)
	}
	c.state.update(func(s *state) { s.workers = n })
	return nil
}

// Ready returns a channel that is closed while the consumer is subscribed to its
// queue. When the subscription is lost, or the consumer pauses or stops, a new
// channel takes its place: ask again.
func (c *Consumer) Ready() <-chan struct{} {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return c.state.ready
}

// Health returns nil while the consumer is subscribed to its queue and settles
// what it handles. Otherwise it tells what is wrong: [ErrNotRunning],
// [ErrPaused], [ErrStuck], [ErrUnreadable], [ErrNotReady] with the reason, or a
// [*SettleError]. It does no I/O. Use it for readiness; a restart of the
// process rarely mends what it tells.
func (c *Consumer) Health() error {
	err := c.state.health(time.Now())
	if err == ErrNotReady { //nolint:errorlint // itself, without a reason: it waits for the connection
		if why := c.conn.Health(); why != nil {
			return fmt.Errorf("%w: %w", err, why)
		}
	}
	return err
}

// switchTo asks the running consumer to pause or resume, and waits until it has.
func (c *Consumer) switchTo(ctx context.Context, pausing bool, reached func(*state) bool) error {
	c.state.update(func(s *state) {
		s.pausing = pausing
		// Only the running consumer knows when it is paused. That it was once
		// does not count any more after Resume.
		s.paused = s.paused && pausing
	})
	for {
		c.state.mu.Lock()
		running, other, done := c.state.run != nil, c.state.pausing != pausing, reached(&c.state)
		changed := c.state.changed
		c.state.mu.Unlock()
		switch {
		case other && pausing:
			return fmt.Errorf("consumer of %q: resumed while pausing", c.queue)
		case other:
			return fmt.Errorf("consumer of %q: %w", c.queue, ErrPaused)
		case done || !running:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("consumer of %q: %w", c.queue, context.Cause(ctx))
		}
	}
}

func (c *Consumer) observe(ctx context.Context, e monitoring.Event) { c.monitor.Observe(ctx, e) }
