// Package monitoring names what happens in Warren and tells those who asked.
//
// Everything worth knowing is an [Event]: a struct with exported fields. A
// [Monitor] receives them through one method. Give one to connection.Config,
// and every consumer and publisher on that connection reports to it, unless
// their own Config names another. [All] combines several; [Log] writes to
// log/slog and is what you get when you set nothing.
//
// A monitor picks the events it cares about with a type switch and ignores the
// rest. New kinds of events, and new fields, may come with any minor release.
//
//	func (m *Metrics) Observe(_ context.Context, e monitoring.Event) {
//		switch e := e.(type) {
//		case monitoring.Acked:
//			m.acked.Observe(e.Queue, e.Handling)
//		case monitoring.Errored:
//			m.errored.Count(e.Queue, e.Reason)
//		}
//	}
//
// # What every message event has in common
//
// Each run of a handler, and each message that is settled without one, ends in
// exactly one of [Acked], [Retried], [Deferred], [Errored], [HandedBack] and
// [Lost]. They all embed [Delivery]. Counting these six counts deliveries;
// nothing ends in silence. It does not count messages: one that was acked just
// before its connection was lost may be delivered, and acked, again. Who needs
// to count messages keeps their ids.
//
// # What no event has
//
// No event has a password, or a URL that could hold one: connections are told
// apart by name and address. What messages bring along is passed on as it came,
// however: ids, types and error texts may hold anything, and bodies often hold
// personal data. [Log] bounds the texts and leaves the bodies out.
package monitoring

import "context"

// Monitor is told what happens.
//
// Observe is called from the goroutine in which the event happens, often one
// that settles a message. It must return quickly and must not block: count,
// buffer or drop, and do slow work elsewhere. It is called from many goroutines
// at once. A panic in it is contained, counted and reported as
// [MonitorPanicked]; the message is not affected. See [All].
//
// For the events that concern one message, ctx is the context its handler had,
// with the values that a [Starter] put there. It may have ended already; use it
// for its values, not for its deadline.
type Monitor interface {
	Observe(ctx context.Context, e Event)
}

// Event is one of the structs of this package. The interface is sealed, so that
// events can be added without breaking a Monitor.
type Event interface{ event() }

// Func makes a Monitor of a function.
type Func func(ctx context.Context, e Event)

// Observe calls f(ctx, e).
func (f Func) Observe(ctx context.Context, e Event) { f(ctx, e) }

// Discard is a Monitor that ignores every event.
type Discard struct{}

// Observe does nothing.
func (Discard) Observe(context.Context, Event) {}

// Starter is a Monitor that also wants to know when an operation begins. It is
// what tracing needs: Start is called before a handler runs and before a
// message leaves, and the context it returns is the one that the handler gets
// and that Observe gets with the event that ends the operation.
//
// An operation of kind [Process] ends with one of the six message events, or
// with none if the process dies. One of kind [Publish] ends with [Published].
// The rules for Observe hold for Start, too. A nil context, or a panic, leaves
// the context as it was.
type Starter interface {
	Monitor
	Start(ctx context.Context, op *Operation) context.Context
}

// OperationKind says what an [Operation] is about to do.
type OperationKind int

const (
	// Process is the run of a handler for one delivery.
	Process OperationKind = iota + 1
	// Publish is the publishing of one message by an application.
	Publish
)

// String returns "process" or "publish".
func (k OperationKind) String() string {
	switch k {
	case Process:
		return "process"
	case Publish:
		return "publish"
	default:
		return "unknown"
	}
}

// Operation is what a [Starter] is told before it happens. It is valid during
// the call of Start only.
type Operation struct {
	Kind OperationKind
	// Queue is the main queue of the consumer; empty when publishing.
	Queue string
	// Exchange and Key are where the message was, or will be, published to.
	Exchange, Key string
	// MessageID is the message's id; it may be empty for foreign publishers.
	MessageID string
	// Attempt is the attempt about to run, counted from 1; 0 when publishing.
	Attempt int
	// BodySize is the size of the encoded body in bytes.
	BodySize int
	// Headers are the message's headers. When publishing, Start may add to
	// them, and what it adds is sent; the map is never nil then. When
	// processing they are to be read only, and may be nil.
	Headers map[string]any
	// Trace is for what processes a message: a text that Start may set, of at most
	// 255 bytes, and that goes with the message to its next attempt and to the error
	// queue. It is empty on the first attempt, unless Start sets it. A longer one is
	// dropped.
	Trace string
}
