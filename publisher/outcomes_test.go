package publisher_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/publisher"
)

// outcomes are all sentinels. An error is exactly one of them, or none.
var outcomes = map[string]error{
	"unknown": publisher.ErrUnknown, "unroutable": publisher.ErrUnroutable, "refused": publisher.ErrRefused,
	"blocked": publisher.ErrBlocked, "too large": publisher.ErrTooLarge, "encode": publisher.ErrEncode,
	"closed": publisher.ErrClosed,
}

// isOnly fails unless err is an *Error that is of this outcome and of no other.
// Empty means none.
func isOnly(tb testing.TB, err error, outcome string) {
	tb.Helper()
	var e *publisher.Error
	if !errors.As(err, &e) {
		tb.Errorf("want an *Error (%s), got %T: %v", outcome, err, err)
		return
	}
	if e.ID == "" {
		tb.Errorf("an error without an id: %v", err)
	}
	for name, sentinel := range outcomes {
		if got := errors.Is(err, sentinel); got != (name == outcome) {
			tb.Errorf("is it %s? %t: %v", name, got, err)
		}
	}
}

func TestUnroutable(t *testing.T) {
	onBoth(t, func(t on) {
		p := start(t, publisher.Config{})
		missing := rabbitmq.Name(t, "missing")
		err := p.Publish(t.Context(), missing, 1)
		isOnly(t, err, "unroutable")
		var r *publisher.ReturnedError
		if !errors.As(err, &r) || r.Code != 312 || r.Text != "NO_ROUTE" || r.Key != missing || r.Exchange != "" {
			t.Errorf("got %+v", r)
		}
		if !strings.HasPrefix(err.Error(), "publish to "+missing+": no queue takes the message") {
			t.Errorf("it says %q", err)
		}

		err = p.Send(t.Context(), publisher.Message{Exchange: "amq.topic", Key: missing, Body: 1, ID: "order-7"})
		isOnly(t, err, "unroutable")
		if !strings.HasPrefix(err.Error(), `publish to exchange amq.topic with key "`+missing+`": `) {
			t.Errorf("it says %q", err)
		}
		var e *publisher.Error
		if errors.As(err, &e); e.ID != "order-7" || e.Exchange != "amq.topic" || e.Key != missing {
			t.Errorf("got %+v", e)
		}
	})
}

func TestOptionalIsNotUnroutable(t *testing.T) {
	onBoth(t, func(t on) {
		p := start(t, publisher.Config{})
		must(t, p.Send(t.Context(), publisher.Message{Key: rabbitmq.Name(t, "missing"), Body: 1, Optional: true}))
		// But the exchange must exist.
		isOnly(t, p.Send(t.Context(), publisher.Message{Exchange: rabbitmq.Name(t, "missing"), Body: 1, Optional: true}), "unroutable")
	})
}

func TestAMissingExchangeIsUnroutableAndEndsNothing(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		for range 3 {
			isOnly(t, p.Send(t.Context(), publisher.Message{Exchange: rabbitmq.Name(t, "missing"), Key: queue}), "unroutable")
			must(t, p.Publish(t.Context(), queue, 1))
		}
		take(t, queue, 3)
	})
}

func TestAUserIDOfSomeoneElseIsRefusedAndEndsNothing(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		isOnly(t, p.Send(t.Context(), publisher.Message{Key: queue, UserID: "someone"}), "refused")
		must(t, p.Publish(t.Context(), queue, 1))
		take(t, queue, 1)
	})
}

func TestRefused(t *testing.T) {
	onBoth(t, func(t on) {
		queue := rabbitmq.Name(t, "full")
		declare(t, queue, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		p := start(t, publisher.Config{})
		must(t, p.Publish(t.Context(), queue, 1))
		isOnly(t, p.Publish(t.Context(), queue, 2), "refused")
		take(t, queue, 1)
		must(t, p.Publish(t.Context(), queue, 3))
	})
}

func TestUnknownAndFlush(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		net := netproxy.New(brokerOf(t).Dial)
		cfg := quiet()
		cfg.Dial = net.Dial
		p := newPublisher(t, open(t, cfg), publisher.Config{})
		must(t, p.Publish(t.Context(), queue, "first"))

		net.Hold(netproxy.FromBroker)
		defer net.Release()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := p.Send(ctx, publisher.Message{Key: queue, Body: "second", ID: "second"})
		isOnly(t, err, "unknown")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it does not say why: %v", err)
		}

		// Nobody waits for it any more, but Flush does.
		if err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "flush: ") {
			t.Errorf("flush: %v", err)
		}
		net.Release()
		must(t, p.Flush(t.Context()))
		if m := take(t, queue, 2)[1]; m.MessageId != "second" {
			t.Errorf("got %+v", m)
		}
	})
}

