package confirm_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
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
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		b.NackPublishes(-1)
		var opened atomic.Int64
		conn, err := connection.New(b.URL(), connection.Config{
			Monitor: monitoring.Discard{},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := b.Dial(ctx, network, address)
				return countingConn{c, &opened}, err
			},
		})
		must(t, err)
		s := confirm.New(conn, 16)
		refuse := func(d time.Duration) (channels int64) {
			before := opened.Load()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				if err := s.Send(t.Context(), confirm.Message{Key: "orders"}); !errors.Is(err, confirm.ErrRefused) {
					t.Errorf("got %v", err)
				}
			}
			return opened.Load() - before
		}
		refuse(5 * time.Second) // the other channel, and then the other connection
		if n := refuse(time.Minute); n < 5 || n > 7 {
			t.Errorf("%d channels were opened in a minute, want 6 or so", n)
		}
		must(t, s.Close(t.Context()))
		must(t, conn.Close(t.Context()))
	})
}

// countingConn counts the channels that are opened on it.
type countingConn struct {
	net.Conn
	opened *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.opened.Add(int64(bytes.Count(b, []byte{0, 20, 0, 10})))
	return c.Conn.Write(b)
}
