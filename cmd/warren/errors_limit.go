package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/topology/drift"
)

// soon is how long the management API has to tell the delivery limit, where nobody has said that there is one.
const soon = time.Second

// manyLooks is a delivery limit that people do not reach.
const manyLooks = 1000

// limit is the delivery limit of an error queue, as errorqueue.Config wants it. A policy may have set one that is lower than
// what the queue was declared with, and AMQP does not tell: looking would delete entries. 0 if the API cannot be asked.
func (q *queueFlags) limit(ctx context.Context, queue string) (int, error) {
	address, err := q.access.url(ctx)
	if err != nil {
		return 0, err
	}
	client, vhost, err := q.management.client(address)
	if errors.As(err, &usageError{}) {
		return 0, err
	}
	if err != nil { // it is not wanted
		return 0, nil
	}
	defer client.Close()
	if !q.management.required() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, soon)
		defer cancel()
	}
	found, err := client.Queue(ctx, vhost, queue)
	switch {
	case errors.Is(err, management.ErrNotFound): // it is for AMQP to say so
		return 0, nil
	case err != nil && q.management.required():
		return 0, fmt.Errorf("ask for the delivery limit of %s: %w", queue, err)
	case err != nil:
		return 0, nil
	}
	limit, err := deliveryLimit(found)
	return heeded(limit, !q.management.required()), err
}

// heeded is what is made of a limit. Where the API's address is a guess, perhaps another broker of this host has answered:
// that calls for more care, and not for less.
func heeded(limit int, guessed bool) int {
	if guessed && (limit < 0 || limit > manyLooks) {
		return 0
	}
	return limit
}

// deliveryLimit is the lower one of a policy's and an argument's. Negative ones are none.
func deliveryLimit(q management.Queue) (int, error) {
	limit := 0
	for _, v := range []any{q.Effective["delivery-limit"], q.Arguments["x-delivery-limit"]} {
		n, set := drift.Number(v)
		switch {
		case !set:
		case n == 0:
			return 0, fmt.Errorf("the broker would delete entries of %s at the first look: its delivery limit is 0; set a higher one by a policy", q.Name)
		case n < 0 && limit == 0:
			limit = -1
		case n > 0 && (limit <= 0 || int(n) < limit):
			limit = int(min(n, 1<<30))
		}
	}
	return limit, nil
}
