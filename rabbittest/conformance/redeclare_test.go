package conformance_test

import amqp "github.com/rabbitmq/amqp091-go"

// redeclaring is what a broker says to a second declaration of the same queue.
var redeclaring = section{"declare a queue again", []row{
	{
		name: "not durable",
		want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'",
		run: func(e *env) string {
			q := e.queue("q")
			e.must(e.channel().declare(q, durable, nil))
			return e.try(func(ch *channel) error { return ch.declare(q, none, nil) })
		},
	},
	{
		name: "as a quorum queue",
		want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
		on: map[string]string{
			"4": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'",
		},
		run: func(e *env) string {
			q := e.queue("q")
			e.must(e.channel().declare(q, durable, nil))
			return e.try(func(ch *channel) error { return ch.declare(q, durable, amqp.Table{"x-queue-type": "quorum"}) })
		},
	},
}}
