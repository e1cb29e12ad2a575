// Package wire is AMQP 0-9-1 as bytes: frames, methods, content properties and
// field tables, read and written as RabbitMQ reads and writes them.
//
// It is pure. It knows no connection and no broker, starts no goroutine, and
// needs an io.Reader for one thing only, to find where a frame ends. What it
// makes of broken bytes is what RabbitMQ makes of them: an *Error says the reply
// code and the text with which a broker ends the connection.
//
// The numbers are those of the AMQP 0-9-1 specification with RabbitMQ's errata
// (https://www.rabbitmq.com/amqp-0-9-1-errata) and its extensions.
package wire
