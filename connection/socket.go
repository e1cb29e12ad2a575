package connection

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// socket is a network connection that bounds every write, which the client does
// not do: against a broker that has stopped reading it would wait for ever, and
// everyone else who wants to write with it. It also remembers how reading and
// writing ended, which the client does not tell.
type socket struct {
	net.Conn
	timeout time.Duration
	blocked atomic.Pointer[blockade] // nil while the broker takes messages
	silent  atomic.Int64             // for how long the broker may be, a time.Duration; 0: not known yet

	mu       sync.Mutex
	readErr  error // the first
	writeErr error // the first
}

func (s *socket) Read(b []byte) (int, error) {
	began := time.Now()
	n, err := s.Conn.Read(b)
	// The goroutine of the client that renews the read deadline also writes, and
	// is held up by any write that is. So the deadline may be an old one.
	for errors.Is(err, os.ErrDeadlineExceeded) {
		end := began.Add(time.Duration(s.silent.Load()))
		if !time.Now().Before(end) || s.SetReadDeadline(end) != nil {
			break
		}
		n, err = s.Conn.Read(b)
	}
	if err != nil {
		s.note(&s.readErr, err)
		err = cmp.Or(s.failedWrite(), err) // which has closed it
	}
	return n, err
}

func (s *socket) Write(b []byte) (int, error) {
	n, err := s.write(b)
	// A broker that has blocked the connection does not read, and says so: it is
	// alive, and will read the rest.
	for errors.Is(err, os.ErrDeadlineExceeded) && s.blocked.Load() != nil {
		var more int
		more, err = s.write(b[n:])
		n += more
	}
	if err != nil {
		s.note(&s.writeErr, err)
		// A frame may have left by half, so nothing can follow it. The client
		// would notice at its next write, which may be far away: its reader, which
		// this wakes, tells it why.
		_ = s.Close()
	}
	return n, err
}

func (s *socket) write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

func (s *socket) note(first *error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *first == nil {
		*first = err
	}
}

func (s *socket) failedWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr
}

// silence returns an error if a deadline passed: the broker sent nothing, not
// even heartbeats, or took nothing. Otherwise it returns nil.
func (s *socket) silence() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(s.writeErr, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: it has read nothing for %v", errNoAnswer, s.timeout)
	case errors.Is(s.readErr, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: it has sent nothing, not even heartbeats", errNoAnswer)
	}
	return nil
}
