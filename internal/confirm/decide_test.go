package confirm

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// What follows depends on moments that no network can be made to meet, so the parts of a channel are put together here.

// words are a confirmation of each kind: one that is an ack, one that is still open, and one that the client has resolved
// itself because its channel was closed, with that channel.
func words(t *testing.T) (acked, open, nothing *amqp.DeferredConfirmation, closed *amqp.Channel) {
	t.Helper()
	b := rabbittest.New(t)
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: func(network, address string) (net.Conn, error) {
		return b.Dial(t.Context(), network, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	publish := func() (*amqp.Channel, *amqp.DeferredConfirmation) {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		c, err := ch.PublishWithDeferredConfirm("", "nobody", false, false, amqp.Publishing{})
		if err != nil {
			t.Fatal(err)
		}
		return ch, c
	}
	_, acked = publish()
	<-acked.Done()
	b.HoldConfirms()
	_, open = publish()
	closed, nothing = publish()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	<-nothing.Done()
	return acked, open, nothing, closed
}

// begun puts a message in flight on c.
func (c *channel) begun(confirmation *amqp.DeferredConfirmation) *Pending {
	s := c.sender
	p := &Pending{sender: s, channel: c, confirmation: confirmation, batch: &batch{n: 1}, told: make(chan struct{}, 2)}
	s.slots <- struct{}{}
	c.flight.add(p)
	return p
}

// When the client resolves what was open because its channel has closed, that is no word of the broker. The collector is
// about to tell why; whose context ends before that hears that nobody knows.
func TestAClosedChannelSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acked, _, nothing, closed := words(t)
		c := &channel{sender: New(nil, 2), amqp: closed, dead: make(chan struct{})}
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(enough)
		p := c.begun(nothing)
		if err := c.decide(ctx, p); !errors.Is(err, ErrUnknown) || !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
		if err := c.decide(ctx, c.begun(acked)); err != nil {
			t.Errorf("it was confirmed before, and its result is %v", err)
		}
		late := make(chan error)
		go func() { late <- c.decide(t.Context(), p) }()
		synctest.Wait()
		c.end(&amqp.Error{Code: amqp.NotFound, Reason: "why", Server: true}, true)
		if err := <-late; !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "why") {
			t.Errorf("got %v", err)
		}
	})
}

// Who gives up looks first: the broker may have confirmed what is behind the message that it does not confirm.
func TestWhatIsConfirmedIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		acked, open, _, _ := words(t)
		c := &channel{sender: New(nil, 2)}
		first, second := c.begun(open), c.begun(acked)
		c.abandon()
		if !errors.Is(first.result, ErrUnknown) || !errors.Is(first.result, ErrClosed) {
			t.Errorf("what is open: %v", first.result)
		}
		if !second.decided || second.result != nil {
			t.Errorf("what is confirmed: %v", second.result)
		}
		if c.flight.first != nil || len(c.sender.slots) > 0 {
			t.Error("something is left")
		}
	})
}

// While the writer is in the client nobody knows of its message: it may be to blame for the end of the channel, or not
// be sent at all, and then go out on the next one.
func TestTheEndWaitsForTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{sender: New(nil, 2), changed: make(chan struct{}, 1), dead: make(chan struct{}), writing: true}
		p := c.begun(nil)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.end(&amqp.Error{Code: amqp.NotFound, Server: true}, true)
		}()
		for range 2 { // it may be woken for nothing
			c.wake()
			synctest.Wait()
			c.mu.Lock()
			if c.isDead() || p.decided {
				t.Fatal("it has ended before the writer was out of it")
			}
			c.mu.Unlock()
		}
		c.mu.Lock()
		c.flight.remove(p)
		c.writing = false
		c.mu.Unlock()
		c.wake()
		<-ended
		if !c.isDead() || p.decided {
			t.Errorf("dead %v, decided %v", c.isDead(), p.decided)
		}
	})
}

// The other half of it: the writer says so.
func TestTheWriterIsInTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		network := netproxy.New(b.Dial)
		conn, err := connection.New(b.URL(), connection.Config{Dial: network.Dial, Monitor: monitoring.Discard{}})
		if err != nil {
			t.Fatal(err)
		}
		s := New(conn, 1)
		for _, held := range []bool{false, true} {
			p, err := s.Begin(t.Context(), Message{Key: "nobody", Optional: true})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c := p.channel
			c.mu.Lock()
			if c.writing != held {
				t.Errorf("held %v, writing %v", held, c.writing)
			}
			c.mu.Unlock()
			network.Hold(netproxy.ToBroker)
		}
		network.Release()
		if err := errors.Join(s.Close(t.Context()), conn.Close(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// A message that was checked for one broker may go to another, whose frames are smaller. There its headers would end the
// connection.
func TestAMessageIsCheckedAgainForTheNextBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		conn, err := connection.New(b.URL(), connection.Config{Dial: b.Dial, Monitor: monitoring.Discard{}})
		if err != nil {
			t.Fatal(err)
		}
		s := New(conn, 1)
		p, err := s.Begin(t.Context(), Message{Key: "nobody", Optional: true})
		if err != nil {
			t.Fatal(err)
		}
		if p.frameMax != p.sender.session.Load().FrameMax() {
			t.Errorf("it was checked for frames of %d bytes", p.frameMax)
		}
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		session := s.session.Load()
		c, err := s.open(session)
		if err != nil {
			t.Fatal(err)
		}
		large := &Pending{
			sender: s, frameMax: 2 * p.frameMax, batch: &batch{n: 1}, told: make(chan struct{}, 2),
			message: Message{Key: "nobody", Optional: true, Publishing: amqp.Publishing{
				Headers: amqp.Table{"large": make([]byte, p.frameMax)},
			}},
		}
		s.slots <- struct{}{}
		if s.send(c, large) != c {
			t.Error("the channel is not used again")
		}
		if err := large.Wait(t.Context()); !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		if err := session.Err(); err != nil || s.Free() != 1 {
			t.Errorf("%d slots are free, and the connection: %v", s.Free(), err)
		}
		c.leave()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
