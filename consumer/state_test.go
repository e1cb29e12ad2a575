package consumer

import (
	"errors"
	"testing"
	"time"
)

// After the broker has moved a message that cannot be read, the queue may be empty, and no delivery comes that would
// show it.
func TestUnreadableIsForgotten(t *testing.T) {
	var s state
	s.init(1)
	s.run = newRun(t.Context(), new(Consumer), 1)
	s.update(func(s *state) { s.unreadable = true })
	now := time.Now()
	for _, c := range []struct {
		subscribed bool
		after      time.Duration
		want       error
	}{
		{false, time.Hour, ErrUnreadable},
		{true, time.Second, ErrUnreadable},
		{true, patient + time.Second, nil},
	} {
		s.setReady(c.subscribed, nil)
		if err := s.health(now.Add(c.after)); !errors.Is(err, c.want) {
			t.Errorf("subscribed %v, after %v: %v", c.subscribed, c.after, err)
		}
	}
}
