package consumer

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

// pool is the workers of a run. It watches how long they take.
type pool struct {
	run  *run
	jobs chan *delivery // from the dispatcher to whichever worker is free

	active   atomic.Int64 // handlers that run, or are about to, and are not given up
	wantIdle atomic.Bool  // wake the run when active drops to 0
	watching atomic.Bool  // the watchman has a time to look
	watch    chan struct{}
	ending   atomic.Bool // no job begins any more
	closing  chan struct{}
	watchman sync.WaitGroup

	mu      sync.Mutex
	target  int // workers wanted
	alive   int // workers that take jobs, or will
	stuck   int // workers given up, whose handlers still run
	workers map[*worker]struct{}
	shrunk  chan struct{} // closed and replaced when there are too many
	closed  bool
	empty   chan struct{} // closed when closed and alive is 0
}

// worker is one goroutine that runs handlers.
type worker struct {
	id []byte // "goroutine 17 ", as stacks print it

	mu      sync.Mutex
	job     *delivery // what it runs
	givenUp time.Time // when the job was given up; zero if it was not
}

func newPool(r *run, workers int) *pool {
	return &pool{
		run: r, jobs: make(chan *delivery), target: workers,
		watch: make(chan struct{}, 1), closing: make(chan struct{}),
		workers: map[*worker]struct{}{}, shrunk: make(chan struct{}), empty: make(chan struct{}),
	}
}

func (p *pool) start() {
	p.watchman.Go(p.watchStuck)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fill()
}

// fill starts the workers that are missing. The caller holds mu.
func (p *pool) fill() {
	// Those that are stuck beyond the limit are not replaced.
	for !p.closed && p.alive < p.target-max(0, p.stuck-p.limit()) {
		p.alive++
		go p.work()
	}
}

// resize changes how many workers there are.
func (p *pool) resize(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n == p.target {
		return
	}
	p.target = n
	p.fill()
	if p.alive > n {
		close(p.shrunk)
		p.shrunk = make(chan struct{})
	}
}

// overloaded returns how many handlers are stuck, and whether they are as many as
// allowed.
func (p *pool) overloaded() (stuck int, overloaded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stuck, p.stuck >= p.limit()
}

// limit is how many handlers may be stuck. The caller holds mu.
func (p *pool) limit() int {
	if n := p.run.config.MaxStuck; n > 0 {
		return n
	}
	return p.target
}

func (p *pool) running() int { return int(max(0, p.active.Load())) }

// idle tells whether no handler runs, and if not sees to it that the run is
// woken when none does.
func (p *pool) idle() bool {
	p.wantIdle.Store(true)
	if p.active.Load() > 0 {
		return false
	}
	p.wantIdle.Store(false)
	return true
}

// work is a worker's goroutine.
func (p *pool) work() {
	w := &worker{id: goroutineID()}
	p.mu.Lock()
	p.workers[w] = struct{}{}
	p.mu.Unlock()
	left := false
	defer func() {
		if !left { // a handler ended the goroutine
			p.leave(w, true)
		}
	}()
	for {
		p.mu.Lock()
		if p.closed || p.alive > p.target {
			left = true
			p.depart(w)
			p.mu.Unlock()
			return
		}
		shrunk := p.shrunk
		p.mu.Unlock()
		for resized := false; !resized; {
			select {
			case <-shrunk: // first of all: it may have been busy since
				resized = true
				continue
			default:
			}
			select {
			case d := <-p.jobs:
				if !p.run.handle(w, d) {
					left = true
					p.leave(w, false)
					return
				}
			case <-shrunk:
				resized = true
			}
		}
	}
}

// leave ends a worker. If its last job was given up it had been replaced
// already, and was no longer counted.
func (p *pool) leave(w *worker, exited bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.isGivenUp() {
		delete(p.workers, w)
		p.stuck--
		p.fill() // if there was no replacement
		p.run.wake()
		return
	}
	p.depart(w)
	if exited {
		p.fill()
	}
}

// depart is leave for a worker that is counted. The caller holds mu.
func (p *pool) depart(w *worker) {
	delete(p.workers, w)
	p.alive--
	p.checkEmpty()
}

// checkEmpty closes empty when the last worker has left. The caller holds mu.
func (p *pool) checkEmpty() {
	if !p.closed || p.alive > 0 {
		return
	}
	select {
	case <-p.empty:
	default:
		close(p.empty)
	}
}

// begin and end frame a job. begin returns false if it must not run any more.
// end returns when it was given up, zero if it was not.
func (p *pool) begin(w *worker, d *delivery) bool {
	w.mu.Lock()
	w.job = d
	w.mu.Unlock()
	// In this order: close, which sets ending and then looks at every job,
	// either sees the job or is seen here.
	if p.ending.Load() {
		return false
	}
	if !p.watching.Load() && !p.watching.Swap(true) {
		p.look()
	}
	return true
}

func (p *pool) end(w *worker) (givenUp time.Time) {
	w.mu.Lock()
	w.job = nil
	givenUp = w.givenUp
	w.mu.Unlock()
	if givenUp.IsZero() {
		p.release()
	}
	return givenUp
}

