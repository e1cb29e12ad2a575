// Package rabbittest is a RabbitMQ inside the test: a broker in the same process that speaks AMQP 0-9-1 with the
// unmodified client library, over memory or TCP.
//
// In a [testing/synctest] bubble its time is virtual. Three retries an hour apart take a few milliseconds:
//
//	synctest.Test(t, func(t *testing.T) {
//		broker := rabbittest.New(t)
//		conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial})
//		…
//		time.Sleep(3 * time.Hour)
//		if n := broker.Queue("orders.error").Len(); n != 1 {
//			t.Errorf("%d messages in the error queue", n)
//		}
//	})
//
// Programs that use amqp091-go by itself give amqp.Config{Dial: broker.Connect} to amqp.DialConfig. Programs in other
// languages connect over TCP: see [Broker.Listen], and the command warren broker.
//
// # What it is like
//
// It behaves as RabbitMQ 3.10.8, 4.0.5 or 4.3.6 do (see [Options]), down to reply codes and texts: the table of cases in
// the folder conformance is run on this broker and on those three. It has connections with their handshake, tuning,
// heartbeats, alarms and closes; channels, confirms, returns, transactions; direct, topic, fanout and headers exchanges,
// bindings between them, alternate and internal ones; classic and quorum queues with all that may be said of them:
// dead-lettering at most once and at least once, expiry of messages and queues, length limits, priorities, single active
// consumers, delivery limits, delayed retries.
//
// It has one node, and keeps everything in memory: no streams, no clusters, no policies, no management but for
// connections, no plugins, no AMQP 1.0, no TLS. A confirm comes as soon as the message is in its queues. What RabbitMQ does not
// promise (which of two connections is served first, how confirms are grouped) it may do in another way.
//
// # Looking
//
// [Broker.Queue] tells what is in a queue, and with whom; [Broker.History] what happened; [Broker.Topology] is text for
// golden files, [Broker.Dump] is for people, and is logged when a test fails.
//
// # Waiting
//
// In a bubble there is seldom a need: time passes when everyone waits. [Broker.WaitIdle] and [Queue.Wait] wait without
// polling, in a bubble and outside.
//
// # Breaking
//
// Dials and logins are refused, connections dropped, silenced, closed with a code or cut at a point of the protocol,
// publishes nacked or returned, confirms held, consumers cancelled, queues deleted, publishers blocked, the broker
// paused, stopped, killed and started again with what RabbitMQ keeps. [CrashPoints] does it at every step of a scenario
// in turn, as a proof that nothing is lost wherever a connection ends.
//
// # In a bubble
//
// A message that nobody will ever send is a report within milliseconds, "deadlock: all goroutines in bubble are blocked",
// with the stacks of those who wait, and not a test that hangs. That takes heartbeats to be off, as [Broker.URL] asks: an
// amqp091-go client dialled without heartbeat=0 in its URL has them every ten seconds, and time then runs on for ever.
//
// All that uses the broker must be made inside the bubble. Goroutines of clients that a test forgets end with the broker
// when the test is over.
package rabbittest
