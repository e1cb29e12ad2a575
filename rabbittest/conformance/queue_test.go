package conformance_test

import "fmt"

// deleted declares a queue, does something with it, and deletes it over another channel of the same connection.
func deleted(do func(e *env, ch *channel, q string), ifUnused, ifEmpty bool) func(e *env) string {
	return func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		do(e, ch, q)
		n := 0
		fate := e.try(func(ch *channel) (err error) {
			n, err = ch.QueueDelete(q, ifUnused, ifEmpty, false)
			return err
		})
		return fmt.Sprintf("%d %s", n, fate)
	}
}

// nothing is done by a row that wants a new queue.
func nothing(*env, *channel, string) {}

// consumed and filled are queues with a consumer, and with two messages.
func consumed(_ *env, ch *channel, q string) { ch.consume(q, "", nil) }
func filled(e *env, _ *channel, q string)    { e.put("", q, "a", "b") }

// deleting is what a broker says when a queue is deleted, or purged.
var deleting = section{"delete and purge a queue", []row{
	{name: "delete", want: "0 no error", run: deleted(nothing, false, false)},
	{name: "delete with messages", want: "2 no error", run: deleted(filled, false, false)},
	{name: "delete with a consumer", want: "0 no error", run: deleted(consumed, false, false)},
	{name: "delete if unused, and it is", want: "2 no error", run: deleted(filled, true, false)},
	{name: "delete if unused, and it is not", want: "0 channel 406 PRECONDITION_FAILED - queue 'q' in vhost '/' in use", run: deleted(consumed, true, false)},
	{name: "delete if empty, and it is", want: "0 no error", run: deleted(consumed, false, true)},
	{name: "delete if empty, and it is not", want: "0 channel 406 PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", run: deleted(filled, false, true)},
	{name: "delete if unused and empty, and it is neither", want: "0 channel 406 PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", run: deleted(func(e *env, ch *channel, q string) {
		filled(e, ch, q)
		e.must(ch.Qos(1, 0, false))
		e.next(ch.consume(q, "", nil)) // one message is left in the queue
	}, true, true)},
	{name: "delete if empty, and all is unacknowledged", want: "0 no error", run: deleted(func(e *env, ch *channel, q string) {
		filled(e, ch, q)
		d := ch.consume(q, "", nil)
		e.receive(d, 2)
	}, false, true)},
	{name: "delete with one ready and one unacknowledged", want: "1 no error", run: deleted(func(e *env, ch *channel, q string) {
		filled(e, ch, q)
		_, _, err := ch.Get(q, false)
		e.must(err)
	}, false, false)},
	{name: "delete a quorum queue if unused, and it is", want: "connection 540 NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-unused flag set are not supported by quorum queues", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum()))
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(q, true, false, false)
			return err
		})
	}},
	{name: "delete a quorum queue if empty", want: "connection 540 NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-empty flag set are not supported by quorum queues", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum()))
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(q, false, true, false)
			return err
		})
	}},
	{name: "delete a quorum queue if unused and empty", want: "connection 540 NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-unused flag set are not supported by quorum queues", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum()))
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(q, true, true, false)
			return err
		})
	}},
	{name: "delete a quorum queue if unused, and it is not", want: "connection 540 NOT_IMPLEMENTED - cannot delete queue 'q' in vhost '/'. queue.delete operations with if-unused flag set are not supported by quorum queues", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum()))
		e.channel().consume(q, "", nil)
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(q, true, false, false)
			return err
		})
	}},
	{name: "delete what does not exist", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(e.name("q"), false, false, false)
			return err
		})
	}},
	{name: "delete what does not exist, if unused and empty", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(e.name("q"), true, true, false)
			return err
		})
	}},
	{name: "delete without a name, and none was declared", want: "channel 404 NOT_FOUND - no previously declared queue", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete("", false, false, false)
			return err
		})
	}},
	{name: "delete without a name: the queue that was declared last", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		q := e.queue("q")
		e.try(func(ch *channel) error {
			e.must(ch.declare(q, durable, nil))
			_, err := ch.QueueDelete("", false, false, false)
			return err
		})
		return e.counts(q)
	}},
	{name: "delete without waiting", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		q := e.queue("q")
		e.try(func(ch *channel) error {
			e.must(ch.declare(q, durable, nil))
			_, err := ch.QueueDelete(q, false, false, true)
			return err
		})
		return e.counts(q)
	}},
	{name: "delete without waiting, if unused, and it is not", want: "channel 406 PRECONDITION_FAILED - queue 'q' in vhost '/' in use", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.channel().consume(q, "", nil)
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDelete(q, true, false, true)
			return err
		})
	}},
	{name: "purge", want: "2 no error, messages=0 consumers=0", run: purged(filled)},
	{name: "purge nothing", want: "0 no error, messages=0 consumers=0", run: purged(nothing)},
	{name: "purge with one unacknowledged", want: "1 no error, messages=0 consumers=0", run: purged(func(e *env, ch *channel, q string) {
		filled(e, ch, q)
		_, _, err := ch.Get(q, false)
		e.must(err)
	})},
	{name: "purge what does not exist", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueuePurge(e.name("q"), false)
			return err
		})
	}},
	{name: "purge what does not exist, without waiting", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueuePurge(e.name("q"), true)
			return err
		})
	}},
	{name: "purge without a name, and none was declared", want: "channel 404 NOT_FOUND - no previously declared queue", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueuePurge("", false)
			return err
		})
	}},
	{name: "purge without waiting", want: "messages=0 consumers=0", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.put("", q, "a")
		e.try(func(ch *channel) error {
			_, err := ch.QueuePurge(q, true)
			return err
		})
		return e.counts(q)
	}},
	{name: "purge a quorum queue", want: "2 none", run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, quorum()))
		e.put("", q, "a", "b")
		n, err := ch.QueuePurge(q, false)
		e.must(err)
		return fmt.Sprint(n) + " " + e.drain(q)
	}},
}}