func (p *pool) release() {
	if p.active.Add(-1) == 0 && p.wantIdle.Swap(false) {
		p.run.wake()
	}
}

func (w *worker) isGivenUp() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.givenUp.IsZero()
}

// look makes the watchman look.
func (p *pool) look() {
	select {
	case p.watch <- struct{}{}:
	default:
	}
}

// watchStuck is the watchman: it gives up handlers that go on after their time.
// It has one timer for all of them, which is set only while any runs, and looks
// when the first could be stuck.
func (p *pool) watchStuck() {
	t := time.NewTimer(time.Hour)
	t.Stop()
	defer t.Stop()
	for {
		select {
		case <-p.watch:
		case <-t.C:
		case <-p.closing:
			return
		}
		// Before the look: a job that begins during it makes us look again.
		p.watching.Store(false)
		if next := p.giveUpStuck(time.Now()); next > 0 {
			p.watching.Store(true)
			t.Reset(next)
		}
	}
}

// giveUpStuck gives up the handlers that are stuck and returns when to look
// again; 0 if none runs.
func (p *pool) giveUpStuck(now time.Time) (next time.Duration) {
	p.mu.Lock()
	all := make([]*worker, 0, len(p.workers))
	for w := range p.workers {
		all = append(all, w)
	}
	p.mu.Unlock()
	for _, w := range all {
		w.mu.Lock()
		d := w.job
		if d == nil || !w.givenUp.IsZero() {
			w.mu.Unlock()
			continue
		}
		left := d.started.Add(p.run.config.Timeout + p.run.config.Grace).Sub(now)
		if left > 0 {
			w.mu.Unlock()
			if next == 0 || left < next {
				next = left
			}
			continue
		}
		w.givenUp = now
		// The handler may return from now on, and what it returned is told.
		d.identify()
		w.mu.Unlock()
		p.replace(w, d, now)
	}
	return next
}

// replace lets another worker take the place of w, which is stuck with d.
func (p *pool) replace(w *worker, d *delivery, now time.Time) {
	p.mu.Lock()
	p.stuck++
	stuck, limit := p.stuck, p.limit()
	// w is not counted any more; whether it is replaced is the limit's to say.
	p.alive--
	p.fill()
	p.mu.Unlock()
	p.release()
	stack := stackOf(w.id)
	e := monitoring.Stuck{Delivery: d.about, Running: now.Sub(d.started), Stack: stack, Abandoned: stuck, Limit: limit}
	p.run.observe(d.ctx, e)
	if stuck >= limit {
		p.run.state.update(func(s *state) { s.overloaded = true })
		p.run.wake() // to tell, and to take no more
	}
	p.run.conclude(d, result{outcome: Retry(errStuck(now.Sub(d.started))), failure: monitoring.FailureStuck, stack: stack})
}

// close takes no more jobs, gives up what still runs, and names it.
func (p *pool) close() (unfinished []Unfinished) {
	p.ending.Store(true)
	close(p.closing)
	p.watchman.Wait()
	now := time.Now()
	p.mu.Lock()
	p.closed = true
	p.target = 0
	close(p.shrunk)
	p.shrunk = make(chan struct{})
	all := make([]*worker, 0, len(p.workers))
	for w := range p.workers {
		all = append(all, w)
	}
	p.mu.Unlock()
	for _, w := range all {
		w.mu.Lock()
		d, before := w.job, w.givenUp
		if d != nil && before.IsZero() {
			w.givenUp = now
		}
		w.mu.Unlock()
		if d == nil {
			continue
		}
		unfinished = append(unfinished, Unfinished{
			MessageID: d.about.MessageID, Attempt: d.state.Attempt,
			Handling: true, Running: now.Sub(d.started), Stack: stackOf(w.id),
		})
		if before.IsZero() {
			p.mu.Lock()
			p.stuck++
			p.alive--
			p.mu.Unlock()
			p.run.abandoned(d)
		}
	}
	p.mu.Lock()
	p.checkEmpty()
	p.mu.Unlock()
	return unfinished
}

// wait waits for the workers whose handlers have returned.
func (p *pool) wait() { <-p.empty }

// goroutineID returns how the current goroutine's stack begins.
func goroutineID() []byte {
	var buf [64]byte
	s := buf[:runtime.Stack(buf[:], false)]
	if i := bytes.IndexByte(s, '['); i > 0 {
		return bytes.Clone(s[:i])
	}
	return nil
}

// stackOf returns the stack of the goroutine with that id. It stops the world;
// a stuck handler is worth it.
func stackOf(id []byte) []byte {
	if id == nil {
		return nil
	}
	for size := 1 << 20; size <= 64<<20; size *= 4 {
		buf := make([]byte, size)
		n := runtime.Stack(buf, true)
		if n == size && size < 64<<20 {
			continue // cut off
		}
		buf = buf[:n]
		i := bytes.Index(buf, id)
		if i < 0 {
			return nil
		}
		buf = buf[i:]
		if end := bytes.Index(buf, []byte("\n\ngoroutine ")); end > 0 {
			buf = buf[:end]
		}
		return bytes.Clone(buf)
	}
	return nil
}
