package confirm_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// A node that refuses everything, for longer than a second: then the channel is retired and closed, and after one more
// second the session is failed. Whoever is refused at that moment hears so at once, and not half a minute later that
// nobody knows.
func TestRefusedWhileTheChannelIsRetired(t *testing.T) {
	for range 20 { // the caller and the collector race for the broker's word
		synctest.Test(t, func(t *testing.T) {
			b := rabbittest.New(t)
			b.NackPublishes(-1)
			conn, err := connection.New(b.URL(), connection.Config{Dial: b.Dial, Monitor: monitoring.Discard{}})
			must(t, err)
			s := confirm.New(conn, 16)
			for range 30 {
				began := time.Now()
				err := s.Send(t.Context(), confirm.Message{Key: "orders"})
				if !errors.Is(err, confirm.ErrRefused) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > time.Second { // it may dial again
					t.Errorf("that took %v", took)
				}
				time.Sleep(100 * time.Millisecond)
			}
			must(t, s.Close(context.Background()))
			must(t, conn.Close(context.Background()))
		})
	}
}

// On RabbitMQ 3.10 a channel that was nacked by a full queue is nacked for ever after the queue's limit was lifted, and
// only another channel, opened later, is not. So further ones are opened, but not too many: the queue may still be full.
func TestFurtherChannelsAreOpenedWhileAllIsRefused(t *testing.T) {
	onCounted(t, func(t *testing.T, b *rabbittest.Broker, s *confirm.Sender, opened *[]time.Time) {
		b.NackPublishes(rabbittest.Always)
		began := time.Now()
		for time.Since(began) < 95*time.Second {
			if err := s.Send(t.Context(), confirm.Message{Key: "orders"}); !errors.Is(err, confirm.ErrRefused) {
				t.Errorf("got %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		var at []int
		for _, o := range *opened {
			at = append(at, int(o.Sub(began).Seconds()))
		}
		// The second channel, then the next connection, and then one every ten seconds.
		if want := []int{0, 1, 2, 11, 21, 31, 41, 51, 61, 71, 81, 91}; !slices.Equal(at, want) {
			t.Errorf("channels were opened after %v s, want %v", at, want)
		}
	})
}

// A refusal now and then is no reason to doubt the channel: one ack for the same destination ends the doubt.
func TestRefusalsAmongAcksCostNoChannel(t *testing.T) {
	onCounted(t, func(t *testing.T, b *rabbittest.Broker, s *confirm.Sender, opened *[]time.Time) {
		for range 20 {
			b.NackPublishes(3) // all within a second
			for range 3 {
				if err := s.Send(t.Context(), optional("1")); !errors.Is(err, confirm.ErrRefused) {
					t.Errorf("got %v", err)
				}
				time.Sleep(300 * time.Millisecond)
			}
			must(t, s.Send(t.Context(), optional("1")))
		}
		if n := len(*opened); n != 1 {
			t.Errorf("%d channels were opened", n)
		}
	})
}

// counting notes when channels are opened on the connections that dial makes, but for the first on each, which is the
// connection's own.
func counting(dial func(ctx context.Context, network, address string) (net.Conn, error), opened *[]time.Time) func(ctx context.Context, network, address string) (net.Conn, error) {
	var mu sync.Mutex
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		own := true
		return countingConn{c, func() {
			mu.Lock()
			defer mu.Unlock()
			if own {
				own = false
				return
			}
			*opened = append(*opened, time.Now())
		}}, err
	}
}

type countingConn struct {
	net.Conn
	opened func()
}

func (c countingConn) Write(b []byte) (int, error) {
	for range bytes.Count(b, []byte{0, 20, 0, 10}) {
		c.opened()
	}
	return c.Conn.Write(b)
}
