package confirm

import "time"

// SetTimeout changes how long the broker has to confirm. It is called before
// the first message.
func (s *Sender) SetTimeout(d time.Duration) { s.timeout = d }

// Free returns how many messages may begin.
func (s *Sender) Free() int { return cap(s.slots) - len(s.slots) }

// Batches returns how many batches Flush may have to wait for.
func (s *Sender) Batches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.batches)
}

// FaultOf is faultOf.
var FaultOf = faultOf

// Check is Message.check.
func (m *Message) Check(frameMax int) error { return m.check(frameMax) }
