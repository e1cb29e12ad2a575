package monitoring

import (
	"context"
	"log/slog"
)

// Log is a Monitor that writes each event as one line to l. If l is nil, it
// writes to slog.Default() as it is at that moment. It is what a connection
// uses if its Config names no monitor.
//
// Levels and messages are fixed; search and alert for them:
//
//	DEBUG  message acked         Acked
//	DEBUG  message handed back   HandedBack
//	DEBUG  message held          Held
//	DEBUG  message published     Published
//	DEBUG  queues declared       QueuesDeclared
//	INFO   message deferred      Deferred
//	INFO   connected             Connected
//	INFO   disconnected          Disconnected, closed by the application
//	INFO   publishing unblocked  Unblocked
//	INFO   consumer ready        ConsumerReady
//	INFO   consumer resized      ConsumerResized
//	INFO   waiting chosen        WaitingChosen
//	INFO   consumer paused       ConsumerPaused
//	INFO   consumer resumed      ConsumerResumed
//	INFO   consumer stopping     ConsumerStopping
//	INFO   consumer stopped      ConsumerStopped
//	INFO   error queue reviewed  Reviewed
//	WARN   message retried       Retried
//	WARN   message lost          Lost, the broker will deliver it again
//	WARN   settling failed       SettleFailed
//	WARN   late outcome dropped  LateOutcome
//	WARN   header ignored        HeaderIgnored
//	WARN   publish failed        Published, with an error
//	WARN   disconnected          Disconnected, with an error
//	WARN   dial failed           DialFailed
//	WARN   publishing blocked    Blocked
//	WARN   consumer lost         ConsumerLost
//	WARN   error queue reviewed  Reviewed, with an error or failed entries
//	ERROR  message errored       Errored
//	ERROR  handler stuck         Stuck
//	ERROR  dial refused          DialFailed, refused by the broker
//	ERROR  consumer refused      ConsumerLost, refused by the broker
//	ERROR  consumer overloaded   ConsumerOverloaded
//	ERROR  consumer failed       ConsumerStopped, with an error
//	ERROR  monitor panicked      MonitorPanicked, each that has a stack
//
// Attributes are named as the fields of the events, in snake case: queue,
// message_id, attempt, error, failure, reason, wait, to and so on. Five differ:
// connection is the name of a connection, message_type the Type of a delivery,
// stuck how many handlers are stuck, handlers how many run when a consumer
// stops, and remaining how many entries of an error queue were left alone. The
// number of a consumer is not written. Empty texts and unknown times
// are left out, and so are exchange and key of a message that was published
// straight to a queue. An attribute has the same type wherever it occurs, and
// durations are slog.Duration.
//
// Texts may come from anywhere and are bounded: an error to 1 KiB, a stack to
// 8 KiB. Bytes that are not UTF-8 are replaced. An error whose Error method
// panics is named by its type. A message's body and headers are not written;
// see [LogBodies].
//
// It is safe for concurrent use, and blocks for as long as the handler of l
// does: give it one that buffers if lines go far. An event whose level is not
// enabled costs a few nanoseconds and allocates nothing.
func Log(l *slog.Logger) Monitor { return &logger{to: l} }

// LogBodies is [Log] and writes the bodies of messages, too, where someone will
// want to see them: with [Retried] and [Errored], as attribute body. Bodies
// often hold what should not be in a log, which is why Log does not.
//
// A body is cut to its first limit bytes; body_size says how long it was. One
// that is not UTF-8 is written as a quoted Go string, which can be four times
// as long. A limit of 0 or less writes no bodies.
func LogBodies(l *slog.Logger, limit int) Monitor {
	return &logger{to: l, bodyLimit: max(limit, 0)}
}

type logger struct {
	to        *slog.Logger
	bodyLimit int
}

func (l *logger) Observe(ctx context.Context, e Event) {
	level, message := headline(e)
	if message == "" {
		return
	}
	to := l.to
	if to == nil {
		to = slog.Default()
	}
	if !to.Enabled(ctx, level) {
		return
	}
	var space [20]slog.Attr // more than any event has
	line := line{attrs: space[:0], bodyLimit: l.bodyLimit}
	line.describe(e)
	to.LogAttrs(ctx, level, message, line.attrs...)
}

// headline is the level and the message of an event. Without a message there is
// nothing to write.
func headline(e Event) (slog.Level, string) {
	switch e := e.(type) {
	case Acked:
		return slog.LevelDebug, "message acked"
	case Retried:
		return slog.LevelWarn, "message retried"
	case Deferred:
		return slog.LevelInfo, "message deferred"
	case Errored:
		return slog.LevelError, "message errored"
	case HandedBack:
		return slog.LevelDebug, "message handed back"
	case Held:
		return slog.LevelDebug, "message held"
	case Lost:
		return slog.LevelWarn, "message lost"
	case Stuck:
		return slog.LevelError, "handler stuck"
	case LateOutcome:
		return slog.LevelWarn, "late outcome dropped"
	case SettleFailed:
		return slog.LevelWarn, "settling failed"
	case Published:
		if e.Err != nil {
			return slog.LevelWarn, "publish failed"
		}
		return slog.LevelDebug, "message published"
	case Connected:
		return slog.LevelInfo, "connected"
	case Disconnected:
		if e.Err != nil {
			return slog.LevelWarn, "disconnected"
		}
		return slog.LevelInfo, "disconnected"
	case DialFailed:
		if e.Refused {
			return slog.LevelError, "dial refused"
		}
		return slog.LevelWarn, "dial failed"
	case Blocked:
		return slog.LevelWarn, "publishing blocked"
	case Unblocked:
		return slog.LevelInfo, "publishing unblocked"
	case ConsumerReady:
		return slog.LevelInfo, "consumer ready"
	case ConsumerResized:
		return slog.LevelInfo, "consumer resized"
	case ConsumerLost:
		if e.Refused {
			return slog.LevelError, "consumer refused"
		}
		return slog.LevelWarn, "consumer lost"
	case ConsumerPaused:
		return slog.LevelInfo, "consumer paused"
	case ConsumerResumed:
		return slog.LevelInfo, "consumer resumed"
	case ConsumerOverloaded:
		return slog.LevelError, "consumer overloaded"
	case ConsumerStopping:
		return slog.LevelInfo, "consumer stopping"
	case ConsumerStopped:
		if e.Err != nil {
			return slog.LevelError, "consumer failed"
		}
		return slog.LevelInfo, "consumer stopped"
	case QueuesDeclared:
		return slog.LevelDebug, "queues declared"
	case WaitingChosen:
		return slog.LevelInfo, "waiting chosen"
	case HeaderIgnored:
		return slog.LevelWarn, "header ignored"
	case Reviewed:
		if e.Err != nil || e.Failed > 0 {
			return slog.LevelWarn, "error queue reviewed"
		}
		return slog.LevelInfo, "error queue reviewed"
	case MonitorPanicked:
		if len(e.Stack) == 0 {
			return slog.LevelError, "" // or a broken monitor would fill the disk
		}
		return slog.LevelError, "monitor panicked"
	}
	return slog.LevelDebug, ""
}
