package consumer

import (
	"cmp"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/execute"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// carry returns d as it is published again: persistent, with its properties and
// headers, but without what must not be sent twice, and without our headers of
// another queue's consumer, which someone copied.
func (d *delivery) carry() amqp.Publishing {
	h := header.Again(d.Headers, d.Expiration, d.UserId, func(name string) bool {
		return d.state.Moved && header.IsOriginal(name)
	})
	if len(d.state.Cut) > 0 {
		h[header.Cut] = d.state.Cut
	}
	if d.state.Trace != "" {
		h[header.Trace] = d.state.Trace
	}
	if d.state.Replays > 0 {
		h[header.Replays] = int64(d.state.Replays)
	}
	if d.state.Replay != "" {
		h[header.Replay] = d.state.Replay
	}
	h[header.OriginExchange] = d.about.Exchange
	h[header.OriginKey] = d.about.Key
	return amqp.Publishing{
		Headers:         h,
		ContentType:     d.ContentType,
		ContentEncoding: d.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		Priority:        d.Priority,
		CorrelationId:   d.CorrelationId,
		ReplyTo:         d.ReplyTo,
		MessageId:       d.about.MessageID,
		Timestamp:       d.Timestamp,
		Type:            d.Type,
		AppId:           d.AppId,
		Body:            d.Body,
	}
}

// retryMessage is d on its way to a retry queue.
func (r *run) retryMessage(d *delivery, v *verdict, q topology.Retry, notBefore, notAfter, now time.Time) confirm.Message {
	p := d.carry()
	h := p.Headers
	h[header.Queue] = r.queue
	if v.deferred {
		h[header.Attempt] = int64(d.state.Attempt)
	} else {
		h[header.Attempt] = int64(d.state.Attempt) + 1
	}
	if v.composed {
		h[header.NotBefore] = notBefore.UnixMilli()
		h[header.NotAfter] = notAfter.UnixMilli()
	} else {
		h[header.Due] = now.Add(q.Wait).UnixMilli()
	}
	since := d.state.DeferredSince
	if v.deferred && since.IsZero() {
		since = now
	}
	if !since.IsZero() {
		h[header.DeferredSince] = since.UnixMilli()
	}
	if v.failure != 0 {
		f := header.Failure{At: now, Attempt: d.state.Attempt, Kind: v.failure.String(), Text: header.Text(v.err)}
		d.firstFailure(h, now)
		h[header.Failures] = f.Append(d.state.Failures)
	} else {
		d.history(h)
	}
	d.epoch.way.markRetry(d, v, h)
	return fit(address{key: q.Name}, p, d.epoch.frameMax, header.Failures, header.FirstFailure, header.Trace, header.Replays, header.Replay)
}

// heldMessage is d on its way to another retry queue, since it came too early.
func (r *run) heldMessage(d *delivery, q topology.Retry) confirm.Message {
	p := d.carry()
	h := p.Headers
	h[header.Queue] = r.queue
	h[header.Attempt] = int64(d.state.Attempt)
	h[header.NotBefore] = d.state.NotBefore.UnixMilli()
	h[header.NotAfter] = d.state.NotAfter.UnixMilli()
	if since := d.state.DeferredSince; !since.IsZero() {
		h[header.DeferredSince] = since.UnixMilli()
	}
	d.history(h)
	d.epoch.way.markHeld(d, h)
	return fit(address{key: q.Name}, p, d.epoch.frameMax, header.Failures, header.FirstFailure, header.Trace, header.Replays, header.Replay)
}

// history keeps what earlier attempts have left.
func (d *delivery) history(h amqp.Table) {
	if d.state.FirstFailure != "" {
		h[header.FirstFailure] = d.state.FirstFailure
	}
	if len(d.state.Failures) > 0 {
		h[header.Failures] = d.state.Failures
	}
}

// firstFailure notes when the message failed for the first time, unless it was
// the broker who counted that, and does not tell.
func (d *delivery) firstFailure(h amqp.Table, now time.Time) {
	first := d.state.FirstFailure
	if first == "" && d.failures == 0 {
		first = stamp(now)
	}
	if first != "" {
		h[header.FirstFailure] = first
	}
}

// errorMessage is d on its way to the error queue, with what a person needs.
func (r *run) errorMessage(d *delivery, v *verdict, f header.Failure, to address) confirm.Message {
	p := d.carry()
	h := p.Headers
	h[header.Reason] = string(v.reason)
	h[header.Error] = f.Text
	h[header.ErrorType] = f.Type
	if len(f.Stack) > 0 {
		h[header.Stack] = header.ClipStack(f.Stack)
	}
	h[header.Attempts] = int64(d.state.Attempt)
	if v.reason == monitoring.ReasonUndecodable || v.reason == monitoring.ReasonInvalid {
		h[header.Attempts] = int64(d.state.Attempt) - 1 // this one did not run
	}
	d.firstFailure(h, f.At)
	h[header.LastFailure] = stamp(f.At)
	h[header.OriginQueue] = r.queue
	h[header.Host] = r.host
	h[header.Process] = r.process
	h[header.Fingerprint] = f.Fingerprint()
	h[header.Failures] = f.Append(d.state.Failures)
	if since := d.state.DeferredSince; !since.IsZero() {
		h[header.DeferredSince] = since.UnixMilli()
	}
	d.epoch.way.markError(d, v, &f, h)
	return fit(to, p, d.epoch.frameMax,
		header.Stack, header.Failures, header.Error, header.Process, header.Host, header.ErrorType, header.Trace,
		header.DeferredSince, header.FirstFailure, header.LastFailure, header.Fingerprint,
		header.OriginExchange, header.OriginKey, header.OriginQueue, header.Attempts, header.Replays, header.Replay)
}

// failure describes the failed attempt.
func (r *run) failure(d *delivery, v *verdict, now time.Time) header.Failure {
	kind := v.failure.String()
	if kind == "" {
		kind = string(v.reason)
	}
	frame := header.Function(v.pc)
	if v.failure == monitoring.FailurePanic {
		frame = header.PanicFrame(v.stack)
	}
	f := header.NewFailure(now, d.state.Attempt, kind, v.err, v.stack, frame)
	if p, ok := v.err.(*execute.Panic); ok { //nolint:errorlint // ours; what is wrapped is the handler's
		f.Type = header.Type(p.Value)
	}
	return f
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// tightRoom is what is left free in a frame of headers that came nearly full:
// enough for the broker's note of one dead-lettering.
const tightRoom = 2 << 10

// fit cuts the headers of p until they fit into a frame with room for the
// broker's own: first ours, in the order given, then, where a message came with
// headers so large that even the rest does not fit, the largest of those. What
// was cut, now or at an earlier attempt, is named in a header.
func fit(to address, p amqp.Publishing, frameMax int, optional ...string) confirm.Message {
	m := confirm.Message{Exchange: to.exchange, Key: to.key, Publishing: p}
	size := confirm.HeadSize(&p)
	if size <= frameMax-confirm.HeadRoom {
		return m
	}
	cut, _ := p.Headers[header.Cut].([]any)
	cut = slices.Clip(cut)
	if cut != nil {
		size -= confirm.EntrySize(header.Cut, cut)
	}
	drop := func(name string) {
		v, ok := p.Headers[name]
		if !ok {
			return
		}
		size -= confirm.EntrySize(name, v)
		delete(p.Headers, name)
		if len(cut) < header.MaxCut && !slices.Contains(cut, any(name)) {
			cut = append(cut, name)
		}
	}
	limit, least := frameMax-confirm.HeadRoom, size
	for _, name := range optional {
		if v, ok := p.Headers[name]; ok {
			least -= confirm.EntrySize(name, v)
		}
	}
	if least > limit {
		limit = frameMax - tightRoom // cutting all of ours would not be enough
	}
	for _, name := range optional {
		if size+noteSize(cut) <= limit {
			break
		}
		drop(name)
	}
	if size+noteSize(cut) > frameMax-tightRoom {
		foreign := make([]string, 0, len(p.Headers))
		for name := range p.Headers {
			if !header.IsOurs(name) || header.IsOriginal(name) {
				foreign = append(foreign, name)
			}
		}
		slices.SortFunc(foreign, func(a, b string) int {
			return cmp.Or(
				cmp.Compare(confirm.EntrySize(b, p.Headers[b]), confirm.EntrySize(a, p.Headers[a])),
				cmp.Compare(a, b))
		})
		for _, name := range foreign {
			if size+noteSize(cut) <= frameMax-tightRoom {
				break
			}
			drop(name)
		}
	}
	if len(cut) > 0 {
		p.Headers[header.Cut] = cut
	}
	if confirm.HeadSize(&p) > frameMax-confirm.HeadRoom {
		m.Room = tightRoom
	}
	return m
}

// noteSize is the size of the header that names what was cut.
func noteSize(cut []any) int {
	if len(cut) == 0 {
		return 0
	}
	return confirm.EntrySize(header.Cut, cut)
}
