package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/publisher"
)

// jobs asks for every conversation, and then for every fiftieth once more, as happens when somebody starts an
// import again.
func jobs(all []Conversation) []job {
	var list []job
	for _, c := range all {
		list = append(list, job{Account: c.Account, Conversation: c.ID})
	}
	for i := 0; i < len(all); i += 50 {
		list = append(list, list[i])
	}
	return list
}

// publish sends the jobs to the queue. Without an error, the broker has them all.
func publish(ctx context.Context, conn *connection.Connection, queue string, list []job, books *tally) (err error) {
	p, err := publisher.New(conn, publisher.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()

	run := rand.Text()[:8]
	messages := make([]publisher.Message, 0, len(list))
	for i, j := range list {
		m := publisher.Message{ID: fmt.Sprintf("%s-%04d", run, i), Body: j}
		messages = append(messages, m)
		books.expect(m.ID)
	}
	for m, err := range publisher.All(ctx, p, queue, slices.Values(messages)) {
		if err != nil {
			return fmt.Errorf("job %s: %w", m.ID, err)
		}
	}
	return nil
}
