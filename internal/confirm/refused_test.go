package confirm_test

import (
	"context"
	"errors"
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
