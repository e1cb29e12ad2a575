package connection

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// Addresses lists further nodes of the same cluster, as "host:port" or
	// "host". They and the one in the URL are tried in turn, in an order that
	// is shuffled once, so that many programs spread over the nodes.
	Addresses []string

	// Credentials, if set, is asked for user name and password before every
	// dial, instead of the URL: for secrets that change. It must return when
	// ctx ends. An error counts as a failed dial. It is called from two
	// goroutines.
	Credentials func(ctx context.Context) (username, password string, err error)

	// Dial opens the network connection. Nil means net.Dialer. It must respect
	// ctx, which ends after DialTimeout. It is called from two goroutines.
	// Tests give that of a test broker: Broker.Dial of package rabbittest.
	//
	// An error ends that attempt, and another one follows. Only an error with a
	// method Gone() bool that returns true, as that of a test broker that is
	// closed, ends the connection as Close does: nobody will ever answer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// DialTimeout bounds one dial with everything: network, TLS and the AMQP
	// handshake. 0 means that of the URL (connection_timeout), or 10 s.
	DialTimeout time.Duration

	// Heartbeat is how often either side shows that it is alive; a silent
	// broker is noticed after one and a half of it. 0 means that of the URL, or
	// 5 s. Negative means none: a silent broker is then noticed only by those
	// who ask it something, or write until WriteTimeout. It is rounded up to
	// whole seconds, which is what AMQP counts; the broker may want it shorter.
	Heartbeat time.Duration

	// MinRedial and MaxRedial bound the wait before dialling again. It doubles
	// from MinRedial (0: 200 ms) to MaxRedial (0: 30 s) and is shortened at
	// random by up to half. A broker that refuses is dialled again after
	// MaxRedial at once. With several addresses, the wait comes after all of
	// them have failed.
	MinRedial, MaxRedial time.Duration

	// Monitor is told what happens, also by the consumers and publishers that
	// have no monitor of their own. Nil means monitoring.Log to slog.Default().
	// It must not block, nor close the connection.
	Monitor monitoring.Monitor

	// Name is what the broker's management shows as the connection's name,
	// with the purpose behind it: "billing/consume". Empty means the name of
	// the program.
	Name string

	// TLS is used with an amqps URL. Nil means the system's certificates. It is
	// cloned; its ServerName, if empty, is the host that is dialled.
	TLS *tls.Config

	// WriteTimeout bounds every write to the network. When it passes, the
	// connection is taken for dead, unless the broker has said that it blocks
	// it. 0 means 10 s; it cannot be turned off.
	WriteTimeout time.Duration
}

const (
	defaultDialTimeout  = 10 * time.Second
	defaultHeartbeat    = 5 * time.Second
	defaultMinRedial    = 200 * time.Millisecond
	defaultMaxRedial    = 30 * time.Second
	defaultWriteTimeout = 10 * time.Second

	// defaultCallTimeout bounds each question to the broker. Without a quorum,
	// 3.10 to 4.3 answer neither declare nor consume, and report no error either.
	defaultCallTimeout = 10 * time.Second
	// closeTimeout is for Close without a deadline.
	closeTimeout = 5 * time.Second

	// noHeartbeat turns it off. The client takes 0 for "what the broker wants".
	noHeartbeat = -time.Second
)

// settings is a checked Config with its defaults, and what the URL says.
type settings struct {
	Config
	nodes       []string // each as host:port
	tls         bool
	vhost       string
	user        string
	pass        string
	external    bool
	channelMax  uint16
	callTimeout time.Duration
	monitor     monitoring.Monitor
}

func newSettings(rawURL string, cfg Config) (*settings, error) {
	s := &settings{Config: cfg, callTimeout: defaultCallTimeout}
	if err := s.readURL(rawURL); err != nil {
		return nil, err
	}
	minRedial := defaultMinRedial
	if cfg.MaxRedial > 0 {
		minRedial = min(minRedial, cfg.MaxRedial)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"DialTimeout", &s.DialTimeout, defaultDialTimeout},
		{"MinRedial", &s.MinRedial, minRedial},
		{"MaxRedial", &s.MaxRedial, max(defaultMaxRedial, cfg.MinRedial)},
		{"WriteTimeout", &s.WriteTimeout, defaultWriteTimeout},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("Config.%s is negative: %v", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.unset
		}
	}
	if s.MaxRedial < s.MinRedial {
		return nil, fmt.Errorf("Config.MaxRedial (%v) is less than MinRedial (%v)", s.MaxRedial, s.MinRedial)
	}
	switch {
	case s.Heartbeat == 0:
		s.Heartbeat = defaultHeartbeat
	case s.Heartbeat < 0:
		s.Heartbeat = noHeartbeat
	case s.Heartbeat > math.MaxUint16*time.Second: // has 16 bits on the wire
		s.Heartbeat = math.MaxUint16 * time.Second
	default:
		s.Heartbeat = (s.Heartbeat + time.Second - 1).Truncate(time.Second)
	}
	if s.Name == "" {
		s.Name = filepath.Base(os.Args[0])
	}
	if s.Dial == nil {
		s.Dial = new(net.Dialer).DialContext
	}
	if s.tls {
		if s.TLS == nil {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		} else {
			s.TLS = s.TLS.Clone()
		}
	}
	s.monitor = monitoring.Log(nil)
	if cfg.Monitor != nil {
		s.monitor = monitoring.All(cfg.Monitor)
	}
	return s, nil
}

// where names the broker in errors and logs.
func (s *settings) where() string {
	scheme := "amqp"
	if s.tls {
		scheme = "amqps"
	}
	vhost := "/"
	if s.vhost != vhost { // which people leave out
		vhost += url.PathEscape(s.vhost)
	}
	return scheme + "://" + strings.Join(s.nodes, ",") + vhost
}

func withDefaultTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
