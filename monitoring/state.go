package monitoring

import "time"

// Published is the result of publishing one message, as an application asked
// for. Messages that a consumer moves to a retry or error queue are not among
// them.
type Published struct {
	// Exchange and Key are where it was published to. For a message to a queue
	// the exchange is empty and the key is the queue.
	Exchange, Key string
	// MessageID is its id.
	MessageID string
	// BodySize is the size of the encoded body in bytes.
	BodySize int
	// Took is the time from the call until the broker's word, or until the
	// call gave up.
	Took time.Duration
	// Result says what became of it, in a word.
	Result Result
	// Err is nil if the broker has taken the message over. Otherwise it is
	// what the caller got; see package publisher for its kinds.
	Err error
}

// Result says what became of a message that an application published. There are
// few of them, so that it can be a label of a metric.
type Result string

const (
	// ResultConfirmed is a message that the broker has.
	ResultConfirmed Result = "confirmed"
	// ResultUnroutable is one that no queue takes.
	ResultUnroutable Result = "unroutable"
	// ResultRefused is one that a queue did not take.
	ResultRefused Result = "refused"
	// ResultBlocked is one that was not sent since the broker takes none.
	ResultBlocked Result = "blocked"
	// ResultTooLarge is one that the broker would not take.
	ResultTooLarge Result = "too_large"
	// ResultUnencodable is one that cannot be written.
	ResultUnencodable Result = "unencodable"
	// ResultUnsent is one that was not sent for another reason: the context had
	// ended, the publisher was closed, or there was no connection.
	ResultUnsent Result = "unsent"
	// ResultUnknown is one that the broker may have, or not.
	ResultUnknown Result = "unknown"
)

// Connected is a connection to the broker that has come up.
type Connected struct {
	// Name is the name of the connection, with "/consume" or "/publish" behind
	// it: Warren keeps the two apart.
	Name string
	// Address is the node's host and port.
	Address string
	// Version is the broker's version, such as "4.3.6".
	Version string
	// Took is how long the dial took.
	Took time.Duration
}

// Disconnected is a connection to the broker that has ended. Unless it was
// closed by the application, Warren dials again.
type Disconnected struct {
	Name    string
	Address string
	// Err is what ended it; nil if the application closed it.
	Err error
	// Lived is how long it was up.
	Lived time.Duration
}

// DialFailed is a dial that failed. Warren dials again after Next.
type DialFailed struct {
	Name    string
	Address string
	Err     error
	// Refused says that the broker refused for a reason that will not go away
	// by itself, such as a wrong password.
	Refused bool
	// Tries is how many dials have failed in a row. A connection that lived for
	// less than five seconds counts as one.
	Tries int
	// Next is the wait before the next dial.
	Next time.Duration
}

// Blocked says that the broker takes no more messages from this connection,
// because it is short of memory or disk. Publishing waits. It ends with
// [Unblocked], or with [Disconnected].
type Blocked struct {
	Name    string
	Address string
	// Reason is the broker's text, such as "low on memory".
	Reason string
}

// Unblocked says that the broker takes messages again.
type Unblocked struct {
	Name    string
	Address string
	// After is how long it was blocked.
	After time.Duration
}

// ConsumerReady says that a consumer is subscribed to its queue, for the first
// time or again.
type ConsumerReady struct {
	Queue string
	// Consumer tells consumers of one queue in one program apart: a number that
	// all events of one consumer have, and no other's.
	Consumer int64
	Workers  int
	Prefetch int
}

// ConsumerResized says that SetWorkers was called while the consumer is
// subscribed, and has taken effect.
type ConsumerResized struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
	Workers  int
	Prefetch int
}

// ConsumerLost says that a consumer is no longer subscribed, though it should
// be. It subscribes again after Next.
type ConsumerLost struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
	// Err is what ended, or prevented, the subscription.
	Err error
	// Refused says that the broker refuses it for a reason that will not go
	// away by itself, such as a queue with other arguments.
	Refused bool
	// Unhandled is the number of deliveries that were taken back by the broker
	// and will be delivered again.
	Unhandled int
	// Next is the wait before the next try.
	Next time.Duration
}

// ConsumerPaused says that Pause was called and has taken effect.
type ConsumerPaused struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
}

// ConsumerResumed says that Resume was called and has taken effect: the consumer
// is about to subscribe. When it has, [ConsumerReady] follows.
type ConsumerResumed struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
}

