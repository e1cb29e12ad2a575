package asking_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
	"github.com/warren-mq/warren/rabbittest"
)

// open opens a channel on a broker of its own, until the test ends.
func open(t *testing.T, setup func(*amqp.Channel) error) (*asking.Channel, error) {
	t.Helper()
	broker := rabbittest.New(t)
	conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	s, err := conn.Session(t.Context(), connection.Consume)
	if err != nil {
		t.Fatal(err)
	}
	return asking.Open(t.Context(), s, setup)
}

// Who asks waits for the answer to the question before, although nobody waits for that any more.
func TestAQuestionWaitsForTheOneBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ch, err := open(t, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancelCause(t.Context())
		begun, answer := make(chan struct{}), make(chan struct{})
		left := make(chan error)
		go func() {
			left <- ch.Ask(ctx, func(*amqp.Channel) error {
				close(begun)
				<-answer
				return nil
			})
		}()
		<-begun
		gone := errors.New("gone")
		leave(gone)
		if err := <-left; !errors.Is(err, gone) {
			t.Errorf("the one who left got %v", err)
		}
		second := make(chan error, 1)
		go func() {
			second <- ch.Ask(t.Context(), func(ch *amqp.Channel) error { return ch.Qos(1, 0, false) })
		}()
		synctest.Wait()
		if len(second) > 0 {
			t.Error("two questions were open at once")
		}
		close(answer)
		if err := <-second; err != nil {
			t.Error(err)
		}
		ch.HangUp()
		if !ch.IsClosed() {
			t.Error("the channel is open")
		}
	})
}

// There is no channel where its first questions have failed.
func TestNoChannelWithoutItsSetup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var refused *amqp.Error
		ch, err := open(t, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("nobody's", true, false, false, false, nil)
			return err
		})
		if ch != nil || !errors.As(err, &refused) || refused.Code != amqp.NotFound {
			t.Errorf("it is %v, and the error %v", ch, err)
		}
	})
}
