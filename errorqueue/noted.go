package errorqueue

import "hash/maphash"

// noted remembers messages, in a few bytes each: such as those that one pass has
// given back, and that the next leaves alone.
type noted struct {
	seed maphash.Seed
	keys []uint64
}

func newNoted() noted { return noted{seed: maphash.MakeSeed()} }

// add notes a message.
func (n *noted) add(m *Message) { n.keys = append(n.keys, n.key(m)) }

// known returns a function that tells whether a message was noted before now. It
// says so of messages that are alike as often as they were noted.
func (n *noted) known() func(m *Message) bool {
	times := make(map[uint64]int, len(n.keys))
	for _, k := range n.keys {
		times[k]++
	}
	return func(m *Message) bool {
		if len(times) == 0 {
			return false
		}
		k := n.key(m)
		if times[k] == 0 {
			return false
		}
		times[k]--
		return true
	}
}

// key tells messages apart. Those that have the same id and body need not be.
func (n *noted) key(m *Message) uint64 {
	return maphash.Comparable(n.seed, [2]uint64{maphash.String(n.seed, m.ID), maphash.Bytes(n.seed, m.Body)})
}
