package connection

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// frameSize is RabbitMQ's default frame_max; the broker may lower it.
const frameSize = 131072

// dial connects to one node and returns a session that answers. It returns when
// DialTimeout has passed or ctx ends, whatever the node does.
func (l *link) dial(ctx context.Context, address string) (*Session, error) {
	cfg := l.config
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, cfg.DialTimeout)
	defer cancel()

	user, pass := cfg.user, cfg.pass
	if cfg.Credentials != nil {
		var err error
		if user, pass, err = cfg.Credentials(ctx); err != nil {
			return nil, fmt.Errorf("get credentials: %w", err)
		}
	}
	raw, err := cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, errors.New("Config.Dial returned neither a connection nor an error")
	}
	// Everything below talks over sock and ends when it is closed.
	sock := &socket{Conn: raw, timeout: cfg.WriteTimeout}
	hangUp := context.AfterFunc(ctx, func() { _ = sock.Close() })
	s, err := l.greet(ctx, sock, address, user, pass)
	if stopped := hangUp(); err == nil && stopped {
		s.took = time.Since(began)
		return s, nil
	}
	_ = sock.Close()
	if s != nil {
		s.abort()
		_ = s.out.Close() // waits for its goroutine
	}
	switch is, guessed := refusal(err); {
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", errNoAnswer, context.Cause(ctx))
	case is && guessed && sock.silence() != nil:
		// The client takes any end of the handshake for a refusal.
		err = sock.silence()
	}
	return nil, err
}

// greet begins an AMQP connection over sock. If it returns an error, it may
// still return a Session, which is to be aborted.
func (l *link) greet(ctx context.Context, sock *socket, address, user, pass string) (*Session, error) {
	cfg := l.config
	transport := net.Conn(sock)
	if cfg.tls {
		config := cfg.TLS
		if config.ServerName == "" {
			config = config.Clone()
			var err error
			if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
				return nil, err
			}
		}
		client := tls.Client(transport, config)
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		transport = client
	}

	sasl := amqp.Authentication(&amqp.PlainAuth{Username: user, Password: pass})
	if cfg.external {
		sasl = &amqp.ExternalAuth{}
	}
	out := newGatherer(transport)
	conn, err := amqp.Open(out, amqp.Config{
		SASL:       []amqp.Authentication{sasl},
		Vhost:      cfg.vhost,
		ChannelMax: cfg.channelMax,
		FrameSize:  frameSize,
		Heartbeat:  cfg.Heartbeat,
		Locale:     "en_US",
		Properties: properties(l.name),
	})
	s := newSession(l, conn, out, sock, address)
	if err != nil {
		return s, err
	}
	// Closing the socket does not wake a client that has received what it did
	// not expect.
	defer context.AfterFunc(ctx, s.abort)()
	// The client clears the read deadline when the handshake is over and may so
	// undo the first one of its heartbeater: a broker that falls silent now
	// would never be noticed. One more answer makes it set another.
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Close()
	}
	if err != nil {
		return s, fmt.Errorf("open a first channel: %w", err)
	}
	return s, nil
}

func properties(name string) amqp.Table {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/warren-mq/warren" {
				version = m.Version
			}
		}
	}
	return amqp.Table{
		"product":         "Warren",
		"version":         version,
		"platform":        runtime.Version(),
		"connection_name": name,
	}
}
