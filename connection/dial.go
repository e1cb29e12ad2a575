package connection

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

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
	// Everything below talks over raw and ends when it is closed.
	hangUp := context.AfterFunc(ctx, func() { _ = raw.Close() })
	keep := false
	defer func() {
		if hangUp(); !keep {
			_ = raw.Close()
		}
	}()

	transport := net.Conn(&socket{Conn: raw, timeout: cfg.WriteTimeout})
	if cfg.tls {
		config := cfg.TLS
		if config.ServerName == "" {
			config = config.Clone()
			if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
				return nil, err
			}
		}
		client := tls.Client(transport, config)
		if err := client.HandshakeContext(ctx); err != nil {
			return nil, because(ctx, err)
		}
		transport = client
	}

	sasl := amqp.Authentication(&amqp.PlainAuth{Username: user, Password: pass})
	if cfg.external {
		sasl = &amqp.ExternalAuth{}
	}
	conn, err := amqp.Open(transport, amqp.Config{
		SASL:       []amqp.Authentication{sasl},
		Vhost:      cfg.vhost,
		ChannelMax: cfg.channelMax,
		FrameSize:  frameSize,
		Heartbeat:  cfg.Heartbeat,
		Locale:     "en_US",
		Properties: properties(cfg.Name + "/" + l.purpose.String()),
	})
	if err != nil {
		return nil, because(ctx, err)
	}
	// The client clears the read deadline when the handshake is over and may so
	// undo the first one of its heartbeater: a broker that falls silent now
	// would never be noticed. One more answer makes it set another.
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Close()
	}
	if err != nil {
		return nil, because(ctx, fmt.Errorf("open a first channel: %w", err))
	}
	if !hangUp() {
		return nil, because(ctx, errNoAnswer)
	}
	keep = true
	version, _ := conn.Properties["version"].(string)
	return newSession(l, conn, raw, address, version, began), nil
}

// frameSize is RabbitMQ's default frame_max; the broker may lower it.
const frameSize = 131072

// because replaces what a closed socket looks like by why it was closed.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, context.Cause(ctx))
	}
	return err
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

// socket bounds every write, which the client does not do: against a broker
// that has stopped reading it would wait for ever, and everyone else who wants
// to write with it.
type socket struct {
	net.Conn
	timeout time.Duration
}

func (s *socket) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}
