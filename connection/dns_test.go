package connection_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
)

// Matrix row 24: a name that nobody knows is no refusal, since it may be known in a moment: it is told, and tried again,
// not in a hot loop.
func TestANameThatCannotBeResolved(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		var known atomic.Bool
		diary := newDiary()
		cfg := quick()
		cfg.Monitor = diary
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if !known.Load() {
				return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: address, IsNotFound: true}}
			}
			return b.Dial(ctx, network, address)
		}
		c := createOn(t, b, cfg)
		err := c.Connect(after(t, 300*time.Millisecond))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no such host") {
			t.Errorf("Connect says %v", err)
		}
		if errors.As(err, new(*connection.RefusedError)) {
			t.Errorf("it is taken for a refusal: %v", err)
		}
		for _, e := range told[monitoring.DialFailed](diary) {
			if e.Refused || e.Next <= 0 {
				t.Errorf("told %+v", e)
			}
		}
		known.Store(true)
		must(t, c.Connect(soon(t)))
		must(t, c.Health())
	})
}
