package publisher_test

import (
	"context"
	"sync"

	"github.com/warren-mq/warren/monitoring"
)

// diary is a monitor that remembers what it was told.
type diary struct {
	mu        sync.Mutex
	published []monitoring.Published
	lost      int // connections
	hook      func(monitoring.Published)
}

func (d *diary) Observe(_ context.Context, e monitoring.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e := e.(type) {
	case monitoring.Published:
		d.published = append(d.published, e)
		if d.hook != nil {
			d.hook(e)
		}
	case monitoring.Disconnected:
		if e.Err != nil {
			d.lost++
		}
	}
}

func (d *diary) all() []monitoring.Published {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]monitoring.Published(nil), d.published...)
}

func (d *diary) losses() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}
