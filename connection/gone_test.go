package connection_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
)

// goneError is what a test broker says after it was closed.
type goneError struct{}

func (goneError) Error() string { return "nobody will ever answer" }
func (goneError) Gone() bool    { return true }

func TestADiallerThatIsGoneEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := connection.New("amqp://broker/", connection.Config{
			Monitor: monitoring.Discard{},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return nil, fmt.Errorf("dial: %w", goneError{})
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []connection.Purpose{connection.Consume, connection.Publish} {
			if _, err := conn.Session(t.Context(), p); !errors.Is(err, connection.ErrClosed) {
				t.Errorf("%v: %v", p, err)
			}
		}
		if err := conn.Health(); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("health: %v", err)
		}
		// Without Close no goroutine is left, or the bubble would say so.
	})
}
