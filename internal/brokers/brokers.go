// Package brokers lets one test body run on each kind of broker: on rabbittest,
// in a bubble of testing/synctest, and on a real RabbitMQ. It is for tests.
package brokers

import (
	"cmp"
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/rabbittest"
)

// Broker is one that a test runs on.
type Broker struct {
	// URL is for connection.Config and the client library.
	URL string
	// Dial is for connection.Config. It can be wrapped.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Test is the broker itself, with its faults, and nil if it is a real one.
	Test *rabbittest.Broker
}

// versionVariable names the version that a rabbittest plays.
const versionVariable = "WARREN_RABBITTEST"

// Each runs test on rabbittest in a bubble, as subtest "rabbittest", and, at
// once, on the real broker that tests share, as subtest "rabbitmq", which is
// skipped where there is none. In a bubble time is virtual, and neither t.Run
// nor t.Parallel can be called. The rabbittest plays the version that the
// environment names in WARREN_RABBITTEST, such as 3.10, or else its default.
func Each(t *testing.T, test func(t *testing.T, b Broker)) {
	t.Helper()
	EachWith(t, rabbittest.Options{}, test)
}

// EachWith is Each with options of the rabbittest.
func EachWith(t *testing.T, o rabbittest.Options, test func(t *testing.T, b Broker)) {
	t.Helper()
	t.Run("rabbittest", func(t *testing.T) {
		t.Parallel()
		InBubble(t, o, test)
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, RabbitMQ(t))
	})
}

// InBubble runs test on a rabbittest with these options, in a bubble.
func InBubble(t *testing.T, o rabbittest.Options, test func(t *testing.T, b Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, inMemory(t, o))
	})
}

// inMemory starts a rabbittest.
func inMemory(tb testing.TB, o rabbittest.Options) Broker {
	tb.Helper()
	o.Version = cmp.Or(o.Version, os.Getenv(versionVariable))
	b := rabbittest.NewWith(tb, o)
	return Broker{URL: b.URL(), Dial: b.Dial, Test: b}
}

// EachOverTCP is Each for tests that need TCP, and so real time: the rabbittest
// is in no bubble, and listens.
func EachOverTCP(t *testing.T, test func(t *testing.T, b Broker)) {
	t.Helper()
	t.Run("rabbittest", func(t *testing.T) {
		t.Parallel()
		b := inMemory(t, rabbittest.Options{})
		if _, err := b.Test.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		test(t, Broker{URL: b.Test.URL(), Dial: new(net.Dialer).DialContext, Test: b.Test})
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, RabbitMQ(t))
	})
}

// RabbitMQ returns the real broker that tests share. Where there is none the
// test is skipped.
func RabbitMQ(tb testing.TB) Broker {
	tb.Helper()
	return At(rabbitmq.URL(tb))
}

// At returns the real broker at url.
func At(url string) Broker { return Broker{URL: url, Dial: new(net.Dialer).DialContext} }

// With returns the broker with one more parameter in its URL, as "channel_max=3".
func (b Broker) With(parameter string) Broker {
	if strings.Contains(b.URL, "?") {
		b.URL += "&" + parameter
	} else {
		b.URL += "?" + parameter
	}
	return b
}

// As returns the broker as another user sees it, whose password is the same as the name.
func (b Broker) As(user string) Broker {
	b.URL = strings.Replace(b.URL, "guest:guest", user+":"+user, 1)
	return b
}

// Client connects with the bare client library. The caller closes it.
func (b Broker) Client() (*amqp.Connection, error) {
	return amqp.DialConfig(b.URL, amqp.Config{
		Locale: "en_US",
		Dial: func(network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			conn, err := b.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The client takes it away when it is connected.
			return conn, conn.SetDeadline(time.Now().Add(patience))
		},
	})
}

// Delete deletes these queues when the test ends, if the broker outlives it.
func (b Broker) Delete(tb testing.TB, queues ...string) {
	tb.Helper()
	if b.Test == nil {
		rabbitmq.Delete(tb, b.URL, queues...)
	}
}
