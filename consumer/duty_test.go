package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// The duties of a consumer, each alone: all of them together are what it costs
// above a loop that is written by hand. Those of other packages are there. No
// broker is needed.
//
//	go test -run '^$' -bench Duty ./...

var errBankDown = errors.New("the bank is down")

// order is a body of about 256 bytes of JSON.
type order struct {
	ID      string
	Cents   int64
	Lines   []string
	Comment string
}

func orderJSON(tb testing.TB) []byte {
	tb.Helper()
	body, err := json.Marshal(order{
		ID: "0190b2c4-7e1a-7cde-8f00-1234567890ab", Cents: 129900, Lines: []string{"SKU-0001", "SKU-0002", "SKU-0003"},
		Comment: strings.Repeat("to be left with the neighbour; ", 4),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func newOrder(tb testing.TB) amqp.Delivery {
	return amqp.Delivery{
		MessageId: "0190b2c4-7e1a-7cde-8f00-1234567890ab", ContentType: "application/json", Timestamp: time.Now(), AppId: "shop",
		RoutingKey: "orders", DeliveryMode: amqp.Persistent, Body: orderJSON(tb),
	}
}

// nobody takes what a consumer tells a broker.
type nobody struct{ sent int }

func (*nobody) Ack(uint64, bool) error        { return nil }
func (*nobody) Nack(uint64, bool, bool) error { return nil }
func (*nobody) Reject(uint64, bool) error     { return nil }
func (*nobody) Close(context.Context) error   { return nil }

func (n *nobody) Send(context.Context, confirm.Message) error {
	n.sent++
	return nil
}

// desk is a consumer without a broker and without goroutines: what it does with
// a delivery happens where it is asked to.
type desk struct {
	*epoch
	worker *worker
	broker *nobody
	tag    uint64
}

func newDesk[T any](tb testing.TB, handle Handler[T], cfg Config) *desk {
	tb.Helper()
	if cfg.Monitor == nil {
		cfg.Monitor = monitoring.Discard{}
	}
	conn, err := connection.New("amqp://nobody.invalid", connection.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := New(conn, "orders", handle, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	r := newRun(context.Background(), c, 1)
	b := &nobody{}
	r.sender = b
	e := r.newEpoch(b, r.present())
	e.frameMax = 128 << 10
	d := &desk{epoch: e, worker: &worker{}, broker: b}
	tb.Cleanup(func() {
		e.moves.Wait()
		e.end(amqp.ErrClosed)
		e.hurry()
		e.force()
		e.halt()
		e.abandon(nil)
	})
	return d
}

// work does with a delivery all that is done above the client.
func (d *desk) work(tb testing.TB, in amqp.Delivery) {
	d.tag++
	in.DeliveryTag = d.tag
	if err := d.receive(in); err != nil || d.next == nil {
		tb.Fatalf("no worker gets it: %v", err)
	}
	next := d.next
	d.next = nil
	d.pool.active.Add(1)
	d.handle(d.worker, next)
	d.moves.Wait()
}

func says[T any](o Outcome) Handler[T] { return func(context.Context, Message[T]) Outcome { return o } }

// retried returns in as it comes back after n attempts.
func (d *desk) retried(in amqp.Delivery, n int) amqp.Delivery {
	for range n {
		del := d.newDelivery(in)
		del.identify()
		m := d.retryMessageOf(del, time.Now())
		in.Headers, in.MessageId = m.Headers, m.MessageId
	}
	return in
}

func (d *desk) verdictOf(del *delivery, now time.Time) *verdict {
	v := settle(result{outcome: Retry(errBankDown), failure: monitoring.FailureReturned}, del.state, d.config.Retry, d.config.MaxAge, now)
	return &v
}

func (d *desk) retryMessageOf(del *delivery, now time.Time) confirm.Message {
	v := d.verdictOf(del, now)
	q, notBefore, notAfter := v.target(&d.plan, now)
	return d.retryMessage(del, v, q, notBefore, notAfter, now)
}

var often = Config{Retry: retry.Exponential(5, time.Second, time.Hour)}

func BenchmarkDutySettle(b *testing.B) {
	policy, now := often.Retry, time.Now()
	for _, c := range []struct {
		name string
		result
	}{
		{"ack", result{outcome: Ack()}},
		{"retry", result{outcome: Retry(errBankDown), failure: monitoring.FailureReturned}},
		{"error", result{outcome: Error(errBankDown)}},
		{"defer", result{outcome: Defer(time.Minute, errBankDown)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				settle(c.result, header.State{Attempt: 2}, policy, time.Hour, now)
			}
		})
	}
}

// Each delivery is acknowledged, in order, half a window with one frame.
func BenchmarkDutyAcks(b *testing.B) {
	b.ReportAllocs()
	const window = 100
	a := newAcks(&nobody{}, window, 1)
	defer a.close()
	tag := uint64(0)
	for range window {
		tag++
		a.received(tag)
	}
	for b.Loop() {
		a.done(tag - window + 1)
		tag++
		a.received(tag)
	}
}

func BenchmarkDutyReadHeaders(b *testing.B) {
	d := newDesk(b, says[order](Ack()), often)
	for _, c := range []struct {
		name    string
		retries int
	}{{"of=new", 0}, {"of=retried", 3}} {
		b.Run(c.name, func(b *testing.B) {
			in := d.retried(newOrder(b), c.retries)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				header.Read(in.Headers, "orders", now)
			}
		})
	}
}

func BenchmarkDutyWriteHeaders(b *testing.B) {
	d := newDesk(b, says[order](Ack()), often)
	now := time.Now()
	for _, c := range []struct {
		name    string
		retries int
	}{{"to=retry/failures=0", 0}, {"to=retry/failures=3", 3}} {
		b.Run(c.name, func(b *testing.B) {
			del := d.newDelivery(d.retried(newOrder(b), c.retries))
			b.ReportAllocs()
			for b.Loop() {
				d.retryMessageOf(del, now)
			}
		})
	}
	b.Run("to=error", func(b *testing.B) {
		del := d.newDelivery(d.retried(newOrder(b), 5))
		v := d.verdictOf(del, now)
		to := d.way.errorAddress(del)
		b.ReportAllocs()
		for b.Loop() {
			d.errorMessage(del, v, d.failure(del, v, now), to)
		}
	})
}

// All of it at once, but for handing a delivery from one goroutine to another.
func BenchmarkDutyHandle(b *testing.B) {
	in := newOrder(b)
	for _, c := range []struct {
		name string
		*desk
	}{
		{"outcome=ack/body=bytes", newDesk(b, says[[]byte](Ack()), often)},
		{"outcome=ack/body=JSON", newDesk(b, says[order](Ack()), often)},
		{"outcome=retry/body=bytes", newDesk(b, says[[]byte](Retry(errBankDown)), often)},
		{"outcome=error/body=bytes", newDesk(b, says[[]byte](Error(errBankDown)), often)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.work(b, in)
			}
		})
	}
}
