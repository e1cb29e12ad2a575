package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/topology"
)

// broker prepares what a job needs, and looks afterwards whether all messages are where they must be.
type broker struct {
	url  string
	late time.Duration // how late RabbitMQ may count
}

// countLate is for a RabbitMQ on a busy machine.
const countLate = 5 * time.Second

// with connects, and calls f with a channel. It ends when ctx does.
func (b *broker) with(ctx context.Context, f func(*amqp.Connection, *amqp.Channel) error) error {
	conn, err := amqp.Dial(b.url)
	if err != nil {
		// The client quotes a URL that it cannot read, with the password.
		if _, ok := errors.AsType[*url.Error](err); ok {
			return errors.New("AMQP_URL is not a URL")
		}
		return fmt.Errorf("connect to the broker: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err == nil {
		err = f(conn, ch)
	}
	if !stop() {
		return errors.Join(context.Cause(ctx), err)
	}
	return errors.Join(err, conn.Close())
}

// version is the broker's name and version.
func (b *broker) version(ctx context.Context) (name string, err error) {
	err = b.with(ctx, func(conn *amqp.Connection, _ *amqp.Channel) error {
		name = fmt.Sprintf("%v %v", conn.Properties["product"], conn.Properties["version"])
		return nil
	})
	return name, err
}

// plan is that of Warren, whoever does the job.
func (j *job) plan() topology.Plan {
	return topology.Tiers(j.Queue, j.Type, []time.Duration{retryWait})
}

// prepare declares the queues, and fills the main queue if the job begins with messages.
func (b *broker) prepare(ctx context.Context, j *job) error {
	return b.with(ctx, func(_ *amqp.Connection, ch *amqp.Channel) error {
		for _, q := range j.plan().Queues() {
			const durable, autoDelete, exclusive, noWait = true, false, false, false
			if _, err := ch.QueueDeclare(q.Name, durable, autoDelete, exclusive, noWait, maps.Clone(q.Args)); err != nil {
				return fmt.Errorf("declare %s: %w", q.Name, err)
			}
		}
		switch j.Duty {
		case consuming, retrying:
			return fill(ch, j)
		default:
			return nil
		}
	})
}

// fill publishes what the job takes, confirmed.
func fill(ch *amqp.Channel, j *job) error {
	_, body, err := newOrder(j.Size)
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	window := make([]*amqp.DeferredConfirmation, 256) // a ring
	for i := range j.total() + len(window) {
		at := &window[i%len(window)]
		if *at != nil && !(*at).Wait() {
			return errRefused
		}
		if *at = nil; i >= j.total() {
			continue
		}
		const mandatory, immediate = true, false
		*at, err = ch.PublishWithDeferredConfirm("", j.Queue, mandatory, immediate, amqp.Publishing{
			ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: strconv.Itoa(i), AppId: "bench",
			Timestamp: time.Now(), Body: body,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// check is an error unless each queue holds as many messages as it must after the job: nothing is lost, nothing is there
// twice, and nothing is left over. RabbitMQ may count them a moment late.
func (b *broker) check(ctx context.Context, j *job) error {
	main, retry := 0, 0
	switch j.Duty {
	case publishing, pipelining:
		main = j.total()
	case retrying:
		retry = j.total()
	default: // nothing stays
	}
	plan := j.plan()
	ctx, cancel := context.WithTimeout(ctx, b.late+patience)
	defer cancel()
	return b.with(ctx, func(_ *amqp.Connection, ch *amqp.Channel) error {
		for _, want := range []struct {
			queue string
			n     int
		}{{plan.Main.Name, main}, {plan.Retry[0].Name, retry}, {plan.Error.Name, 0}} {
			if err := b.holds(ctx, ch, want.queue, want.n); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *broker) holds(ctx context.Context, ch *amqp.Channel, queue string, n int) error {
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	for began := time.Now(); ; pause(ctx, 20*time.Millisecond) {
		q, err := ch.QueueDeclarePassive(queue, durable, autoDelete, exclusive, noWait, nil)
		switch {
		case err != nil:
			return err
		case q.Messages == n:
			return nil
		case time.Since(began) > b.late:
			return fmt.Errorf("afterwards %s holds %d messages, not %d", queue, q.Messages, n)
		}
	}
}

// remove deletes the queues, also those of a job that failed.
func (b *broker) remove(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return b.with(ctx, func(_ *amqp.Connection, ch *amqp.Channel) error {
		for _, q := range j.plan().Queues() {
			const ifUnused, ifEmpty, noWait = false, false, false
			if _, err := ch.QueueDelete(q.Name, ifUnused, ifEmpty, noWait); err != nil {
				return fmt.Errorf("delete %s: %w", q.Name, err)
			}
		}
		return nil
	})
}
