package errorqueue

import (
	"context"
	"errors"
	"io"
)

// Take acks the entries for which drop says so, and returns how many.
func (q *Queue) Take(ctx context.Context, drop func(Entry) bool) (n int, err error) {
	p, err := q.begin(ctx, 0)
	if err != nil {
		return 0, err
	}
	for {
		h, err := p.next(ctx)
		if errors.Is(err, io.EOF) {
			return n, p.end(ctx)
		}
		if err == nil && drop(h.Entry) {
			n++
			err = p.ack(h)
		}
		if err != nil {
			return n, errors.Join(err, p.end(ctx))
		}
	}
}
