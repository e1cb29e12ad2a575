package main

import (
	"hash/maphash"

	"github.com/warren-mq/warren/errorqueue"
)

// agreed are the entries of which somebody was told before they said yes. While they think a colleague may take these away,
// and others come that the same flags choose: nobody has agreed to what becomes of those.
type agreed struct {
	seed maphash.Seed
	left map[uint64]int // how many of each there are
}

func newAgreed() *agreed { return &agreed{seed: maphash.MakeSeed(), left: map[uint64]int{}} }

// key tells entries apart, also one from itself after it has failed once more.
func (a *agreed) key(e *errorqueue.Entry) uint64 {
	return maphash.Comparable(a.seed, [...]uint64{
		maphash.String(a.seed, e.ID), maphash.Bytes(a.seed, e.Message.Body), uint64(e.LastFailure.UnixNano()), uint64(e.Replays),
	})
}

// noting is the filter, and notes what it selects.
func (a *agreed) noting(f errorqueue.Filter) errorqueue.Filter {
	return also(f, func(e *errorqueue.Entry) bool {
		a.left[a.key(e)]++
		return true
	})
}

// only is the filter, for what was noted.
func (a *agreed) only(f errorqueue.Filter) errorqueue.Filter {
	return also(f, func(e *errorqueue.Entry) bool {
		k := a.key(e)
		a.left[k]--
		return a.left[k] >= 0
	})
}

// also is a filter that selects what f selects and more says yes to.
func also(f errorqueue.Filter, more func(*errorqueue.Entry) bool) errorqueue.Filter {
	match := f.Match
	if match == nil {
		f.MatchText = "as asked about"
	}
	f.Match = func(e errorqueue.Entry) (bool, error) {
		if match != nil {
			if yes, err := match(e); !yes || err != nil {
				return false, err
			}
		}
		return more(&e), nil
	}
	return f
}
