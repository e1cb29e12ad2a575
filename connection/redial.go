package connection

import (
	"math/rand/v2"
	"slices"
	"time"
)

// steady is how long a connection must live until its end is taken for an
// accident and not for the next failure in a row.
const steady = 5 * time.Second

// dialled remembers how the dials went, to judge whether the broker refuses,
// and how long to wait. It belongs to the link's goroutine.
type dialled struct {
	verdicts []verdict // of each node
	failures int       // in a row
}

// verdict is how the last dial of a node ended.
type verdict int

const (
	untried verdict = iota
	// failed: no answer, or one that means nothing.
	failed
	// suspected: it hung up after the password, which the client takes for a
	// refusal. A broker that dies in that moment does the same.
	suspected
	// refused: by its own word, or suspected twice in a row.
	refused
)

// failed notes a dial of node i that ended in err. It returns whether that node
// refuses for good, and whether the whole broker does: then every node was tried
// and those that answer at all refuse.
func (d *dialled) failed(i int, err error) (node, all bool) {
	d.failures++
	v := failed
	switch is, guessed := refusal(err); {
	case is && guessed && d.verdicts[i] < suspected:
		v = suspected
	case is:
		v = refused
	}
	d.verdicts[i] = v
	return v == refused, slices.Contains(d.verdicts, refused) &&
		!slices.Contains(d.verdicts, untried) && !slices.Contains(d.verdicts, suspected)
}

// ended notes the end of a connection that was up so long.
func (d *dialled) ended(lived time.Duration) {
	clear(d.verdicts)
	d.failures++
	if lived >= steady {
		d.failures = 0
	}
}

// pause returns how long to wait before the next dial: nothing before the other
// nodes were tried, and little after a connection that was steady.
func (d *dialled) pause(low, high time.Duration) time.Duration {
	switch n := len(d.verdicts); {
	case d.failures == 0:
		return jitter(low / 4)
	case d.failures%n != 0:
		return 0
	default:
		return backoff(d.failures/n, low, high)
	}
}

// backoff returns the wait after the n-th failure in a row: low, doubled with
// each further one up to high, less up to half of it, so that many clients do
// not come at once.
func backoff(n int, low, high time.Duration) time.Duration {
	d := min(low, high)
	for i := 1; i < n && d < high; i++ {
		d += min(d, high-d)
	}
	return jitter(d)
}

func jitter(d time.Duration) time.Duration { return d - rand.N(d/2+1) }
