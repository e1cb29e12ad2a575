package confirm

// Blocked returns nil while the broker takes messages, as far as is known, and
// otherwise an error that wraps connection.ErrBlocked and says why it takes none.
// It does not wait. A broker tells it only to those who have published.
func (s *Sender) Blocked() error {
	session := s.session.Load()
	if session == nil {
		return nil
	}
	select {
	case <-session.Done(): // with its blockade
		return nil
	default:
	}
	_, blocked := session.Blocked()
	return blocked
}
