package errorqueue

import "time"

// pace spreads what is done over time. Its zero value does not.
type pace struct {
	interval time.Duration
	next     time.Time // when the next one is due
}

const (
	// catchUp bounds how much of a delay is made up for: more would be a burst.
	catchUp = 100 * time.Millisecond
	// doze is the shortest wait that is worth a timer.
	doze = time.Millisecond
)

// wait returns how long the next one has to wait from now, and counts it. The
// first has not to.
func (p *pace) wait(now time.Time) time.Duration {
	if p.interval == 0 {
		return 0
	}
	if p.next.IsZero() {
		p.next = now
	}
	if earliest := now.Add(-catchUp); p.next.Before(earliest) {
		p.next = earliest
	}
	d := p.next.Sub(now)
	p.next = p.next.Add(p.interval)
	if d < doze {
		return 0
	}
	return d
}
