package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/topology"
)

// retrier is a consumer by hand that publishes messages to retry queues, on two connections as Warren does it, and
// acknowledges each when it is confirmed there.
type retrier struct {
	ctx                   context.Context // ends with the first failure
	consuming, publishing *amqp.Connection
	sender                *sender
	hand                  hand
}

// attemptHeader counts, by hand.
const attemptHeader = "attempt"

func newRetrier(ctx context.Context, broker, queue string, handle func(*retrier, *amqp.Delivery) (*amqp.DeferredConfirmation, error)) (r *retrier, err error) {
	ctx, failed := failing(ctx)
	r = &retrier{ctx: ctx}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.consuming, err = dialByHand(broker); err != nil {
		return nil, err
	}
	if r.publishing, err = dialByHand(broker); err != nil {
		return nil, err
	}
	if r.sender, err = newSender(r.publishing); err != nil {
		return nil, err
	}
	r.hand = hand{
		queue: queue, workers: retryWorkers, prefetch: retryPrefetch, failed: failed,
		handle: func(d *amqp.Delivery) (*amqp.DeferredConfirmation, error) { return handle(r, d) },
	}
	return r, r.hand.start(r.consuming)
}

// again publishes a message to a retry queue, as the next attempt.
func (r *retrier) again(d *amqp.Delivery, queue, expiration string) (*amqp.DeferredConfirmation, error) {
	return r.sender.publish(queue, amqp.Publishing{
		Headers: amqp.Table{attemptHeader: attemptOf(d) + 1}, Body: d.Body, ContentType: d.ContentType,
		DeliveryMode: amqp.Persistent, MessageId: d.MessageId, Expiration: expiration,
	})
}

// attemptOf is the attempt that a delivery is, from 1.
func attemptOf(d *amqp.Delivery) int64 {
	if n, ok := d.Headers[attemptHeader].(int64); ok {
		return n
	}
	return 1
}

func retryQueue(queue string, wait time.Duration) string { return topology.RetryQueue(queue, wait) }

// close stops, and returns why the measurement failed, if it did.
func (r *retrier) close() error {
	var err error
	if r.ctx.Err() != nil {
		err = context.Cause(r.ctx)
	} else {
		err = r.hand.stop()
	}
	for _, conn := range []*amqp.Connection{r.consuming, r.publishing} {
		if conn != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	return err
}

// expiration is a wait as a message carries it.
func expiration(wait time.Duration) string { return strconv.FormatInt(wait.Milliseconds(), 10) }
