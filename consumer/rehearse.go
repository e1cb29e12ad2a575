package consumer

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rehearsal"
)

// rehearse is loop for one delivery and no broker. The delivery goes the way
// that all go, through receive, a worker and what settles it; then the run
// ends as it always does. If Run's context ends meanwhile, the consumer stops;
// if it ends because of ErrConnectionLost, the connection is lost before that.
func (r *run) rehearse(stage *rehearsal.Stage) error {
	defer r.halt()
	r.sender = stage
	e := r.newEpoch(stage, r.present())
	e.frameMax = rehearsal.FrameMax
	e.acks.hurry() // there is no dispatcher to write them later
	r.pool.start()

	in := stage.Delivery
	in.DeliveryTag = 1
	if err := e.receive(in); err != nil {
		return err
	}
	e.takeAside()
	if e.next != nil {
		r.pool.active.Add(1)
		r.pool.jobs <- e.next
		e.next = nil
	}
	if !r.waitSettled(r.stopping, nil) && errors.Is(context.Cause(r.stopping), ErrConnectionLost) {
		e.end(amqp.ErrClosed)
	}
	return r.drain(nil, nil)
}
