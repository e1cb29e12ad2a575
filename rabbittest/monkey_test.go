package rabbittest_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// monkey makes methods that are well formed and make sense as often as not, from a few names that come back.
type monkey struct{ *rand.Rand }

func pick[T any](m monkey, from ...T) T { return from[m.IntN(len(from))] }

func (m monkey) name() string {
	return pick(m, "", "a", "b", "c", "d", "amq.topic", "amq.headers", "amq.fanout", "amq.rabbitmq.reply-to", "a.b.c", "#", "*.b", "é")
}

// nameFor is a name that may well exist.
func (m monkey) nameFor(field string) string {
	switch {
	case m.IntN(10) == 0:
		return m.name()
	case field == "Queue":
		return pick(m, "", "a", "b", "c", "d")
	case field == "RoutingKey":
		return pick(m, "a", "b", "c", "a.b.c")
	default:
		return pick(m, "", "a", "b", "amq.topic", "amq.fanout", "amq.headers", "amq.direct")
	}
}

func (m monkey) value(depth int) any {
	values := []any{
		nil, true, false, int8(-1), uint8(3), int16(2), uint16(7), int32(0), int32(1), int32(1000), uint32(math.MaxUint32), int64(-1),
		int64(math.MaxInt64), float32(0.5), 1e300,
		wire.Decimal{Scale: 1, Value: 5},
		wire.Timestamp(1), wire.Binary("a"), wire.LongLong(5),
		"", m.name(), "10", "quorum", "classic", "stream", "drop-head", "reject-publish", "reject-publish-dlx", "at-least-once", "all", "any",
	}
	if depth < 3 {
		values = append(values, wire.Array{m.value(depth + 1), m.value(depth + 1)}, m.table(depth+1))
	}
	return pick(m, values...)
}

func (m monkey) table(depth int) (t wire.Table) {
	for range m.IntN(4) {
		t = append(t, wire.Field{Name: pick(m,
			"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-overflow", "x-dead-letter-exchange", "x-dead-letter-routing-key",
			"x-dead-letter-strategy", "x-max-priority", "x-queue-type", "x-queue-mode", "x-single-active-consumer", "x-delivery-limit",
			"x-delayed-retry-type", "x-delayed-retry-min", "x-delayed-retry-max", "x-priority", "x-match", "alternate-exchange", "a", "b",
			"CC", "BCC", "x-death", "x-delivery-count", "x-first-death-queue", "count", "queue", "reason", "exchange", "routing-keys", "time",
		), Value: m.value(depth)})
	}
	return t
}

// queue is the arguments of a queue that does something.
func (m monkey) queue() (t wire.Table) {
	if m.IntN(2) == 0 {
		t = t.With("x-queue-type", "quorum").With("x-delivery-limit", int32(m.IntN(4)))
		if m.IntN(2) == 0 {
			t = t.With("x-delayed-retry-type", pick(m, "all", "failed", "returned")).With("x-delayed-retry-min", int32(10))
		}
	} else if m.IntN(3) == 0 {
		t = t.With("x-max-priority", int32(4))
	}
	if m.IntN(2) == 0 {
		t = t.With("x-dead-letter-exchange", pick(m, "", "amq.fanout", "amq.topic"))
		if m.IntN(2) == 0 {
			t = t.With("x-dead-letter-routing-key", pick(m, "a", "b", "c"))
		}
		if m.IntN(2) == 0 {
			t = t.With("x-dead-letter-strategy", "at-least-once").With("x-overflow", "reject-publish")
		}
	}
	for _, name := range []string{"x-message-ttl", "x-max-length", "x-max-length-bytes", "x-expires"} {
		if m.IntN(4) == 0 {
			t = t.With(name, int64(1+m.IntN(20)))
		}
	}
	if m.IntN(4) == 0 {
		t = t.With("x-single-active-consumer", true)
	}
	return t
}

// fill gives every field of a method a value.
func (m monkey) fill(method wire.Method) {
	v := reflect.ValueOf(method).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(m.IntN(4) == 0)
		case reflect.String:
			f.SetString(m.nameFor(v.Type().Field(i).Name))
		case reflect.Slice:
			if m.IntN(3) == 0 {
				f.Set(reflect.ValueOf(m.table(0)))
			}
		default:
			f.SetUint(uint64(pick(m, 0, 0, 1, 2, 3, 5)))
		}
	}
	switch method := method.(type) {
	case *wire.ExchangeDeclare:
		method.Type = pick(m, "direct", "topic", "fanout", "headers")
	case *wire.BasicQos:
		method.PrefetchSize = 0
	case *wire.BasicPublish:
		method.Immediate = false
	case *wire.BasicRecover:
		method.Requeue = true
	}
}

