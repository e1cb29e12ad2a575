package publisher

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"
)

// ids makes UUIDs of version 7 (RFC 9562), each above the one before. Its zero
// value is ready for use, by many goroutines at once.
type ids struct {
	last atomic.Int64 // milliseconds since 1970, and 12 bits for 4,096 parts of one
}

// next returns an id for now.
func (s *ids) next(now time.Time) string {
	ms := now.UnixMilli()
	part := (now.UnixNano() - ms*int64(time.Millisecond)) << 12 / int64(time.Millisecond)
	stamp := ms<<12 | part
	for {
		last := s.last.Load()
		// In the same part, or after the clock went back, count on.
		stamp = max(stamp, last+1)
		if s.last.CompareAndSwap(last, stamp) {
			break
		}
	}
	var id [16]byte
	_, _ = rand.Read(id[8:]) // never fails
	head := stamp>>12<<16 | 7<<12 | stamp&0xfff
	binary.BigEndian.PutUint64(id[:8], uint64(head))
	id[8] = 0b10<<6 | id[8]&0b111111 // the variant

	var text [36]byte
	for i, at := 0, 0; i < len(id); i++ {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[at] = '-'
			at++
		}
		hex.Encode(text[at:], id[i:i+1])
		at += 2
	}
	return string(text[:])
}
