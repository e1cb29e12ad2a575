package faults_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/faults"
)

// model is a broker, publishers and handlers in a few lines: it delivers what it has confirmed, some of it twice.
// A mutant does one thing wrong with message number victim.
type model struct {
	*faults.Ledger
	dice   *rand.Rand
	mutant string
	doomed int // when everything was published
}

const victim = 61

func (m *model) run() faults.Verdict {
	const messages, keys = 200, 7
	var queue []int
	now := time.Unix(0, 0)
	m.Watch(true)
	for range messages {
		n := m.Publish(belongsToErrors(len(queue)))
		queue = append(queue, n)
		if n%10 != 0 { // the rest is unknown to its publisher
			m.Confirm(n)
		}
	}
	if m.mutant == "reorder" {
		queue[victim], queue[victim+keys] = queue[victim+keys], queue[victim]
	}
	m.doomed = m.Doomed()
	for _, n := range queue {
		now = now.Add(time.Millisecond)
		id, key := strconv.Itoa(n), fmt.Sprint("k", n%keys)
		mutant := ""
		if n == victim || m.mutant == "handle what is doomed" && n == 4 {
			mutant = m.mutant
		}
		switch {
		case mutant == "lose":
		case mutant == "make one up":
			m.Handled("100000", key, now)
			m.Handled(id, key, now)
		case mutant == "find what is not ours":
			m.Handled(id, key, now)
			m.Errored("someone else's")
		case mutant == "leave in a queue":
			m.Queued(id)
		case mutant == "put into the error queue":
			m.Errored(id)
		case belongsToErrors(n) && mutant == "":
			m.Errored(id)
		default:
			m.Handled(id, key, now)
			if m.dice.IntN(10) == 0 {
				m.Handled(id, key, now)
			}
		}
	}
	return m.Verdict()
}

func belongsToErrors(n int) bool { return n%50 == 4 }

func TestTheCheckerFindsEachMutant(t *testing.T) {
	for mutant, want := range map[string]string{
		"":                         "",
		"lose":                     "1 lost [61], 0 unexpected",
		"make one up":              "1 unexpected [100000]",
		"find what is not ours":    "1 unexpected [someone else's]",
		"leave in a queue":         "1 left in queues",
		"put into the error queue": "1 astray [61]",
		"handle what is doomed":    "1 astray [4]",
		"reorder":                  "1 out of order [k5: 61 after 68]",
	} {
		for seed := range uint64(20) {
			m := &model{Ledger: faults.NewLedger(), dice: rand.New(rand.NewPCG(seed, 1)), mutant: mutant}
			v := m.run()
			err := v.Err()
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: %v, want %q", mutant, err, want)
			}
			if v.Published != 200 || v.Confirmed != 180 {
				t.Errorf("%d published, %d confirmed", v.Published, v.Confirmed)
			}
			if mutant == "" && (v.Duplicated == 0 || v.Handled != 196 || v.Errored != 4) {
				t.Errorf("%+v", v)
			}
			if m.doomed != 4 || m.Doomed() != 0 {
				t.Errorf("%q: %d are doomed at first, and %d in the end", mutant, m.doomed, m.Doomed())
			}
			if done := m.Done(); done != v.Handled {
				t.Errorf("%d are handled, of which Done knows %d", v.Handled, done)
			}
			if open := m.Open(); open != len(v.Lost) {
				t.Errorf("%q: %d are open, %d lost", mutant, open, len(v.Lost))
			}
		}
	}
}

// A message that was handled and is also in the error queue, or whose confirm came late, is no loss.
func TestOrderOfEventsDoesNotMatter(t *testing.T) {
	steps := []func(*faults.Ledger){
		func(l *faults.Ledger) { l.Confirm(0) },
		func(l *faults.Ledger) { l.Handled("0", "", time.Time{}) },
		func(l *faults.Ledger) { l.Queued("0") },
		func(l *faults.Ledger) { l.Confirm(0) },
	}
	var want *faults.Verdict
	for range 50 {
		l := faults.NewLedger()
		l.Publish(false)
		for _, i := range rand.Perm(len(steps)) {
			steps[i](l)
		}
		if n := l.Open(); n != 0 {
			t.Errorf("%d are open", n)
		}
		v := l.Verdict()
		if want == nil {
			want = &v
		}
		if !reflect.DeepEqual(v, *want) || len(v.Lost) > 0 {
			t.Errorf("%+v, and %+v in another order", v, *want)
		}
	}
}

func TestGaps(t *testing.T) {
	l := faults.NewLedger()
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	for range 10 {
		l.Publish(false)
	}
	for n, ms := range []int{0, 5000, 5010, 5030, 6000} {
		if n == 1 {
			l.Watch(true) // what was before does not count
		}
		if n == 3 {
			l.Mark(at(5024))
		}
		l.Handled(strconv.Itoa(n), "", at(ms))
	}
	if v := l.Verdict(); v.Gap != 970*time.Millisecond || v.Back != 6*time.Millisecond {
		t.Errorf("a gap of %v, back after %v", v.Gap, v.Back)
	}
}

// What a verdict holds does not change with what comes later.
func TestAVerdictIsFinal(t *testing.T) {
	l := faults.NewLedger()
	l.Handled("x", "", time.Time{})
	v := l.Verdict()
	l.Handled("y", "", time.Time{})
	if !slices.Equal(v.Unexpected, []string{"x"}) {
		t.Errorf("%v", v.Unexpected)
	}
}
