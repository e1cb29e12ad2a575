package consumer

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
)

// privateDial is how long a private connection may take to come up.
const privateDial = 10 * time.Second

// connect returns the session to consume on: that of all consumers, or a private
// one after what would end the shared one again and again. A message that the
// client cannot read does so a hundred times, until the broker's delivery limit
// moves it, and slow handlers of other queues would be interrupted as often, until
// the limit moves their messages, too. A quorum queue whose process is dead does
// so whenever somebody subscribes to it.
func (r *run) connect(ctx context.Context) (*connection.Session, error) {
	if r.private != nil {
		own, cancel := context.WithTimeout(ctx, privateDial)
		defer cancel()
		s, err := r.private.Session(own)
		r.proven = r.proven || err == nil
		if err == nil || ctx.Err() != nil || errors.Is(err, connection.ErrClosed) || r.silent && r.proven {
			return s, err // or it waits before it dials again, as it should
		}
		// Perhaps the broker allows no further one. Better with the others than
		// not at all.
		r.share()
		r.sharing = true
	}
	return r.conn.Session(ctx, connection.Consume)
}

// choose decides, after a loss, on which connection the consumer goes on. After
// one that can come again and again it is a private one, until a loss of another
// kind. Nobody can tell whose message was unreadable: all who shared the
// connection take private ones.
func (r *run) choose(alone bool) {
	switch {
	case !alone:
		r.share()
		r.sharing = false
	case r.private == nil && !r.sharing:
		r.private = r.conn.Private(r.queue)
	}
}

// share ends the private connection, if there is one.
func (r *run) share() {
	if r.private == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), asking.Goodbye)
	defer cancel()
	_ = r.private.Close(ctx)
	r.private, r.proven = nil, false
}

// toldBySession returns what the session says about its end, if err comes from
// that: the channel hears of it a moment earlier, and cannot tell a message that
// the client cannot read from a broker that talks nonsense.
func (r *run) toldBySession(err error) error {
	var reason *amqp.Error
	if r.latest == nil || !errors.As(err, &reason) || reason.Server || errors.Is(err, ErrUnreadable) {
		return err
	}
	t := time.NewTimer(asking.Goodbye)
	defer t.Stop()
	select {
	case <-r.latest.Done():
	case <-t.C: // it was not the connection's end
	case <-r.stopping.Done():
	}
	if told := r.latest.Err(); errors.Is(told, ErrUnreadable) {
		return told
	}
	return err
}

// limitsDeliveries tells whether the main queue gives up a message in the end
// that no consumer can read. Of one that is somebody else's, it is hoped.
func (r *run) limitsDeliveries() bool {
	main := r.Plan().Main
	return r.config.Declare == DeclareOwn || main.Args["x-delivery-limit"] != nil
}