// purged declares a queue, does something with it, and purges it.
func purged(do func(e *env, ch *channel, q string)) func(e *env) string {
	return func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		do(e, ch, q)
		n := 0
		fate := e.try(func(ch *channel) (err error) {
			n, err = ch.QueuePurge(q, false)
			return err
		})
		return fmt.Sprintf("%d %s, %s", n, fate, e.counts(q))
	}
}

// locked declares an exclusive queue, and does something with it over another connection.
func locked(do func(ch *channel, q string) error) func(e *env) string {
	return func(e *env) string {
		q := e.name("q")
		e.must(e.channel().declare(q, exclusive, nil))
		return e.tryOn(e.connect(), func(ch *channel) error { return do(ch, q) })
	}
}

// exclusives is who may do what with an exclusive queue.
var exclusives = section{"use another's exclusive queue", []row{
	{name: "declare, exclusive", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error { return ch.declare(q, exclusive, nil) })},
	{name: "declare, not exclusive", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error { return ch.declare(q, none, nil) })},
	{name: "declare with other arguments", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		return ch.declare(q, durable|exclusive, arguments("x-message-ttl", int32(1)))
	})},
	{name: "declare passively", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		_, err := ch.QueueDeclarePassive(q, false, false, true, false, nil)
		return err
	})},
	{name: "declare without waiting", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error { return ch.declare(q, exclusive|noWait, nil) })},
	{name: "consume", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		_, err := ch.Consume(q, "t", false, false, false, false, nil)
		return err
	})},
	{name: "consume without waiting", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		_, err := ch.Consume(q, "t", false, false, false, true, nil)
		return err
	})},
	{name: "get", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		_, _, err := ch.Get(q, true)
		return err
	})},
	{name: "purge", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		_, err := ch.QueuePurge(q, false)
		return err
	})},
	{name: "delete", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error {
		_, err := ch.QueueDelete(q, false, false, false)
		return err
	})},
	{name: "bind", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: locked(func(ch *channel, q string) error { return ch.bind(q, "amq.direct", q, nil) })},
	{name: "unbind", want: "no error", run: locked(func(ch *channel, q string) error { return ch.QueueUnbind(q, q, "amq.direct", nil) })},
	{name: "unbind what its owner has bound", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: func(e *env) string {
		q, ch := e.name("q"), e.channel()
		e.must(ch.declare(q, exclusive, nil))
		e.must(ch.bind(q, "amq.direct", q, nil))
		return e.tryOn(e.connect(), func(ch *channel) error { return ch.QueueUnbind(q, q, "amq.direct", nil) })
	}},
	{name: "cancel another's consumer", want: "no error / messages=0 consumers=1", run: func(e *env) string {
		q, ch := e.name("q"), e.channel()
		e.must(ch.declare(q, exclusive, nil))
		ch.consume(q, "t", nil)
		return e.tryOn(e.connect(), func(ch *channel) error { return ch.Cancel("t", false) }) + " / " + e.counts(q)
	}},
	{name: "publish to it", want: `body=a redelivered=false exchange="" rk="q"`, run: func(e *env) string {
		q := e.name("q")
		e.must(e.channel().declare(q, exclusive, nil))
		e.put("", q, "a") // over another connection
		d, _, err := e.channel().Get(q, true)
		e.must(err)
		return show(d)
	}},
	{name: "one's own, over another channel", want: "no error", run: func(e *env) string {
		q := e.name("q")
		e.must(e.channel().declare(q, exclusive, nil))
		return e.try(func(ch *channel) error {
			e.must(ch.declare(q, exclusive, nil))
			_, _, err := ch.Get(q, true)
			return err
		})
	}},
	{name: "after its channel was closed", want: "messages=0 consumers=0", run: func(e *env) string {
		q, ch := e.name("q"), e.channel()
		e.must(ch.declare(q, exclusive, nil))
		e.must(ch.Close())
		return e.counts(q)
	}},
	{name: "after its connection was closed", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		q, conn := e.name("q"), e.connect()
		e.must(e.channelOn(conn).declare(q, exclusive, nil))
		e.must(conn.Close())
		return e.until("channel 404 NOT_FOUND - no queue '"+q+"' in vhost '/'", func() string { return e.counts(q) })
	}},
	{name: "durable, after its connection was closed", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		q, conn := e.name("q"), e.connect()
		e.must(e.channelOn(conn).declare(q, durable|exclusive, nil))
		e.must(conn.Close())
		return e.until("channel 404 NOT_FOUND - no queue '"+q+"' in vhost '/'", func() string { return e.counts(q) })
	}},
}}

