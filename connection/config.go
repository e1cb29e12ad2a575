package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

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
	// ctx ends. An error counts as a failed dial.
	Credentials func(ctx context.Context) (username, password string, err error)

	// Dial opens the network connection. Nil means net.Dialer. It must respect
	// ctx, which ends after DialTimeout. Tests give that of a test broker.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// DialTimeout bounds one dial with everything: network, TLS and the AMQP
	// handshake. 0 means that of the URL (connection_timeout), or 10 s.
	DialTimeout time.Duration

	// Heartbeat is how often either side shows that it is alive; a silent
	// broker is noticed after one and a half of it. 0 means that of the URL, or
	// 5 s; negative means none, and a silent broker is then noticed by
	// WriteTimeout only. It is rounded up to whole seconds, which is what AMQP
	// counts.
	Heartbeat time.Duration

	// MinRedial and MaxRedial bound the wait before dialling again. It doubles
	// from MinRedial (0: 200 ms) to MaxRedial (0: 30 s) and is shortened at
	// random by up to half. A refused connection waits MaxRedial at once.
	MinRedial, MaxRedial time.Duration

	// Monitor is told what happens, also by the consumers and publishers that
	// have no monitor of their own. Nil means monitoring.Log to slog.Default().
	Monitor monitoring.Monitor

	// Name is what the broker's management shows as the connection's name,
	// with the purpose behind it: "billing/consume". Empty means the name of
	// the program.
	Name string

	// TLS is used with an amqps URL. Nil means the system's certificates. It is
	// cloned; its ServerName, if empty, is the host that is dialled.
	TLS *tls.Config

	// WriteTimeout bounds every write to the network. When it passes, the
	// connection is taken for dead. 0 means 10 s; it cannot be turned off.
	WriteTimeout time.Duration
}

const (
	defaultDialTimeout  = 10 * time.Second
	defaultHeartbeat    = 5 * time.Second
	defaultMinRedial    = 200 * time.Millisecond
	defaultMaxRedial    = 30 * time.Second
	defaultWriteTimeout = 10 * time.Second

	// callTimeout bounds each question to the broker. Without a quorum, 3.10 to
	// 4.3 answer neither declare nor consume, and report no error either.
	callTimeout = 10 * time.Second
	// closeTimeout is for Close without a deadline.
	closeTimeout = 5 * time.Second
	// steady is how long a connection must live until its end is taken for an
	// accident and not for the next failure in a row.
	steady = 5 * time.Second
)

// settings is a checked Config with its defaults, and what the URL says.
type settings struct {
	Config
	addresses  []string
	tls        bool
	vhost      string
	user       string
	pass       string
	external   bool
	channelMax uint16
	monitor    monitoring.Monitor
}

