package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// confirming is what publishers hear of their messages.
var confirming = section{"confirm", []row{
	{
		name: "each message once",
		want: "1,2,3,4,5",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Confirm(false))
			confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 5))
			for range 5 {
				e.must(ch.publish("", q, say("x")))
			}
			return heard(e, confirmed, 5)
		},
	},
	{
		name: "each message of a quorum queue once",
		want: "1,2,3,4,5",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			ch := e.channel()
			e.must(ch.Confirm(false))
			confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 5))
			for range 5 {
				e.must(ch.publish("", q, amqp.Publishing{DeliveryMode: amqp.Persistent}))
			}
			return heard(e, confirmed, 5)
		},
	},
	{
		name: "messages before confirm.select do not count",
		want: "1",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.publish("", q, say("x")))
			e.must(ch.Confirm(false))
			confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 5))
			e.must(ch.publish("", q, say("x")))
			return heard(e, confirmed, 1)
		},
	},
	{
		name: "select twice",
		want: "1,2",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Confirm(false))
			confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 5))
			e.must(ch.publish("", q, say("x")))
			e.must(ch.Confirm(false))
			e.must(ch.publish("", q, say("x")))
			return heard(e, confirmed, 2)
		},
	},
	{
		name: "what goes nowhere",
		want: "ack",
		run: func(e *env) string {
			ch := e.channel()
			e.must(ch.Confirm(false))
			return ch.confirmed("", e.name("nope"), say("x"))
		},
	},
	{
		name: "an exchange without bindings",
		want: "ack",
		run: func(e *env) string {
			x := e.exchange("x")
			ch := e.channel()
			e.must(ch.exchange(x, "fanout", none, nil))
			e.must(ch.Confirm(false))
			return ch.confirmed(x, "", say("x"))
		},
	},
	{
		name: "a missing exchange",
		want: "channel 404 NOT_FOUND - no exchange 'nope' in vhost '/'",
		run: func(e *env) string {
			ch := e.channel()
			e.must(ch.Confirm(false))
			return ch.confirmed(e.name("nope"), "k", say("x"))
		},
	},
	{
		name: "a mandatory message that goes nowhere returns first",
		want: `312 NO_ROUTE exchange="" rk="nope" body=x, ack=true`,
		run: func(e *env) string {
			ch := e.channel()
			e.must(ch.Confirm(false))
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			confirmation, err := ch.PublishWithDeferredConfirm("", e.name("nope"), true, false, say("x"))
			e.must(err)
			acked := confirmation.Wait()
			if len(returned) == 0 {
				return "no return before the confirm"
			}
			r := <-returned
			return fmt.Sprintf("%d %s exchange=%q rk=%q body=%s, ack=%t", r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, r.Body, acked)
		},
	},
	{
		name: "a mandatory message that goes nowhere through an exchange",
		want: `312 NO_ROUTE exchange="amq.topic" rk="nope" content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply expiration=60000 message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void}`,
		run: func(e *env) string {
			ch := e.channel()
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			p := everyProperty
			p.Headers = everyHeader
			e.must(ch.PublishWithContext(e.Context(), "amq.topic", e.name("nope"), true, false, p))
			select {
			case r := <-returned:
				return fmt.Sprintf("%d %s exchange=%q rk=%q %s", r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, showProperties(amqp.Delivery{
					Headers: r.Headers, ContentType: r.ContentType, ContentEncoding: r.ContentEncoding, DeliveryMode: r.DeliveryMode,
					Priority: r.Priority, CorrelationId: r.CorrelationId, ReplyTo: r.ReplyTo, Expiration: r.Expiration,
					MessageId: r.MessageId, Timestamp: r.Timestamp, Type: r.Type, UserId: r.UserId, AppId: r.AppId,
				}))
			case <-time.After(patience):
				return "nothing"
			}
		},
	},
	{
		name: "a mandatory message that arrives",
		want: "ack=true, returned: 0",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Confirm(false))
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			confirmation, err := ch.PublishWithDeferredConfirm("", q, true, false, say("x"))
			e.must(err)
			return fmt.Sprintf("ack=%t, returned: %d", confirmation.Wait(), len(returned))
		},
	},
	{
		name: "what expires at once",
		want: "ack",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Confirm(false))
			return ch.confirmed("", q, expiring("x", "0"))
		},
	},
	{
		name: "persistent and not, in a durable queue and not",
		want: "ack,ack,ack,ack,ack,ack",
		run: func(e *env) string {
			q, transient := e.classic("q", nil), e.name("transient")
			ch := e.channel()
			e.must(ch.declare(transient, exclusive, nil))
			e.must(ch.Confirm(false))
			var answers []string
			for _, mode := range []uint8{0, 1, 2} {
				for _, queue := range []string{q, transient} {
					answers = append(answers, ch.confirmed("", queue, amqp.Publishing{DeliveryMode: mode}))
				}
			}
			return strings.Join(answers, ",")
		},
	},
}}

// heard lists n confirmations by tag, with a minus where one is negative, and what comes then.
func heard(e *env, confirmed <-chan amqp.Confirmation, n int) string {
	var tags []string
	for range n {
		select {
		case c := <-confirmed:
			tag := fmt.Sprint(c.DeliveryTag)
			if !c.Ack {
				tag = "-" + tag
			}
			tags = append(tags, tag)
		case <-time.After(patience):
			e.Fatalf("only %v is confirmed", tags)
		}
	}
	select {
	case c := <-confirmed:
		return fmt.Sprintf("%s, and %d", strings.Join(tags, ","), c.DeliveryTag)
	case <-time.After(quiet):
		return strings.Join(tags, ",")
	}
}