// act is one method, with content if it needs some.
func (m monkey) act(channel uint16, given int) string {
	what := pick[wire.Method](m,
		&wire.QueueDeclare{}, &wire.QueueDeclare{}, &wire.QueueBind{}, &wire.QueueBind{}, &wire.QueueUnbind{}, &wire.QueuePurge{}, &wire.QueueDelete{},
		&wire.ExchangeDeclare{}, &wire.ExchangeBind{}, &wire.ExchangeUnbind{}, &wire.ExchangeDelete{},
		&wire.BasicPublish{}, &wire.BasicPublish{}, &wire.BasicPublish{}, &wire.BasicPublish{}, &wire.BasicPublish{}, &wire.BasicGet{}, &wire.BasicGet{},
		&wire.BasicConsume{}, &wire.BasicConsume{}, &wire.BasicCancel{}, &wire.BasicQos{}, &wire.BasicRecover{},
		&wire.BasicAck{}, &wire.BasicNack{}, &wire.BasicReject{}, &wire.BasicAck{}, &wire.BasicNack{}, &wire.BasicReject{},
		&wire.ConfirmSelect{}, &wire.TxSelect{}, &wire.TxCommit{}, &wire.TxRollback{}, &wire.ChannelClose{}, &wire.ChannelOpen{},
	)
	m.fill(what)
	tag := uint64(m.IntN(given + 2))
	switch what := what.(type) {
	case *wire.TxCommit, *wire.TxRollback:
		if m.IntN(4) > 0 { // mostly there is no transaction
			return ""
		}
	case *wire.BasicAck:
		what.DeliveryTag = tag
	case *wire.BasicNack:
		what.DeliveryTag = tag
	case *wire.BasicReject:
		what.DeliveryTag = tag
	case *wire.BasicPublish:
		return message(channel, what, wire.Properties{
			Flags: pick(m, 0, wire.HasHeaders, wire.HasHeaders|wire.HasExpiration|wire.HasPriority|wire.HasDeliveryMode, wire.HasReplyTo), Headers: m.table(0),
			Expiration: pick(m, "0", "10", "x"), Priority: 7, DeliveryMode: 2, ReplyTo: m.name(),
		}, pick(m, "", "body"))
	case *wire.ChannelClose, *wire.ChannelOpen:
		if m.IntN(4) > 0 {
			return ""
		}
	}
	return method(channel, what)
}

// player is one of the monkey's connections.
type player struct {
	*raw
	given int // deliveries on the channel
}

// listen takes what comes, opens the channel again if it was closed, and says whether the connection lasts.
func (r *player) listen(channel uint16) bool {
	for {
		switch s := r.within(time.Millisecond); {
		case s == "-":
			return true
		case s == "end", strings.HasPrefix(s, "connection.close "):
			_ = r.conn.Close()
			return false
		case s == "channel.close-ok":
			r.send(channel, &wire.ChannelOpen{})
			r.given = 0
		case strings.HasPrefix(s, "channel.close "):
			r.send(channel, &wire.ChannelCloseOk{})
			r.send(channel, &wire.ChannelOpen{})
			r.given = 0
		case s == "basic.deliver", s == "basic.get-ok":
			r.given++
		}
	}
}

// A monkey plays with a broker on several connections, while time goes on, connections break and the broker is started
// again. The broker neither panics nor hangs, and what it has can always be shown.
func TestAMonkeyBreaksNothing(t *testing.T) {
	const games, moves = 100, 120
	for seed := range uint64(games) {
		synctest.Test(t, func(t *testing.T) {
			m := monkey{rand.New(rand.NewPCG(seed, 0))}
			b := rabbittest.NewWith(t, rabbittest.Options{Version: pick(m, "3.10", "4.0", "4.3"), ConsumerTimeout: pick[time.Duration](m, 0, time.Second)})
			var players [3]*player
			first := &player{raw: rawClient(t, b)}
			first.open()
			players[0] = first
			for _, name := range []string{"a", "b", "c", "d"} {
				first.send(1, &wire.QueueDeclare{Queue: name, Durable: true, Arguments: m.queue()})
				first.listen(1)
				first.send(1, &wire.QueueBind{Queue: name, Exchange: pick(m, "amq.fanout", "amq.topic", "amq.headers"), RoutingKey: pick(m, "#", name)})
				first.listen(1)
			}
			for range moves {
				at := &players[m.IntN(len(players))]
				if *at == nil || m.IntN(20) == 0 {
					if *at != nil {
						_ = (*at).conn.Close()
					}
					*at = &player{raw: rawClient(t, b)}
					(*at).open()
				}
				(*at).write(m.act(1, (*at).given))
				if !(*at).listen(1) {
					*at = nil
				}
				switch m.IntN(150) {
				case 0, 5, 6, 7, 8:
					time.Sleep(pick(m, time.Millisecond, 20*time.Millisecond, 2*time.Second))
				case 1:
					b.Restart()
				case 2:
					b.DropConnections()
				case 3:
					synctest.Wait()
				case 4:
					_, _ = b.Topology(), b.Dump()
				}
			}
			synctest.Wait()
			for _, name := range []string{"a", "b", "c", "d"} {
				q := b.Queue(name)
				if !q.Exists() {
					continue
				}
				if n := len(q.Messages()); n > q.Len() || n < q.Ready()+q.Unacked() || q.Ready() < 0 || q.Unacked() < 0 {
					t.Errorf("seed %d: queue %s has %d messages and says %d: %d ready, %d unacked", seed, name, n, q.Len(), q.Ready(), q.Unacked())
				}
			}
			b.Close()
		})
	}
}
