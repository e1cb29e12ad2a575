// Package warren is the map of Warren, a library for consuming RabbitMQ queues
// with retries. It holds no code.
//
// You write a function that handles one message and says what becomes of it:
// ack, retry or error. Warren declares the queues, keeps the connection, runs
// the workers, waits between attempts, moves what is beyond help to an error
// queue where a person can look at it, and tells your monitoring what happened.
// No confirmed message is lost, whatever dies.
//
//	connection   keeps connections alive and hands out live channels
//	publisher    sends values and waits for the broker's word
//	consumer     runs a handler for each message and carries out its outcome
//	retry        says how long to wait before each further attempt
//	codec        turns bodies into values and back: JSON, raw bytes
//	monitoring   names what happened and tells those who asked
//	rabbittest   is a RabbitMQ inside the test
//	topology     computes the queues, exchanges and bindings of a consumer
//
// A program needs three of them:
//
//	conn, err := connection.Open(ctx, os.Getenv("AMQP_URL"), connection.Config{Name: "billing"})
//
//	p, err := publisher.New(conn, publisher.Config{})
//	err = p.Publish(ctx, "orders", Order{ID: "7", Cents: 1200}) // nil: the broker has it
//
//	c, err := consumer.New(conn, "orders", billing.Charge, consumer.Config{
//		Workers: 8,
//		Retry:   retry.Exponential(5, time.Second, time.Hour),
//	})
//	err = c.Run(ctx) // until ctx ends and the running handlers are done
//
// README.md shows it step by step, examples/ holds programs to run, and
// DESIGN.md says why things are as they are.
package warren
