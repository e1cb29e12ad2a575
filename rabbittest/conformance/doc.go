// Package conformance has no code, only tests: they say what RabbitMQ does, and hold rabbittest to it.
//
// There is one table of cases, the rows. A row does something with a broker and returns what it saw as text: codes,
// messages, headers and their order. The same rows run on RabbitMQ 3.10, 4.0 and 4.3, which is where the expected
// texts come from, and on rabbittest as each of the three, in a testing/synctest bubble. Where versions differ, the
// row says how.
//
// What no row has thought of, random scripts look for: they do the same with both brokers, and compare.
//
//	AMQP_URL=amqp://guest:guest@localhost/ go test ./rabbittest/conformance -scripts 500
package conformance
