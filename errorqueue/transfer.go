package errorqueue

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// maxLine is how long a line of a file may be. A broker takes bodies of up to
// 128 MiB, unless told otherwise.
const maxLine = 256 << 20

// Export writes entries to w, one in a line, as JSON: see [Message.MarshalJSON].
// They stay in the queue. Nothing is lost on the way to a file and back, but for
// what Import cannot send again.
//
// Each line is one call of w.Write. The first error of w ends the export; what
// was Done is in w. It is for the caller to flush and close. An entry is held
// while w is slow. In all else it is like Replay.
func (q *Queue) Export(ctx context.Context, w io.Writer, o Options) (Result, error) {
	a := q.act("export", "", o)
	s := &sweep{action: a, keeps: true, do: func(e *Entry) error {
		line, err := e.Message.MarshalJSON()
		if err != nil {
			return err
		}
		if len(line) >= maxLine {
			return fmt.Errorf("it would be a line of %d bytes; at most %d can be imported", len(line), maxLine)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fatalError{fmt.Errorf("write entry %s: %w", e.ID, err)}
		}
		return nil
	}}
	return a.finish(ctx, s.run(ctx))
}

// ImportOptions are the options of Import. The zero value works.
type ImportOptions struct {
	// Limit, Rate, DryRun and Progress are as those of Options. A dry run reads
	// everything, and so finds a line that is wrong.
	Limit    int
	Rate     float64
	DryRun   bool
	Progress func(Progress)
	// SkipPresent leaves out messages that are in the error queue already, with
	// the same id and body: so an import that was interrupted can be done again.
	// It looks at the whole queue before, and does not see what somebody holds.
	SkipPresent bool
}

// Import publishes to the error queue what Export has written, line by line.
// Empty lines are skipped. A line that is no message, has a field that is not
// known, or more than 256 MiB, ends the import: the error names it, and all before it was
// done.
//
// Messages are as they were, but for what Move leaves out, too. The Result counts
// messages of the file: Matched are those that are not skipped. Those that have
// Failed are not in the queue, or perhaps, if the error is a publisher.ErrUnknown.
//
// ctx does not interrupt a Read of r. The error is about the options or a line, is
// r's, or as that of Replay.
func (q *Queue) Import(ctx context.Context, r io.Reader, o ImportOptions) (Result, error) {
	a := q.act("import", q.name, Options{Limit: o.Limit, Rate: o.Rate, DryRun: o.DryRun, Progress: o.Progress})
	im := &importer{action: a}
	return a.finish(ctx, im.run(ctx, r, o))
}

// importer is a call of Import.
type importer struct {
	*action
	present func(*Message) bool // in the queue; nil if nothing is to be skipped
}

func (im *importer) run(ctx context.Context, r io.Reader, o ImportOptions) error {
	if err := im.o.check(); err != nil {
		return err
	}
	if _, err := im.q.Len(ctx); err != nil { // there is a queue to import to
		return err
	}
	if o.SkipPresent {
		if err := im.look(ctx); err != nil {
			return err
		}
	}
	if o.DryRun {
		return im.lines(ctx, r, nil)
	}
	c := newCourier(im.q.conn, im.settle, im.waits)
	defer c.close()
	err := im.lines(ctx, r, c)
	c.drain(ctx, nil)
	return err
}

// look notes what is in the queue.
func (im *importer) look(ctx context.Context) error {
	there := newNoted()
	err := im.q.each(ctx, Filter{}, func(e Entry, _ error) bool {
		there.add(&e.Message)
		return true
	})
	im.present = there.known()
	return err
}

// lines reads the file, and begins with each message.
func (im *importer) lines(ctx context.Context, r io.Reader, c *courier) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for !im.full() && lines.Scan() {
		n++
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var m Message
		if err := m.UnmarshalJSON(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := im.message(ctx, &m, c); err != nil {
			return err
		}
		im.note()
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("it has more than %d bytes", maxLine)
	}
	if err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return nil
}

func (im *importer) message(ctx context.Context, m *Message, c *courier) error {
	im.Seen++
	if im.present != nil && im.present(m) {
		return nil
	}
	im.Matched++
	if c == nil {
		return nil
	}
	c.collect()
	if d := im.pace.wait(time.Now()); d > 0 {
		if err := c.sleep(ctx, d); err != nil {
			return err
		}
	}
	e := im.entry(m)
	p := carry(m)
	remember(p.Headers, &e)
	return c.publish(ctx, addressed(ToQueue(im.q.name), p), parcel{id: e.ID, size: m.size()})
}

func (im *importer) settle(p parcel) {
	switch {
	case p.err == nil:
		im.Done++
	case !p.unsent:
		im.fail(p.id, p.err)
	}
	im.note()
}

// entry reads the entry that a message was when it was exported.
func (im *importer) entry(m *Message) Entry {
	headers, _ := wire(m.Headers).(amqp.Table)
	return newEntry(&amqp.Delivery{Headers: headers, MessageId: m.ID, Body: m.Body, Exchange: m.Exchange, RoutingKey: m.Key}, im.q.main, "", 0)
}
