package publisher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
)

// flight is one message from the call to its outcome: begin, wait, end. The
// three are apart so that All can have many in flight.
type flight struct {
	began time.Time
	took  time.Duration
	// Both end with the flight, which in All outlives the call that began it.
	bound context.Context //nolint:containedctx // until when to wait
	told  context.Context //nolint:containedctx // the monitor's; a Starter may have put something into it

	id            string
	exchange, key string
	size          int

	pending *confirm.Pending // nil if it was not sent, because of err
	err     error
}

// begin encodes m and queues it to be sent, until ctx ends. What goes wrong is
// in the flight.
func (p *Publisher) begin(ctx context.Context, m *Message) (f flight) {
	f.began, f.bound, f.told = time.Now(), ctx, ctx
	if m.ID == "" {
		m.ID = p.ids.Next(f.began)
	}
	if m.Timestamp.IsZero() {
		m.Timestamp = f.began
	}
	f.id, f.exchange, f.key = m.ID, m.Exchange, m.Key
	returned := false
	defer func() {
		if !returned { // the codec has panicked, and that goes on
			f.err = errPanicked
			f.wait()
			_ = p.end(&f)
		}
	}()
	f.pending, f.err = p.launch(ctx, m, &f)
	returned = true
	return f
}

// launch does the work of begin. An error means that m was not sent.
func (p *Publisher) launch(ctx context.Context, m *Message, f *flight) (*confirm.Pending, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("not sent: %w", context.Cause(ctx))
	}
	sent, err := p.prepare(m, f)
	if err != nil {
		return nil, err
	}
	pending, err := p.sender.Begin(ctx, sent)
	if errors.Is(err, confirm.ErrHeader) {
		err = cannotEncode("%w", err)
	}
	return pending, err
}

// prepare makes of m what is sent.
func (p *Publisher) prepare(m *Message, f *flight) (sent confirm.Message, err error) {
	if err := m.check(); err != nil {
		return sent, err
	}
	body, contentType, err := p.encode(m)
	if err != nil {
		return sent, err
	}
	f.size = len(body)
	if f.size > p.config.MaxBody {
		return sent, fmt.Errorf("%w: the body has %d bytes, Config.MaxBody is %d",
			ErrTooLarge, f.size, p.config.MaxBody)
	}
	headers := m.Headers
	if p.starter != nil {
		headers = p.start(f, m)
	}
	sent = p.envelope(m)
	sent.Body, sent.ContentType = body, contentType
	sent.Headers, err = table(headers)
	return sent, err
}

// start tells the Starter, and returns the headers with what it added.
func (p *Publisher) start(f *flight, m *Message) map[string]any {
	headers := maps.Clone(allowed(m.Headers))
	if headers == nil {
		headers = make(map[string]any)
	}
	f.told = p.starter.Start(f.told, &monitoring.Operation{
		Kind:     monitoring.Publish,
		Exchange: m.Exchange, Key: m.Key,
		MessageID: m.ID,
		BodySize:  f.size,
		Headers:   headers,
	})
	return headers
}

// wait waits for the outcome.
func (f *flight) wait() {
	if f.pending != nil {
		f.err = f.pending.Wait(f.bound)
		if errors.Is(f.err, ErrUnknown) && errors.Is(f.err, ErrClosed) {
			// It is not an ErrClosed: that would mean that nothing was sent.
			f.err = fmt.Errorf("%w: the publisher was closed meanwhile", ErrUnknown)
		}
	}
	f.took = time.Since(f.began)
}

// end tells the monitor, and returns what the caller gets.
func (p *Publisher) end(f *flight) error {
	var err error // not an *Error: that would not be nil
	if f.err != nil {
		err = &Error{ID: f.id, Exchange: f.exchange, Key: f.key, Err: f.err}
	}
	p.monitor.Observe(f.told, monitoring.Published{
		Exchange: f.exchange, Key: f.key,
		MessageID: f.id,
		BodySize:  f.size,
		Took:      f.took,
		Result:    classify(f.err),
		Err:       err,
	})
	return err
}

// classify says what an error means, for the monitor. An unknown one may wrap what caused it, so it is asked for first.
func classify(err error) monitoring.Result {
	for _, class := range []struct {
		err    error
		result monitoring.Result
	}{
		{ErrUnknown, monitoring.ResultUnknown},
		{ErrUnroutable, monitoring.ResultUnroutable},
		{ErrRefused, monitoring.ResultRefused},
		{ErrBlocked, monitoring.ResultBlocked},
		{ErrTooLarge, monitoring.ResultTooLarge},
		{ErrEncode, monitoring.ResultUnencodable},
	} {
		if errors.Is(err, class.err) {
			return class.result
		}
	}
	if err != nil {
		return monitoring.ResultUnsent
	}
	return monitoring.ResultConfirmed
}