// settings checks cfg and rawURL. What it says of the URL never quotes it: any
// part may hold the password, if a reserved character in it was not encoded.
func (cfg Config) settings(rawURL string) (settings, error) {
	s := settings{Config: cfg}
	if rawURL == "" {
		return s, errors.New("the URL is empty")
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return s, errors.New("the URL cannot be parsed; is every reserved character in user name, password and vhost percent-encoded?")
	}
	uri, err := amqp.ParseURI(rawURL)
	if err != nil {
		return s, fmt.Errorf("the URL is not one of RabbitMQ: %w", err)
	}
	s.tls = uri.Scheme == "amqps"
	s.vhost, s.user, s.pass = uri.Vhost, uri.Username, uri.Password
	s.channelMax = uri.ChannelMax
	if err := s.query(u.Query(), uri); err != nil {
		return s, err
	}
	if s.addresses, err = cfg.addresses(uri); err != nil {
		return s, err
	}

	for _, d := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"DialTimeout", &s.DialTimeout, defaultDialTimeout},
		{"MinRedial", &s.MinRedial, defaultMinRedial},
		{"MaxRedial", &s.MaxRedial, max(defaultMaxRedial, cfg.MinRedial)},
		{"WriteTimeout", &s.WriteTimeout, defaultWriteTimeout},
	} {
		if *d.value < 0 {
			return s, fmt.Errorf("Config.%s is negative: %v", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.unset
		}
	}
	if s.MaxRedial < s.MinRedial {
		return s, fmt.Errorf("Config.MaxRedial (%v) is less than MinRedial (%v)", s.MaxRedial, s.MinRedial)
	}
	switch {
	case s.Heartbeat == 0:
		s.Heartbeat = defaultHeartbeat
	case s.Heartbeat < 0:
		// The client takes 0 for "what the broker wants"; -1 s turns it off.
		s.Heartbeat = -time.Second
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
	s.monitor = monitoring.Monitor(monitoring.Log(nil))
	if cfg.Monitor != nil {
		s.monitor = monitoring.All(cfg.Monitor)
	}
	return s, nil
}

// query takes over what the URL's query says, where cfg says nothing.
func (s *settings) query(q url.Values, uri amqp.URI) error {
	for name := range q {
		switch name {
		case "channel_max": // in uri
		case "heartbeat":
			if s.Heartbeat == 0 && uri.Heartbeat != (amqp.URI{}).Heartbeat {
				n, err := strconv.Atoi(q.Get(name))
				if err != nil {
					return fmt.Errorf("the URL's heartbeat is not a number of seconds: %q", q.Get(name))
				}
				if s.Heartbeat = time.Duration(n) * time.Second; n == 0 {
					s.Heartbeat = -time.Second
				}
			}
		case "connection_timeout":
			if uri.ConnectionTimeout < 0 {
				return fmt.Errorf("the URL's connection_timeout is negative: %d", uri.ConnectionTimeout)
			}
			if s.DialTimeout == 0 {
				s.DialTimeout = time.Duration(uri.ConnectionTimeout) * time.Millisecond
			}
		case "auth_mechanism":
			switch m := strings.ToLower(q.Get(name)); m {
			case "plain":
			case "external":
				s.external = true
			default:
				return fmt.Errorf("the URL's auth_mechanism is neither plain nor external: %q", m)
			}
		default:
			return fmt.Errorf("the URL has an unknown parameter %q; certificates go into Config.TLS", name)
		}
	}
	return nil
}

// addresses returns every node's host and port once, in random order.
func (cfg Config) addresses(uri amqp.URI) ([]string, error) {
	port := strconv.Itoa(uri.Port)
	all := []string{net.JoinHostPort(uri.Host, port)}
	for i, a := range cfg.Addresses {
		host, p, err := net.SplitHostPort(a)
		if err != nil { // no port
			host, p = strings.Trim(a, "[]"), port
		}
		if host == "" || strings.ContainsAny(host, "/@ ") {
			// Perhaps someone put a whole URL here, with its password.
			return nil, fmt.Errorf("Config.Addresses[%d] is not of the form host:port", i)
		}
		all = append(all, net.JoinHostPort(host, p))
	}
	seen := make(map[string]bool, len(all))
	unique := all[:0]
	for _, a := range all {
		if !seen[a] {
			seen[a] = true
			unique = append(unique, a)
		}
	}
	rand.Shuffle(len(unique), func(i, j int) { unique[i], unique[j] = unique[j], unique[i] })
	return unique, nil
}

// where names the broker in errors and logs.
func (s *settings) where() string {
	scheme := "amqp"
	if s.tls {
		scheme = "amqps"
	}
	return scheme + "://" + strings.Join(s.addresses, ",") + "/" + url.PathEscape(s.vhost)
}

// redial returns the wait before dialling again after so many failures in a
// row: between half of it and the whole, so that many clients do not come at
// once. The first redial after a steady connection comes almost at once.
func (s *settings) redial(failures int) time.Duration {
	d := s.MinRedial
	for i := 1; i < failures && d < s.MaxRedial; i++ {
		d *= 2
	}
	return jitter(min(d, s.MaxRedial))
}

func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/2+1)
}

func withDefaultTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
