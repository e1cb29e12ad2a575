// Package conformance has no code, only tests: they say what RabbitMQ does, and hold rabbittest to it.
//
// There is one table of cases, the rows. A row does something with a broker and returns what it saw as text: codes,
// messages, headers and their order. The same rows run on RabbitMQ 3.10, 4.0 and 4.3, which is where the expected
// texts come from, and on rabbittest as each of the three, in a testing/synctest bubble. Where versions differ, the
// row says how.
package conformance
