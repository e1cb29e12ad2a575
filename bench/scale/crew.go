package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
)

// crew is the consumers of Warren in one process, on one connection.
type crew struct {
	conn      *connection.Connection
	consumers []*consumer.Consumer
	failed    *failure
	before    held // anything was opened

	runs sync.WaitGroup
	halt context.CancelFunc
}

func newCrew(broker string, failed *failure) (*crew, error) {
	c := &crew{failed: failed, before: holds(), halt: func() {}}
	conn, err := connection.New(broker, connection.Config{Name: "bench", Monitor: c.watch(nil)})
	c.conn = conn
	return c, err
}

// watch is a monitor that fails the measurement when anything is lost, and tells of what is acknowledged.
func (c *crew) watch(acked func()) monitoring.Monitor {
	return monitoring.Func(func(_ context.Context, e monitoring.Event) {
		switch e := e.(type) {
		case monitoring.Acked:
			if acked != nil {
				acked()
			}
		case monitoring.Errored:
			c.failed.note(fmt.Errorf("message %s went to the error queue: %s: %w", e.MessageID, e.Reason, e.Err))
		case monitoring.ConsumerLost:
			c.failed.note(fmt.Errorf("the consumer of %s was lost: %w", e.Queue, e.Err))
		case monitoring.DialFailed:
			c.failed.note(fmt.Errorf("cannot connect: %w", e.Err))
		case monitoring.SettleFailed:
			c.failed.note(fmt.Errorf("message %s was not settled: %w", e.MessageID, e.Err))
		case monitoring.Disconnected:
			if e.Err != nil { // or it is our own Close
				c.failed.note(fmt.Errorf("the connection was lost: %w", e.Err))
			}
		case monitoring.Lost, monitoring.Stuck, monitoring.LateOutcome:
			c.failed.note(fmt.Errorf("%T: %+v", e, e))
		}
	})
}

// consume adds a consumer. acked is called for each message that is acknowledged.
func (c *crew) consume(queue string, cfg consumer.Config, acked func(), handle consumer.Handler[[]byte]) error {
	cfg.Monitor = c.watch(acked)
	one, err := consumer.New(c.conn, queue, handle, cfg)
	c.consumers = append(c.consumers, one)
	return err
}

// start runs all consumers, and returns when all are subscribed.
func (c *crew) start(ctx context.Context) error {
	running, halt := context.WithCancel(ctx)
	c.halt = halt
	for _, one := range c.consumers {
		c.runs.Go(func() {
			if err := one.Run(running); err != nil {
				c.failed.note(err)
			}
		})
	}
	for _, one := range c.consumers {
		if err := either(ctx, one.Ready()); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all consumers, and waits for them.
func (c *crew) stop() {
	c.halt()
	c.runs.Wait()
}

// close stops, closes the connection, and adds to found how many goroutines are left.
func (c *crew) close(ctx context.Context, found figures) error {
	c.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := c.conn.Close(ctx)
	if found != nil {
		found["left"] = float64(left(c.before.goroutines))
	}
	return err
}

// conclude is how a measurement by Warren ends: with its error, or else that of the closing, or else one that was
// noted meanwhile.
func (c *crew) conclude(ctx context.Context, found figures, err error) (figures, error) {
	closed := c.close(ctx, found)
	if err = errors.Join(err, closed); err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}
