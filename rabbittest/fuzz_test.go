package rabbittest_test

import (
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// FuzzBroker lets a client that has logged in send anything. Whatever it is, the broker neither fails nor hangs, and
// serves the next client.
func FuzzBroker(f *testing.F) {
	for _, section := range [][]protocolCase{framing, misplaced, contents} {
		for _, c := range section {
			f.Add(byte(0), []byte(c.send))
		}
	}
	for i, m := range []wire.Method{
		&wire.QueueDeclare{Queue: "q", Durable: true, Arguments: wire.Table{
			{Name: "x-message-ttl", Value: int32(1000)},
			{Name: "x-dead-letter-exchange", Value: ""},
			{Name: "x-dead-letter-routing-key", Value: "q"},
			{Name: "x-max-length", Value: int64(2)},
			{Name: "x-overflow", Value: "reject-publish"},
			{Name: "x-max-priority", Value: uint8(3)},
		}},
		&wire.QueueDeclare{Queue: "qq", Durable: true, Arguments: wire.Table{
			{Name: "x-queue-type", Value: "quorum"},
			{Name: "x-delivery-limit", Value: int16(2)},
			{Name: "x-delayed-retry-type", Value: "all"},
			{Name: "x-delayed-retry-min", Value: int32(1)},
			{Name: "x-single-active-consumer", Value: true},
		}},
		&wire.QueueBind{Queue: "q", Exchange: "amq.headers", Arguments: wire.Table{{Name: "x-match", Value: "any"}, {Name: "a", Value: nil}}},
		&wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#.a.*"},
		&wire.ExchangeDeclare{Exchange: "x", Type: "topic", Arguments: wire.Table{{Name: "alternate-exchange", Value: "x"}}},
		&wire.ExchangeBind{Source: "x", Destination: "x", RoutingKey: "#"},
		&wire.BasicConsume{Queue: "q", Arguments: wire.Table{{Name: "x-priority", Value: int8(-1)}}},
		&wire.BasicQos{PrefetchCount: 1, Global: true},
		&wire.BasicGet{Queue: "q"},
		&wire.BasicAck{DeliveryTag: 1, Multiple: true},
		&wire.BasicNack{DeliveryTag: 1, Requeue: true},
		&wire.BasicReject{DeliveryTag: 1},
		&wire.BasicRecover{Requeue: true},
		&wire.QueueDelete{Queue: "q", IfEmpty: true},
		&wire.QueuePurge{Queue: "q"},
		&wire.TxSelect{}, &wire.TxCommit{}, &wire.TxRollback{}, &wire.ConfirmSelect{},
	} {
		f.Add(byte(i), []byte(method(1, m)))
	}
	f.Add(byte(1), []byte(message(1, &wire.BasicPublish{RoutingKey: "q", Mandatory: true}, wire.Properties{
		Flags: wire.HasHeaders | wire.HasExpiration | wire.HasPriority, Expiration: "10", Priority: 9,
		Headers: wire.Table{{Name: "CC", Value: wire.Array{"qq", nil}}, {Name: "x-death", Value: wire.Array{wire.Table{{Name: "count", Value: "NaN"}}}}},
	}, "body")))
	versions := []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3}
	f.Fuzz(func(t *testing.T, which byte, garbage []byte) {
		synctest.Test(t, func(t *testing.T) {
			b := rabbittest.NewWith(t, rabbittest.Options{Version: versions[int(which)%len(versions)]})
			before := rawClient(t, b) // with something for the garbage to work upon
			before.open()
			for _, m := range []wire.Method{
				&wire.ConfirmSelect{},
				&wire.QueueDeclare{Queue: "q", Arguments: wire.Table{{Name: "x-dead-letter-exchange", Value: "amq.fanout"}}},
				&wire.QueueBind{Queue: "q", Exchange: "amq.fanout"},
				&wire.BasicConsume{Queue: "q"},
			} {
				before.send(1, m)
			}
			before.write(message(1, &wire.BasicPublish{RoutingKey: "q"}, wire.Properties{}, "x"))
			fuzzed := rawClient(t, b)
			fuzzed.open()
			fuzzed.send(1, &wire.BasicConsume{Queue: "q", NoAck: which&1 == 0})
			fuzzed.write(string(garbage))
			synctest.Wait()
			_ = fuzzed.conn.Close()
			after := rawClient(t, b)
			after.open()
			_ = b.Dump()
			b.Close()
		})
	})
}