// A confirm that comes too late for its message is not taken for that of the
// next: PEER-BUGS 6.
func TestPeerBugs06ALateConfirmIsNotCreditedToTheNext(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		net := netproxy.New(brokerOf(t).Dial)
		cfg := quiet()
		cfg.Dial = net.Dial
		p := newPublisher(t, open(t, cfg), publisher.Config{})
		must(t, p.Publish(t.Context(), queue, 0))
		for range 10 {
			net.Hold(netproxy.FromBroker)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			isOnly(t, p.Publish(ctx, queue, 1), "unknown")
			cancel()
			done := make(chan error)
			go func() { done <- p.Publish(t.Context(), queue+".missing", 2) }()
			net.Release()
			isOnly(t, <-done, "unroutable")
		}
	})
}

func TestTooLarge(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		var events diary
		cfg := quiet()
		cfg.Monitor = &events
		p := newPublisher(t, open(t, cfg), publisher.Config{MaxBody: 1000})
		long := strings.Repeat("x", 256)
		for name, m := range map[string]publisher.Message{
			"body":             {Body: make([]byte, 1001)},
			"encoded body":     {Body: strings.Repeat("x", 999)}, // and two quotes
			"headers":          {Headers: map[string]any{"x": strings.Repeat("x", 127<<10)}},
			"many headers":     {Headers: map[string]any{"list": make([]any, 128<<10)}},
			"id":               {ID: long},
			"correlation id":   {CorrelationID: long},
			"type":             {Type: long},
			"reply-to":         {ReplyTo: long},
			"content type":     {ContentType: long},
			"content encoding": {ContentEncoding: long},
			"app id":           {AppID: long},
			"user id":          {UserID: long},
			"routing key":      {Key: long},
			"exchange":         {Exchange: long},
		} {
			if m.Key == "" {
				m.Key = queue
			}
			if err := p.Send(t.Context(), m); !errors.Is(err, publisher.ErrTooLarge) {
				t.Errorf("%s: got %v", name, err)
			} else {
				isOnly(t, err, "too large")
				if len(err.Error()) > 1000 {
					t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
				}
			}
		}
		must(t, p.Publish(t.Context(), queue, make([]byte, 1000)))
		must(t, p.Send(t.Context(), publisher.Message{
			Key: queue, ID: long[:255], Headers: map[string]any{"x": strings.Repeat("x", 120<<10)},
		}))
		take(t, queue, 2)
		if n := events.losses(); n > 0 {
			t.Errorf("the connection was lost %d times", n)
		}
	})
}

func TestTheLargestBody(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		isOnly(t, p.Publish(t.Context(), queue, make([]byte, 16<<20+1)), "too large")
		must(t, p.Publish(t.Context(), queue, make([]byte, 16<<20)))
		if n := len(take1(t, queue).Body); n != 16<<20 {
			t.Errorf("got %d bytes", n)
		}
	})
}

