// Package publisher sends values and waits for the broker's word.
//
//	p, err := publisher.New(conn, publisher.Config{})
//	if err != nil {
//		return err
//	}
//	defer p.Close(context.Background())
//
//	err = p.Publish(ctx, "orders", Order{ID: "7", Cents: 1200})
//
// A nil error means that the broker has the message, in every queue that it was
// routed to, and on disk where the queue is durable. That is so because every
// message is persistent, mandatory (the broker returns what no queue takes) and
// confirmed.
//
// [Publisher.Publish] is for a body and a queue, [Publisher.Send] for all that
// a message may have, [All] for many bodies at once.
//
// # What an error means for the message
//
// Every error of these is an [*Error], which has the id of the message, and one
// of these, by errors.Is:
//
//	              broker has it   publish it again?
//	ErrUnknown    perhaps         yes, with the same id; see below
//	ErrRefused    no              yes, later; see there
//	ErrBlocked    no              yes, later
//	ErrUnroutable no              once there is a queue
//	ErrClosed     no              with another Publisher
//	ErrTooLarge   no              never as it is
//	ErrEncode     no              never as it is
//	none of them  no              yes; the context ended before it was sent
//
// [ErrUnknown] cannot be avoided: a connection can die after the message has
// left and before the confirm has come. Publish it again with the id that it
// had (Error.ID, as Message.ID), so that a consumer that has seen it can know
// it. Consumers must bear to see a message twice in any case.
package publisher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// AppID is the app id property of messages that have none of their own. At
	// most 255 bytes. Empty means the name of the program.
	AppID string

	// Codec encodes the bodies, and gives the content type. Nil means, for each
	// body by its type, what codec.Default means: []byte goes as it is, all
	// else as JSON. It is used by many goroutines at once.
	Codec codec.Codec

	// MaxBody is the largest encoded body that is sent, in bytes. 0 means
	// 16 MiB, which is what RabbitMQ takes by default since 4.0. At most
	// 512 MiB, its hard limit. The broker closes the channel on a body that is
	// larger than its own max_message_size, and whatever else is in flight is
	// then unknown: if the operator has lowered that, lower this.
	MaxBody int

	// Monitor is told what becomes of each message. Nil means the monitor of
	// the connection. See monitoring.Published, and monitoring.Starter.
	Monitor monitoring.Monitor

	// Timeout bounds a call whose context has no deadline. 0 means 30 s; it
	// cannot be turned off.
	Timeout time.Duration

	// Window is how many messages may be in flight, that is sent and not yet
	// confirmed; further ones wait for their turn. 0 means 256, and at most
	// 65,536 are possible. A larger one helps on slow networks, and makes more
	// messages unknown when the connection is lost.
	Window int
}

const (
	defaultMaxBody = 16 << 20
	defaultTimeout = 30 * time.Second
	defaultWindow  = 256

	maxMaxBody = 512 << 20
	maxWindow  = 1 << 16
)

// Publisher publishes messages on a connection. Make one with [New], share it,
// and close it before the connection. It is safe for concurrent use; many
// goroutines that publish at once share one channel and do not wait for one
// another's confirms.
type Publisher struct {
	config  Config
	late    error // why a call without a deadline of its own ends
	sender  *confirm.Sender
	monitor monitoring.Monitor
	starter monitoring.Starter // monitor, if it is one; or nil
	ids     header.IDs
}

// New returns a Publisher on conn. It does no I/O: the first message opens a
// channel, and waits for conn to be connected. It is an error if conn is nil,
// or if a field of cfg makes no sense.
func New(conn *connection.Connection, cfg Config) (*Publisher, error) {
	if conn == nil {
		return nil, errors.New("publisher: the connection is nil")
	}
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	p := &Publisher{
		config:  cfg,
		late:    fmt.Errorf("%w after Config.Timeout of %v", context.DeadlineExceeded, cfg.Timeout),
		sender:  confirm.New(conn, cfg.Window),
		monitor: monitoring.All(cmp.Or(cfg.Monitor, conn.Monitor())),
	}
	p.starter, _ = p.monitor.(monitoring.Starter)
	return p, nil
}

// complete checks cfg and fills in its defaults.
func (cfg *Config) complete() error {
	switch {
	case len(cfg.AppID) > math.MaxUint8:
		return fmt.Errorf("Config.AppID has %d bytes, at most 255 are possible", len(cfg.AppID))
	case cfg.MaxBody < 0:
		return fmt.Errorf("Config.MaxBody is negative: %d", cfg.MaxBody)
	case cfg.MaxBody > maxMaxBody:
		return fmt.Errorf("Config.MaxBody is %d, RabbitMQ takes at most %d", cfg.MaxBody, maxMaxBody)
	case cfg.Timeout < 0:
		return fmt.Errorf("Config.Timeout is negative: %v", cfg.Timeout)
	case cfg.Window < 0:
		return fmt.Errorf("Config.Window is negative: %d", cfg.Window)
	case cfg.Window > maxWindow:
		return fmt.Errorf("Config.Window is %d, at most %d are possible", cfg.Window, maxWindow)
	}
	cfg.AppID = cmp.Or(cfg.AppID, program())
	cfg.MaxBody = cmp.Or(cfg.MaxBody, defaultMaxBody)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.Window = cmp.Or(cfg.Window, defaultWindow)
	return nil
}

func program() string {
	if len(os.Args) == 0 {
		return ""
	}
	return clip(filepath.Base(os.Args[0]), math.MaxUint8)
}

// Publish sends body to queue, and waits for the broker's word until ctx ends,
// or for Config.Timeout if ctx has no deadline. Nil means that the broker has
// the message. The error is an [*Error]; what it means for the message stands
// in the documentation of the package.
//
// The body is encoded before Publish returns, and not kept. A body that is a
// [Message] is sent as [Publisher.Send] does it, to queue unless it has an
// Exchange or Key of its own.
func (p *Publisher) Publish(ctx context.Context, queue string, body any) error {
	return p.Send(ctx, to(queue, body))
}

// Send sends m, and waits for the broker's word until ctx ends, or for
// Config.Timeout if ctx has no deadline. Nil means that the broker has the
// message. The error is an [*Error]; what it means for the message stands in the
// documentation of the package.
//
// m is not changed, and neither its headers nor its body are kept.
//
// If the context ends after the message was sent, the error is an [ErrUnknown],
// and the message stays in flight: see [Publisher.Flush].
func (p *Publisher) Send(ctx context.Context, m Message) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	f := p.begin(ctx, &m)
	f.wait()
	return p.end(&f)
}

// Flush waits until the outcome of every message is known that was in flight
// when it was called, also of those whose caller has left. It waits until ctx
// ends, or for Config.Timeout if ctx has no deadline; the error is that of ctx.
// It tells nothing of the outcomes themselves.
func (p *Publisher) Flush(ctx context.Context) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.sender.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// Close refuses further messages with [ErrClosed], and waits until the outcome
// of those in flight is known. It waits until ctx ends, or for Config.Timeout
// if ctx has no deadline; the error is that of ctx, and what was in flight then
// is unknown. The Publisher is closed all the same, and nothing of it is left
// running, unless it is held up in a write to a broker that does not read, which
// ends with the connection. Close may be called more than once. It does not
// close the connection.
func (p *Publisher) Close(ctx context.Context) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.sender.Close(ctx); err != nil {
		return fmt.Errorf("close publisher: %w", err)
	}
	return nil
}

// bound returns ctx with a deadline.
func (p *Publisher) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.config.Timeout, p.late)
}
