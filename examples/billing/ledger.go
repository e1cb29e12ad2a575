package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/monitoring"
)

// ledger is a monitor that keeps the books of a show: it tells what becomes of the shop's orders, and shuts the application
// down when each has come to its end. That it is an application's own monitor shows how little it takes.
type ledger struct {
	out      io.Writer
	shutdown fx.Shutdowner

	mu                 sync.Mutex
	open               map[string]string // customer, by the id of a message that is not done with
	published          int
	receipted, errored int
}

func newLedger(s fx.Shutdowner) *ledger {
	return &ledger{out: os.Stdout, shutdown: s, open: map[string]string{}}
}

// expect notes the orders that the shop is about to publish.
func (l *ledger) expect(list []Order) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range list {
		l.open[o.ID], l.open["receipt-"+o.ID] = o.Customer, o.Customer
	}
	l.published = len(list)
}

// Observe looks for what becomes of a message. It is called by many goroutines at once, and must not take long.
func (l *ledger) Observe(_ context.Context, e monitoring.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e := e.(type) {
	case monitoring.Acked:
		switch {
		case !l.ends(e.MessageID):
		case e.Queue == receipts:
			l.receipted++
			l.say(e.Delivery, "sent")
		default:
			l.say(e.Delivery, "charged")
		}
	case monitoring.Retried:
		l.say(e.Delivery, "%v; again in %v", e.Err, e.Wait)
		return
	case monitoring.Errored:
		if l.ends(e.MessageID) {
			l.errored++
			delete(l.open, "receipt-"+e.MessageID) // there will be none
		}
		l.say(e.Delivery, "%v; moved to the error queue", e.Err)
	default:
		return
	}
	if l.published > 0 && len(l.open) == 0 {
		l.finish()
	}
}

// ends notes the end of a message, and tells whether it is one of this show, and the first end of it.
func (l *ledger) ends(id string) bool {
	_, open := l.open[id]
	delete(l.open, id)
	return open
}

func (l *ledger) say(d monitoring.Delivery, format string, args ...any) {
	_, _ = fmt.Fprintf(l.out, "%-16s %s, attempt %d: %s\n", d.Queue, d.MessageID, d.Attempt, fmt.Sprintf(format, args...))
}

// finish ends the show.
func (l *ledger) finish() {
	_, _ = fmt.Fprintf(l.out, "%d orders: %d charged and receipted, %d in %s.error\n", l.published, l.receipted, l.errored, orders)
	l.published = 0
	_ = l.shutdown.Shutdown() // the error says that someone else did
}
