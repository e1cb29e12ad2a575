package confirm

import "time"

// SetTimeout changes how long the broker has to confirm. It is called before
// the first message.
func (s *Sender) SetTimeout(d time.Duration) { s.timeout = d }

// Free returns how many messages may begin.
func (s *Sender) Free() int { return cap(s.slots) - len(s.slots) }

// FaultOf is faultOf.
var FaultOf = faultOf

// Check is Message.check.
func (m *Message) Check(frameMax int) error { return m.check(frameMax) }
