package connection

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sink is the far side of a gatherer: it remembers what is written to it.
type sink struct {
	net.Conn // nil: what is not below must not be asked

	mu     sync.Mutex
	got    []byte
	writes int
	room   int           // bytes until it fails; negative: for ever
	held   chan struct{} // if not nil, a write waits until it is closed
	closed chan struct{}
	once   sync.Once
}

var errBroken = errors.New("the test broke it")

func newSink() *sink { return &sink{room: -1, closed: make(chan struct{})} }

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-s.closed:
			return 0, net.ErrClosed
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	s.writes++
	n, err := len(b), error(nil)
	if s.room >= 0 && n > s.room {
		n, err = s.room, errBroken
	}
	if s.room >= 0 {
		s.room -= n
	}
	s.got = append(s.got, b[:n]...)
	return n, err
}

func (s *sink) Read(b []byte) (int, error) { return len(b), nil }

func (s *sink) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *sink) seen() (got []byte, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.got), s.writes
}

// hold lets writes wait until what it returns is called.
func (s *sink) hold() (release func()) {
	held := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = held
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held = nil
		close(held)
	}
}

// write writes b whole.
func write(tb testing.TB, w io.Writer, b []byte) {
	tb.Helper()
	if n, err := w.Write(b); n != len(b) || err != nil {
		tb.Errorf("Write returned %d of %d, %v", n, len(b), err)
	}
}

// noise is bytes of which each place has its own.
func noise(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// Who waits for an answer each time is served without a detour.
func TestALoneWriteGoesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		g := newGatherer(s)
		for i := range 10 {
			write(t, g, []byte{byte(i)})
			if got, writes := s.seen(); writes != i+1 || len(got) != i+1 {
				t.Fatalf("after %d writes there were %d, of %d bytes", i+1, writes, len(got))
			}
			_, _ = g.Read(make([]byte, 1))
		}
		if n := cap(g.pending) + cap(g.spare); n != 0 {
			t.Errorf("it holds %d bytes", n)
		}
	})
}

func TestABurstIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		g := newGatherer(s)
		release := s.hold()
		go write(t, g, []byte("a"))
		synctest.Wait()
		release()
		synctest.Wait()
		release = s.hold()
		for range 1000 { // while the first of them waits below
			write(t, g, []byte("bcd"))
		}
		synctest.Wait()
		release()
		synctest.Wait() // nobody writes any more, and all leaves
		got, writes := s.seen()
		if want := "a" + string(bytes.Repeat([]byte("bcd"), 1000)); string(got) != want || writes > 3 {
			t.Errorf("%d bytes came of %d, with %d writes", len(got), len(want), writes)
		}
	})
}

// A small write must not overtake a large one, nor the other way round.
func TestGatheringKeepsTheOrder(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			here, there := net.Pipe()
			if seed%2 == 1 {
				here, there = tcpPair(t)
			}
			g := newGatherer(&socket{Conn: here, timeout: time.Minute})
			sent := noise(seed, 1<<19)
			came := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() { // answers now and then
				for b := make([]byte, 1); ; {
					if _, err := g.Read(b); err != nil {
						return
					}
				}
			})
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, 2))
				defer close(came)
				var got []byte
				for len(got) < len(sent) {
					b := make([]byte, 1+r.IntN(5000))
					n, err := there.Read(b)
					if got = append(got, b[:n]...); err != nil {
						break
					}
					if r.IntN(20) == 0 {
						_, _ = there.Write(b[:1])
					}
				}
				if !bytes.Equal(got, sent) {
					t.Errorf("%d bytes came of %d, or others", len(got), len(sent))
				}
			})
			for rest := sent; len(rest) > 0; {
				n := 1 + r.IntN(300)
				switch r.IntN(100) {
				case 0:
					n = r.IntN(3 * gathered)
				case 1, 2, 3:
					n = 4096
				}
				n = min(n, len(rest))
				write(t, g, rest[:n])
				rest = rest[n:]
			}
			<-came // TCP forgets what is under way when it is closed with answers unread
			if err := g.Close(); err != nil {
				t.Error(err)
			}
			_ = there.Close()
			wg.Wait()
		})
	}
}