// ConsumerOverloaded says that as many handlers as allowed are stuck: the
// consumer takes no more messages until one of them returns. It ends with
// [ConsumerReady], or with [ConsumerStopping].
type ConsumerOverloaded struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
	// Stuck is how many handlers are stuck.
	Stuck int
}

// ConsumerStopping says that a consumer begins to drain: it takes no more
// messages and waits for the handlers that run.
type ConsumerStopping struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
	// Running is the number of handlers that run.
	Running int
}

// ConsumerStopped says that Run is about to return.
type ConsumerStopped struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
	// Err is what Run returns.
	Err error
	// Took is how long draining took.
	Took time.Duration
}

// QueuesDeclared says that a consumer declared, or checked, its queues.
type QueuesDeclared struct {
	Queue string
	// Count is how many queues, exchanges and bindings it declared or checked.
	Count int
	Took  time.Duration
}

// WaitingChosen says in which way messages wait between their attempts, where a
// consumer was asked to find out by itself (consumer.Auto): at its first
// connection, and whenever that changes.
type WaitingChosen struct {
	Queue string
	// Consumer tells it from other consumers of the queue; see [ConsumerReady].
	Consumer int64
	// Waiting is "native" or "tiers".
	Waiting string
	// Reason is why it is not another one; empty if it is the best there is.
	Reason string
}

// HeaderIgnored says that a header of Warren on a received message could not be
// used, and was taken as absent. The message is handled all the same.
type HeaderIgnored struct {
	Queue     string
	MessageID string
	// Header is its name. Its value is not told: it may be hostile.
	Header string
}

// Reviewed says that someone has acted upon the entries of an error queue, or
// has asked what would become of them: one event for each call of package
// errorqueue that is more than reading. It is the audit trail, so it is told
// also if nothing was done, and why.
type Reviewed struct {
	// Queue is the main queue, and ErrorQueue the one that was worked on.
	Queue, ErrorQueue string
	// Action is "replay", "discard", "move", "copy", "export" or "import".
	Action string
	// Filter says which entries were meant, such as "reason=exhausted", or
	// "all". It is what the caller wrote.
	Filter string
	// To is the queue that entries were published to, or an exchange and a key
	// as "exchange/key", or "origin" where each went where it once came from;
	// empty if they were not published, or only to a file.
	To string
	// By is who did it, as far as the caller has said, or else the user and host
	// of the process.
	By string
	// Run names a replay, so that it can be resumed; empty for other actions.
	Run string
	// DryRun says that nothing was to be changed, and nothing was.
	DryRun bool
	// Matched is how many entries were meant, as far as the call has got; Done
	// how many were acted upon, and Failed upon how many that was tried in vain:
	// these are where they were. Left is how many were left alone, by a limit,
	// an interruption or a dry run.
	Matched, Done, Failed, Left int
	// Took is how long the call took.
	Took time.Duration
	// Err is what the call returned. A call without an error may have Failed
	// entries all the same.
	Err error
}

// MonitorPanicked says that a monitor panicked. It is sent to the other
// monitors of an [All].
type MonitorPanicked struct {
	// Monitor is the type of the one that panicked, such as "*stats.Monitor".
	Monitor string
	// Event is the type of what it was told, such as "monitoring.Acked", or
	// "*monitoring.Operation" if it panicked in Start.
	Event string
	// Value is what it panicked with. Take care when formatting it: its methods
	// may panic, too.
	Value any
	// Stack is where. Since it is slow to get, it is there at the first panic
	// and whenever Count has passed another power of two, and otherwise nil.
	Stack []byte
	// Count is how often this monitor has panicked so far, this time included.
	Count int64
}

func (Published) event()          {}
func (Connected) event()          {}
func (Disconnected) event()       {}
func (DialFailed) event()         {}
func (Blocked) event()            {}
func (Unblocked) event()          {}
func (ConsumerReady) event()      {}
func (ConsumerResized) event()    {}
func (ConsumerLost) event()       {}
func (ConsumerPaused) event()     {}
func (ConsumerResumed) event()    {}
func (ConsumerOverloaded) event() {}
func (ConsumerStopping) event()   {}
func (ConsumerStopped) event()    {}
func (QueuesDeclared) event()     {}
func (WaitingChosen) event()      {}
func (HeaderIgnored) event()      {}
func (Reviewed) event()           {}
func (MonitorPanicked) event()    {}