func TestCannotEncode(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		var events diary
		cfg := quiet()
		cfg.Monitor = &events
		p := newPublisher(t, open(t, cfg), publisher.Config{})
		must(t, p.Publish(t.Context(), queue, 1))
		deep := map[string]any{}
		for range 33 { // the client library reads 32
			deep = map[string]any{"deeper": deep}
		}
		for name, m := range map[string]publisher.Message{
			"channel":                 {Body: make(chan int)},
			"not a number":            {Body: math.NaN()},
			"no destination":          {},
			"negative expiration":     {Expiration: -1},
			"endless expiration":      {Expiration: 10*365*24*time.Hour + 1},
			"timestamp before 1970":   {Timestamp: time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)},
			"direct reply":            {ReplyTo: "amq.rabbitmq.reply-to"},
			"header of no AMQP type":  {Headers: map[string]any{"f": func() {}}},
			"nested header of none":   {Headers: map[string]any{"a": []any{struct{}{}}}},
			"header not a number":     {Headers: map[string]any{"n": math.NaN()}},
			"infinite nested header":  {Headers: map[string]any{"a": []any{float32(math.Inf(-1))}}},
			"header above int64":      {Headers: map[string]any{"n": uint64(math.MaxInt64 + 1)}},
			"header nested too deep":  {Headers: deep},
			"header with a long name": {Headers: map[string]any{strings.Repeat("x", 256): 1}},
			"CC that is no list":      {Headers: map[string]any{"CC": "audit"}},
			"CC of numbers":           {Headers: map[string]any{"CC": []any{1}}},
			"BCC that is nil":         {Headers: map[string]any{"BCC": nil}},
		} {
			if name != "no destination" {
				m.Key = queue
			}
			if err := p.Send(t.Context(), m); !errors.Is(err, publisher.ErrEncode) {
				t.Errorf("%s: got %v", name, err)
			} else {
				isOnly(t, err, "encode")
			}
		}
		must(t, p.Send(t.Context(), publisher.Message{Key: queue, Timestamp: time.Unix(0, 0), Headers: map[string]any{"CC": []string{}}}))
		take(t, queue, 2)
		if n := events.losses(); n > 0 {
			t.Errorf("the connection was lost %d times", n)
		}
	})
}

func TestCCWeakensMandatory(t *testing.T) { // as the documentation of Headers says
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		must(t, p.Send(t.Context(), publisher.Message{Key: queue, Headers: map[string]any{"CC": []string{queue + ".missing"}}}))
		take(t, queue, 1)
	})
}

func TestAContextThatHasEnded(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the customer has left")
		cancel(why)
		err := p.Publish(ctx, queue, 1)
		isOnly(t, err, "")
		if !errors.Is(err, why) || !strings.Contains(err.Error(), "not sent") {
			t.Errorf("got %v", err)
		}
		take(t, queue, 0)
	})
}

func TestClosed(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		must(t, p.Publish(t.Context(), queue, 1))
		must(t, p.Close(t.Context()))
		isOnly(t, p.Publish(t.Context(), queue, 1), "closed")
		must(t, p.Flush(t.Context()))
		must(t, p.Close(t.Context()))
		take(t, queue, 1)
	})
}

func TestTheConnectionIsClosed(t *testing.T) {
	onBoth(t, func(t on) {
		conn := open(t, quiet())
		p := newPublisher(t, conn, publisher.Config{})
		must(t, conn.Close(t.Context()))
		err := p.Publish(t.Context(), "orders", 1)
		isOnly(t, err, "")
		if !errors.Is(err, connection.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloseWaitsForWhatIsInFlight(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		net := netproxy.New(brokerOf(t).Dial)
		cfg := quiet()
		cfg.Dial = net.Dial
		p := newPublisher(t, open(t, cfg), publisher.Config{})
		must(t, p.Publish(t.Context(), queue, 0))
		net.Hold(netproxy.FromBroker)
		defer net.Release()
		published, closed := make(chan error, 1), make(chan error, 1)
		go func() { published <- p.Publish(t.Context(), queue, 1) }()
		eventually(t, "the message to arrive", func() bool { return length(t, queue) == 2 })
		go func() { closed <- p.Close(t.Context()) }()
		eventually(t, "the publisher to take no more", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			return errors.Is(p.Publish(ctx, queue+".missing", 2), publisher.ErrClosed)
		})
		select {
		case err := <-closed:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		net.Release()
		must(t, <-published)
		must(t, <-closed)
	})
}

func TestCloseReturnsAtItsDeadline(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		net := netproxy.New(brokerOf(t).Dial)
		cfg := quiet()
		cfg.Dial = net.Dial
		p := newPublisher(t, open(t, cfg), publisher.Config{})
		must(t, p.Publish(t.Context(), queue, 0))
		net.Hold(netproxy.FromBroker)
		defer net.Release()
		published := make(chan error, 1)
		go func() { published <- p.Publish(t.Context(), queue, 1) }()
		eventually(t, "the message to arrive", func() bool { return length(t, queue) == 2 })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "close publisher: ") {
			t.Errorf("got %v", err)
		}
		isOnly(t, <-published, "unknown")
		if took := time.Since(began); took < 100*time.Millisecond || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