// channelModes is what a channel can and cannot be switched to.
var channelModes = section{"confirms and transactions", []row{
	{name: "confirm twice", want: "no error", run: named(func(ch *channel) error {
		ch.e.must(ch.Confirm(false))
		return ch.Confirm(false)
	})},
	{name: "transaction twice", want: "no error", run: named(func(ch *channel) error {
		ch.e.must(ch.Tx())
		return ch.Tx()
	})},
	{name: "confirm, then transaction", want: "channel 406 PRECONDITION_FAILED - cannot switch from confirm to tx mode", run: named(func(ch *channel) error {
		ch.e.must(ch.Confirm(false))
		return ch.Tx()
	})},
	{name: "transaction, then confirm", want: "channel 406 PRECONDITION_FAILED - cannot switch from tx to confirm mode", run: named(func(ch *channel) error {
		ch.e.must(ch.Tx())
		return ch.Confirm(false)
	})},
	{name: "transaction, then confirm without waiting", want: "channel 406 PRECONDITION_FAILED - cannot switch from tx to confirm mode", run: named(func(ch *channel) error {
		ch.e.must(ch.Tx())
		return ch.Confirm(true)
	})},
	{name: "confirm without waiting", want: "basic.ack 1 0", run: func(e *env) string {
		r := e.raw()
		r.method(1, 85, 10, bits(1))
		r.publish(1, "", e.name("nope"), "a")
		return r.next()
	}},
	{name: "commit without a transaction", want: "channel 406 PRECONDITION_FAILED - channel is not transactional", run: named(func(ch *channel) error { return ch.TxCommit() })},
	{name: "rollback without a transaction", want: "channel 406 PRECONDITION_FAILED - channel is not transactional", run: named(func(ch *channel) error { return ch.TxRollback() })},
	{name: "commit an empty transaction", want: "no error", run: named(func(ch *channel) error {
		ch.e.must(ch.Tx())
		return ch.TxCommit()
	})},
	{name: "commit in confirm mode", want: "channel 406 PRECONDITION_FAILED - channel is not transactional", run: named(func(ch *channel) error {
		ch.e.must(ch.Confirm(false))
		return ch.TxCommit()
	})},
	{name: "flow, active", want: "no error", run: named(func(ch *channel) error { return ch.Flow(true) })},
	{name: "flow, not active", want: "connection 540 NOT_IMPLEMENTED - active=false", run: named(func(ch *channel) error { return ch.Flow(false) })},
}}
