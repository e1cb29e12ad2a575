package consumer

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"io"
	"slices"
)

// suspect tells whether d may be what kills the process. It runs alone.
func (d *delivery) suspect() bool { return d.crashes >= suspectAt }

// first returns which of several suspects runs first. The broker gives all that
// a process has held when it died to the next one, and so on, until one of them
// has had so many deliveries that it is taken for the killer; with it go those
// that have been there every time and have never had their turn.
//
// So the killer must not come before the same ones every time. It has failed at
// least as often as the others: those that have failed less are no danger, and
// come first. Among those that have failed as often the order is any, but the
// same in every process, and after the next death the reverse: whoever was behind
// the killer is then before it. After that comes another order, for there may be
// several killers, and someone between them both times.
func first(suspects []*delivery) int {
	best := slices.MinFunc(suspects, func(a, b *delivery) int {
		if c := cmp.Compare(a.crashes, b.crashes); c != 0 {
			return c
		}
		c := cmp.Compare(a.place(), b.place())
		if a.crashes%2 == 1 {
			c = -c
		}
		return c
	})
	return slices.Index(suspects, best)
}

// place is where a message stands in the order of this death and the next.
func (d *delivery) place() uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.BigEndian, uint64(d.crashes/2))
	// A message without an id is known by its body. If two have the same one,
	// both kill, or neither.
	_, _ = io.WriteString(h, d.MessageId)
	if d.MessageId == "" {
		_, _ = h.Write(d.Body)
	}
	return h.Sum64()
}