func tcpPair(tb testing.TB) (here, there net.Conn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		tb.Fatal(err)
	}
	return here, there
}

// Many may write at once: each piece stays whole, and those of one writer stay
// in their order.
func TestManyGatherAtOnce(t *testing.T) {
	const writers, pieces = 8, 400
	s := newSink()
	g := newGatherer(s)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for i := range pieces {
				size := 4 + r.IntN(600)
				if i%100 == 99 {
					size = gathered + 4
				}
				b := bytes.Repeat([]byte{byte(w)}, size)
				b[1], b[2], b[3] = byte(i), byte(i>>8), 0xff
				b = append([]byte{byte(size), byte(size >> 8), byte(size >> 16)}, b...)
				write(t, g, b)
				if r.IntN(10) == 0 {
					_, _ = g.Read(b[:1])
				}
			}
		})
	}
	wg.Wait()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	got, _ := s.seen()
	var next [writers]int
	for len(got) > 0 {
		size := int(got[0]) | int(got[1])<<8 | int(got[2])<<16
		piece := got[3 : 3+size]
		w, i := int(piece[0]), int(piece[1])|int(piece[2])<<8
		if i != next[w] || bytes.Count(piece[4:], piece[:1]) != size-4 {
			t.Fatalf("piece %d of %d, where %d is due, or it is mixed", i, w, next[w])
		}
		next[w]++
		got = got[3+size:]
	}
	for w, n := range next {
		if n != pieces {
			t.Errorf("%d pieces of %d", n, w)
		}
	}
}

// Wherever it breaks: what came is the beginning of what was written, nothing
// follows, the writer is told, and no goroutine is left.
func TestGatheringBreaksAtEveryByte(t *testing.T) {
	const piece, pieces = 7, 30
	sent := noise(1, piece*pieces)
	for room := range sent {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(room), 4))
			s := newSink()
			s.room = room
			g := newGatherer(s)
			var failed error
			for i := range pieces {
				n, err := g.Write(sent[i*piece : (i+1)*piece])
				switch {
				case failed != nil && (n != 0 || !errors.Is(err, errBroken)):
					t.Fatalf("broken at %d, a later write returns %d, %v", room, n, err)
				case err == nil && n != piece, err != nil && n == piece:
					t.Fatalf("a write returns %d, %v", n, err)
				}
				failed = err
				switch r.IntN(4) {
				case 0:
					_, _ = g.Read(make([]byte, 1))
				case 1:
					synctest.Wait()
				}
			}
			synctest.Wait()
			if _, err := g.Write(sent[:1]); !errors.Is(err, errBroken) {
				t.Errorf("broken at %d, the last write says %v", room, err)
			}
			if got, _ := s.seen(); !bytes.Equal(got, sent[:room]) {
				t.Errorf("broken at %d, %d bytes came, or others", room, len(got))
			}
			_ = g.Close()
		})
	}
}

// A broker that reads nothing is bound by the socket's timeout, as it was, and
// fills no more memory than that.
func TestGatheringForABrokerThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer func() { _ = there.Close() }()
		s := &socket{Conn: here, timeout: 10 * time.Second}
		g := newGatherer(s)
		g.answered.Store(false)
		began, accepted := time.Now(), 0
		var err error
		for err == nil {
			var n int
			n, err = g.Write(make([]byte, 1000))
			accepted += n
		}
		if took := time.Since(began); took != 10*time.Second || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write fails after %v, with %v", took, err)
		}
		if accepted < gathered || accepted > 2*gathered {
			t.Errorf("%d bytes were accepted", accepted)
		}
		if s.silence() == nil {
			t.Error("nobody is told that the broker is silent")
		}
		if _, err := g.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the reader is told %v", err)
		}
		_ = g.Close()
	})
}

