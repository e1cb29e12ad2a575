package header

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"sync/atomic"
	"time"
)

// IDs makes ids for messages: UUIDs of version 7 (RFC 9562), which begin with
// the time, each above the one before. Its zero value is ready for use, by many
// goroutines at once.
type IDs struct {
	last atomic.Int64 // milliseconds since 1970, and 12 bits for 4,096 parts of one
}

// Next returns an id for now.
func (s *IDs) Next(now time.Time) string {
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

// TimeOf returns when an id of this form was made, in milliseconds. ok is false
// if it is of another form.
func TimeOf(id string) (t time.Time, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' {
		return t, false
	}
	high, err := strconv.ParseUint(id[:8], 16, 32)
	if err != nil {
		return t, false
	}
	low, err := strconv.ParseUint(id[9:13], 16, 16)
	if err != nil {
		return t, false
	}
	return time.UnixMilli(int64(high<<16 | low)), true
}
