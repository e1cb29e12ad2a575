package monitoring

import (
	"log/slog"
	"time"
)

const (
	textLimit  = 1 << 10
	stackLimit = 8 << 10
)

// line collects the attributes of one line of the log.
type line struct {
	attrs     []slog.Attr
	bodyLimit int
}

// describe adds what there is to say about e, the important first. A name has
// one type over all events: stores that index logs insist on it.
func (l *line) describe(e Event) {
	switch e := e.(type) {
	case Acked:
		l.delivery(&e.Delivery)
	case Retried:
		l.delivery(&e.Delivery)
		l.text("failure", e.Failure.String())
		l.err(e.Err)
		l.text("fingerprint", e.Fingerprint)
		l.duration("wait", e.Wait)
		l.text("to", e.To)
		l.stack(e.Stack)
		l.body(e.Body)
	case Deferred:
		l.delivery(&e.Delivery)
		l.err(e.Err)
		l.duration("wait", e.Wait)
		l.text("to", e.To)
	case Errored:
		l.delivery(&e.Delivery)
		l.text("reason", string(e.Reason))
		l.text("failure", e.Failure.String())
		l.err(e.Err)
		l.text("fingerprint", e.Fingerprint)
		l.text("to", e.To)
		l.stack(e.Stack)
		l.body(e.Body)
	case HandedBack:
		l.delivery(&e.Delivery)
	case Held:
		l.delivery(&e.Delivery)
		l.duration("left", e.Left)
		l.duration("wait", e.Wait)
		l.text("to", e.To)
	case Lost:
		l.delivery(&e.Delivery)
		l.text("outcome", e.Outcome)
		l.err(e.Err)
	case Stuck:
		l.delivery(&e.Delivery)
		l.duration("running", e.Running)
		l.number("stuck", e.Abandoned)
		l.number("limit", e.Limit)
		l.stack(e.Stack)
	case LateOutcome:
		l.delivery(&e.Delivery)
		l.text("outcome", e.Outcome)
		l.err(e.Err)
		l.duration("after", e.After)
	case SettleFailed:
		l.delivery(&e.Delivery)
		l.text("to", e.To)
		l.err(e.Err)
		l.number("tries", e.Tries)
		l.duration("next", e.Next)
	case Published:
		l.text("exchange", e.Exchange)
		l.text("key", e.Key)
		l.text("message_id", e.MessageID)
		l.text("result", string(e.Result))
		l.err(e.Err)
		l.number("body_size", e.BodySize)
		l.duration("took", e.Took)
	default:
		l.describeState(e)
	}
}

// describeState is describe for the events that are about no message.
func (l *line) describeState(e Event) {
	switch e := e.(type) {
	case Connected:
		l.connection(e.Name, e.Address)
		l.text("version", e.Version)
		l.duration("took", e.Took)
	case Disconnected:
		l.connection(e.Name, e.Address)
		l.err(e.Err)
		l.duration("lived", e.Lived)
	case DialFailed:
		l.connection(e.Name, e.Address)
		l.err(e.Err)
		l.number("tries", e.Tries)
		l.duration("next", e.Next)
	case Blocked:
		l.connection(e.Name, e.Address)
		l.text("reason", e.Reason)
	case Unblocked:
		l.connection(e.Name, e.Address)
		l.duration("after", e.After)
	case ConsumerReady:
		l.text("queue", e.Queue)
		l.number("workers", e.Workers)
		l.number("prefetch", e.Prefetch)
	case ConsumerResized:
		l.text("queue", e.Queue)
		l.number("workers", e.Workers)
		l.number("prefetch", e.Prefetch)
	case ConsumerLost:
		l.text("queue", e.Queue)
		l.err(e.Err)
		l.number("unhandled", e.Unhandled)
		l.duration("next", e.Next)
	case ConsumerPaused:
		l.text("queue", e.Queue)
	case ConsumerResumed:
		l.text("queue", e.Queue)
	case ConsumerOverloaded:
		l.text("queue", e.Queue)
		l.number("stuck", e.Stuck)
	case ConsumerStopping:
		l.text("queue", e.Queue)
		l.number("handlers", e.Running)
	case ConsumerStopped:
		l.text("queue", e.Queue)
		l.err(e.Err)
		l.duration("took", e.Took)
	case QueuesDeclared:
		l.text("queue", e.Queue)
		l.number("count", e.Count)
		l.duration("took", e.Took)
	case WaitingChosen:
		l.text("queue", e.Queue)
		l.text("waiting", e.Waiting)
		l.text("reason", e.Reason)
	case HeaderIgnored:
		l.text("queue", e.Queue)
		l.text("message_id", e.MessageID)
		l.text("header", e.Header)
	case Reviewed:
		l.reviewed(&e)
	case MonitorPanicked:
		l.text("monitor", e.Monitor)
		l.text("event", e.Event)
		l.text("panic", panicText(e.Value))
		l.number("count", int(e.Count))
		l.stack(e.Stack)
	}
}

func (l *line) reviewed(e *Reviewed) {
	l.text("queue", e.Queue)
	l.text("error_queue", e.ErrorQueue)
	l.text("action", e.Action)
	l.text("filter", e.Filter)
	l.text("to", e.To)
	l.text("by", e.By)
	l.text("run", e.Run)
	if e.DryRun {
		l.attrs = append(l.attrs, slog.Bool("dry_run", true))
	}
	l.number("matched", e.Matched)
	l.number("done", e.Done)
	l.number("failed", e.Failed)
	l.number("remaining", e.Left)
	l.duration("took", e.Took)
	l.err(e.Err)
}

func (l *line) delivery(d *Delivery) {
	l.text("queue", d.Queue)
	l.text("message_id", d.MessageID)
	l.text("message_type", d.Type)
	l.number("attempt", d.Attempt)
	if d.Redelivered {
		l.attrs = append(l.attrs, slog.Bool("redelivered", true))
	}
	if d.Exchange != "" { // by the default exchange, the key is just the queue
		l.text("exchange", d.Exchange)
		l.text("key", d.Key)
	}
	l.number("body_size", d.BodySize)
	if d.QueueWait > 0 {
		l.duration("queue_wait", d.QueueWait)
	}
	if d.Handling > 0 {
		l.duration("handling", d.Handling)
	}
}

func (l *line) connection(name, address string) {
	l.text("connection", name)
	l.text("address", address)
}

func (l *line) text(key, s string) {
	if s != "" {
		l.attrs = append(l.attrs, slog.String(key, bounded(s, textLimit)))
	}
}

func (l *line) err(err error) {
	if err != nil {
		l.text("error", errorText(err))
	}
}

func (l *line) number(key string, n int) {
	l.attrs = append(l.attrs, slog.Int(key, n))
}

func (l *line) duration(key string, d time.Duration) {
	l.attrs = append(l.attrs, slog.Duration(key, d))
}

func (l *line) stack(stack []byte) {
	if len(stack) > 0 {
		l.attrs = append(l.attrs, slog.String("stack", bounded(stack, stackLimit)))
	}
}

func (l *line) body(body []byte) {
	if l.bodyLimit > 0 && len(body) > 0 {
		l.attrs = append(l.attrs, slog.String("body", bodyText(body, l.bodyLimit)))
	}
}