// A broker that has blocked the connection reads the rest later.
func TestGatheringForABlockedBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		s := &socket{Conn: here, timeout: time.Second}
		s.blocked.Store(&blockade{})
		g := newGatherer(s)
		g.answered.Store(false)
		sent := noise(5, 5*gathered)
		const alarm = time.Hour + time.Second/2 // between two of the socket's deadlines
		got := make(chan []byte)
		go func() {
			time.Sleep(alarm)
			s.blocked.Store(nil)
			b, _ := io.ReadAll(there)
			got <- b
		}()
		began := time.Now()
		for i := 0; i < len(sent); i += 1024 {
			write(t, g, sent[i:i+1024])
		}
		if took := time.Since(began); took != alarm {
			t.Errorf("it was written after %v", took)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(<-got, sent) {
			t.Error("other bytes came")
		}
	})
}

// Close writes what was accepted, but waits for nobody who does not take it.
func TestCloseOfAGatherer(t *testing.T) {
	start := func(t *testing.T) (s *sink, g *gatherer, release func()) {
		s = newSink()
		g = newGatherer(s)
		g.answered.Store(false)
		release = s.hold()
		write(t, g, []byte("acc"))
		synctest.Wait() // flush has that
		write(t, g, []byte("epted"))
		return s, g, release
	}
	t.Run("in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, g, release := start(t)
			time.AfterFunc(lastWords/2, release)
			if err := g.Close(); err != nil {
				t.Error(err)
			}
			if got, _ := s.seen(); string(got) != "accepted" {
				t.Errorf("%q came", got)
			}
			if _, err := g.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a late write says %v", err)
			}
		})
	})
	t.Run("too late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, g, _ := start(t)
			began := time.Now()
			_ = g.Close()
			if took := time.Since(began); took != lastWords {
				t.Errorf("Close took %v", took)
			}
			if got, _ := s.seen(); len(got) != 0 {
				t.Errorf("%q came", got)
			}
		})
	})
	t.Run("hung up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, g, _ := start(t)
			full := make(chan error)
			go func() {
				_, err := g.Write(make([]byte, gathered))
				full <- err
			}()
			synctest.Wait()
			began := time.Now()
			g.abandon()
			if err := <-full; !errors.Is(err, net.ErrClosed) {
				t.Errorf("who waits for room hears %v", err)
			}
			_ = s.Close()
			_ = g.Close()
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %v", took)
			}
			if got, _ := s.seen(); len(got) != 0 {
				t.Errorf("%q came", got)
			}
		})
	})
}

// Whoever closes, at whatever moment: what came is the beginning of what was
// accepted, and all of it if nobody hung up.
func TestAGathererIsClosedAtAnyMoment(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 6))
			s := newSink()
			g := newGatherer(s)
			sent := noise(seed, 60_000)
			accepted := 0
			hangUp := r.IntN(2) == 0
			var wg sync.WaitGroup
			wg.Go(func() {
				for accepted < len(sent) {
					n, err := g.Write(sent[accepted:min(len(sent), accepted+50+int(seed))])
					accepted += n
					if err != nil {
						if !errors.Is(err, net.ErrClosed) {
							t.Errorf("Write says %v", err)
						}
						return
					}
				}
			})
			for range r.IntN(200) {
				_, _ = g.Read(make([]byte, 1))
			}
			if hangUp {
				wg.Go(func() {
					g.abandon()
					_ = s.Close()
				})
			}
			for range 2 {
				wg.Go(func() { _ = g.Close() })
			}
			wg.Wait()
			got, _ := s.seen()
			if !bytes.HasPrefix(sent[:accepted], got) || !hangUp && len(got) != accepted {
				t.Fatalf("seed %d: %d bytes came of %d, hung up: %v", seed, len(got), accepted, hangUp)
			}
			if g.flushing {
				t.Fatalf("seed %d: a goroutine is left", seed)
			}
		})
	}
}
