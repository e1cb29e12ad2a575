package engine

import "slices"

// list is a queue of entries in the order of their positions, from which the first is taken, and into which those that
// come back are put at their place.
type list struct {
	items []*entry
	first int // index of the first one that is still there
}

func (l *list) len() int { return len(l.items) - l.first }

func (l *list) front() *entry {
	if l.len() == 0 {
		return nil
	}
	return l.items[l.first]
}

func (l *list) pop() *entry {
	e := l.items[l.first]
	l.items[l.first] = nil
	if l.first++; l.first == len(l.items) {
		l.items, l.first = l.items[:0], 0
	} else if l.first > 64 && l.first > len(l.items)/2 {
		l.items = slices.Delete(l.items, 0, l.first)
		l.first = 0
	}
	return e
}

// push adds an entry at the end, whatever its position.
func (l *list) push(e *entry) { l.items = append(l.items, e) }

// insert puts an entry at its place. The usual ones are the very front, where there is room, and near it.
func (l *list) insert(e *entry) {
	at, _ := slices.BinarySearchFunc(l.items[l.first:], e, func(a, b *entry) int {
		if a.position < b.position {
			return -1
		}
		return 1
	})
	if l.first > 0 && at < l.len()/2 {
		l.first--
		copy(l.items[l.first:], l.items[l.first+1:l.first+1+at])
		l.items[l.first+at] = e
		return
	}
	l.items = slices.Insert(l.items, l.first+at, e)
}

// all returns the entries in order. The slice is the list's own.
func (l *list) all() []*entry { return l.items[l.first:] }

// filter keeps the entries for which keep says so.
func (l *list) filter(keep func(*entry) bool) {
	var kept []*entry
	for _, e := range l.all() {
		if keep(e) {
			kept = append(kept, e)
		}
	}
	l.items, l.first = kept, 0
}
