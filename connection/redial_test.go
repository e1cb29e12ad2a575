package connection

import (
	"errors"
	"math"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestBackoffDoublesUpToItsLimitLessUpToHalf(t *testing.T) {
	const low, high = 200 * time.Millisecond, 30 * time.Second
	for n, want := range map[int]time.Duration{
		0: low, 1: low, 2: 2 * low, 3: 4 * low, 4: 8 * low, 8: 128 * low, 9: high, 10: high, 1000: high, math.MaxInt: high,
	} {
		seen := make(map[time.Duration]bool)
		for range 100 {
			d := backoff(n, low, high)
			if d < want/2 || d > want {
				t.Fatalf("after %d failures it waits %v, want %v to %v", n, d, want/2, want)
			}
			seen[d] = true
		}
		if len(seen) < 90 {
			t.Errorf("after %d failures there are only %d different waits", n, len(seen))
		}
	}
}

func TestBackoffSurvivesAnyBounds(t *testing.T) {
	for _, low := range []time.Duration{1, time.Second, math.MaxInt64/2 + 1, math.MaxInt64} {
		for _, high := range []time.Duration{low, math.MaxInt64} {
			for _, n := range []int{0, 1, 2, 63, 64, 1000} {
				if d := backoff(n, low, high); d < low/2 || d > high {
					t.Errorf("backoff(%d, %d, %d) is %d", n, low, high, d)
				}
			}
		}
	}
}

func TestTheOtherNodesComeBeforeTheWait(t *testing.T) {
	const low, high = time.Second, time.Minute
	d := dialled{verdicts: make([]verdict, 3)}
	for i, least := range []time.Duration{0, 0, low / 2, 0, 0, low, 0, 0, 2 * low} {
		d.failed(i%3, errors.New("refused"))
		got := d.pause(low, high)
		if got < least || got > 2*least {
			t.Errorf("after failure %d it waits %v, want %v to %v", i+1, got, least, 2*least)
		}
	}
	d.ended(steady)
	if got := d.pause(low, high); got > low/4 || got < low/8 {
		t.Errorf("after a steady connection it waits %v", got)
	}
	for i, least := range []time.Duration{0, 0, low / 2} {
		d.ended(steady - 1)
		if got := d.pause(low, high); got < least || got > 2*least {
			t.Errorf("after %d connections that were soon lost it waits %v", i+1, got)
		}
	}
}

func TestWhenARefusalIsBelieved(t *testing.T) {
	var (
		down    = errors.New("connection refused")
		vhost   = &amqp.Error{Code: amqp.NotAllowed, Server: true}
		guessed = amqp.ErrCredentials
		sasl    = amqp.ErrSASL
	)
	type dial struct {
		node int
		err  error // nil: it connected, and the connection ended
	}
	for name, test := range map[string]struct {
		nodes int
		dials []dial
		node  bool // the last node refuses
		all   bool // the broker refuses
	}{
		"a word of the only node":               {1, []dial{{0, vhost}}, true, true},
		"no mechanism in common":                {1, []dial{{0, sasl}}, true, true},
		"one hang-up":                           {1, []dial{{0, guessed}}, false, false},
		"two hang-ups":                          {1, []dial{{0, guessed}, {0, guessed}}, true, true},
		"two hang-ups with an outage between":   {1, []dial{{0, guessed}, {0, down}, {0, guessed}}, false, false},
		"two hang-ups with a connection":        {1, []dial{{0, guessed}, {0, nil}, {0, guessed}}, false, false},
		"a word, then an outage":                {1, []dial{{0, vhost}, {0, down}}, false, false},
		"a word of one of two":                  {2, []dial{{0, vhost}}, true, false},
		"words of both":                         {2, []dial{{0, vhost}, {1, vhost}}, true, true},
		"a word of the one that is up":          {2, []dial{{1, down}, {0, vhost}}, true, true},
		"the same, the other way round":         {2, []dial{{0, vhost}, {1, down}}, false, true},
		"both are down":                         {2, []dial{{0, down}, {1, down}}, false, false},
		"one hang-up each":                      {2, []dial{{0, guessed}, {1, guessed}}, false, false},
		"two hang-ups of one, one of the other": {2, []dial{{0, guessed}, {1, guessed}, {0, guessed}}, true, false},
		"two hang-ups each":                     {2, []dial{{0, guessed}, {1, guessed}, {0, guessed}, {1, guessed}}, true, true},
		"two hang-ups of the one that is up":    {2, []dial{{0, guessed}, {1, down}, {0, guessed}}, true, true},
		"one that is up and lost again":         {2, []dial{{0, vhost}, {1, nil}, {0, vhost}}, true, false},
	} {
		d := dialled{verdicts: make([]verdict, test.nodes)}
		var node, all bool
		for _, dial := range test.dials {
			if dial.err == nil {
				d.ended(time.Hour)
				continue
			}
			node, all = d.failed(dial.node, dial.err)
		}
		if node != test.node || all != test.all {
			t.Errorf("%s: the node refuses: %v, the broker: %v", name, node, all)
		}
	}
}
