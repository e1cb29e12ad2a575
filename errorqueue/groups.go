package errorqueue

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// What Groups keeps in memory. Fingerprints come from anyone: each entry may
// have one of its own.
const (
	maxGroups   = 1000
	sampleBody  = 4 << 10  // bytes of each sample's body
	sampleBytes = 16 << 20 // about, for all samples
)

// Group is the entries whose failures are probably the same.
type Group struct {
	// Fingerprint is theirs. It is empty for the group of those for which there
	// was no room: see [Queue.Groups].
	Fingerprint string
	// Reason, Error and ErrorType are those of Sample.
	Reason, Error, ErrorType string
	// Count is how many entries there are.
	Count int
	// First and Last are when the first and the last of their failures was, as
	// far as they tell.
	First, Last time.Time
	// Sample is the first entry of the group in the queue. Its body is cut after
	// 4 KiB.
	Sample Entry
}

// Groups returns the entries that f selects by fingerprint, the largest group
// first. It reads the whole queue, as [Queue.All] does, and ends with the same
// errors; one of f.Match ends it, too.
//
// It needs some 20 MB at most, however many entries there are. A thousand groups
// are told apart; what has another fingerprint is counted in one that comes
// last, with an empty Fingerprint and without a sample. If the samples together
// are large, later ones have neither headers, body nor stack.
func (q *Queue) Groups(ctx context.Context, f Filter) ([]Group, error) {
	g := grouping{groups: map[string]*Group{}}
	var failed error
	err := q.each(ctx, f, func(e Entry, err error) bool {
		if failed = err; err == nil {
			g.add(&e)
		}
		return failed == nil
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		return nil, q.failed("group", err)
	}
	return g.sorted(), nil
}

// grouping is the groups so far.
type grouping struct {
	groups map[string]*Group
	others Group
	bytes  int // of samples
}

func (s *grouping) add(e *Entry) {
	g := s.groups[e.Fingerprint]
	switch {
	case g != nil:
	case len(s.groups) == maxGroups:
		g = &s.others
	default:
		g = &Group{Fingerprint: e.Fingerprint, Reason: e.Reason, Error: e.Error, ErrorType: e.ErrorType, Sample: s.sample(*e)}
		s.groups[e.Fingerprint] = g
	}
	g.Count++
	first := e.FirstFailure
	if first.IsZero() {
		first = e.LastFailure
	}
	if !first.IsZero() && (g.First.IsZero() || first.Before(g.First)) {
		g.First = first
	}
	if e.LastFailure.After(g.Last) {
		g.Last = e.LastFailure
	}
}

// sample returns what is kept of an entry.
func (s *grouping) sample(e Entry) Entry {
	e.Message.Body = bytes.Clone(e.Message.Body[:min(len(e.Message.Body), sampleBody)])
	n := e.Message.size()
	if s.bytes+n > sampleBytes {
		e.Message.Headers, e.Message.Body, e.Stack = nil, nil, ""
		return e
	}
	s.bytes += n
	return e
}

func (s *grouping) sorted() []Group {
	all := make([]Group, 0, len(s.groups)+1)
	for _, g := range s.groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), -a.Last.Compare(b.Last), cmp.Compare(a.Sample.Position, b.Sample.Position))
	})
	if s.others.Count > 0 {
		all = append(all, s.others)
	}
	return all
}
