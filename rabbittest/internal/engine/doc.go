// Package engine is a RabbitMQ without a network: exchanges, queues, bindings, routing, dead-lettering, consumers,
// acknowledgements, confirms and transactions, with RabbitMQ's own reply codes and texts.
//
// A [Node] is one broker. Everything it has is guarded by one lock, held only for work in memory: whoever wants
// something of it says [Node.Do], and every other function and method of this package is called from inside that. What
// a command sets off (deliveries, expiries, dead letters) happens at the end of Do, after the caller has written the
// command's own reply; so a reply always comes before its consequences.
//
// The network side gives each channel a [Peer], which takes what the broker says to the client by itself. A Peer is
// called under the lock and must not block.
//
// Time is that of the time package, so in a testing/synctest bubble it is virtual. A timer exists only while something
// waits for it: a node in which nothing can happen any more has none, and a bubble can tell.
//
// How the versions of RabbitMQ differ is data: see [Profile].
package engine
