package rabbittest

import (
	"io"
	"strings"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// What the broker proposes: RabbitMQ's defaults.
const (
	proposedChannels = 2047
	proposedFrame    = 131072
	mechanisms       = "AMQPLAIN PLAIN"
	locales          = "en_US"
)

// greet takes the protocol header, and begins the handshake. AMQP 0-9-1, section 4.2.2.
func (c *conn) greet() bool {
	head := make([]byte, len(wire.ProtocolHeader))
	c.waitUntilRead()
	if _, err := io.ReadFull(c.in, head); err != nil {
		return false
	}
	right := string(head) == wire.ProtocolHeader
	c.broker.node.Do(func() {
		if !right {
			c.out.put([]byte(wire.ProtocolHeader))
			c.sever()
			return
		}
		c.send(0, &wire.ConnectionStart{
			VersionMajor: 0, VersionMinor: 9,
			ServerProperties: c.broker.serverProperties(), Mechanisms: mechanisms, Locales: locales,
		})
	})
	return right
}

func (b *Broker) serverProperties() wire.Table {
	var capabilities wire.Table
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
	} {
		capabilities = append(capabilities, wire.Field{Name: name, Value: name != "direct_reply_to"})
	}
	return wire.Table{
		{Name: "capabilities", Value: capabilities},
		{Name: "cluster_name", Value: "rabbittest"},
		{Name: "copyright", Value: "Warren's test broker, which plays RabbitMQ"},
		{Name: "information", Value: "https://github.com/warren-mq/warren"},
		{Name: "platform", Value: "Go"},
		{Name: "product", Value: "RabbitMQ"},
		{Name: "version", Value: b.settings.profile.Version},
	}
}

// connectionCommand takes a method of channel 0.
func (c *conn) connectionCommand(m wire.Method) {
	switch m := m.(type) {
	case *wire.ConnectionClose:
		c.send(0, &wire.ConnectionCloseOk{})
		c.closeEngine()
		c.flush()
		c.sever()
		return
	case *wire.ConnectionStartOk:
		if c.stage == greeting {
			c.logIn(m)
			return
		}
	case *wire.ConnectionTuneOk:
		if c.stage == tuning {
			c.tune(m)
			return
		}
	case *wire.ConnectionOpen:
		if c.stage == opening {
			c.openVHost(m)
			return
		}
	case *wire.ConnectionUpdateSecret:
		if c.stage == open {
			c.send(0, &wire.ConnectionUpdateSecretOk{})
			return
		}
	}
	c.fail(engine.ConnectionFault(wire.CommandInvalid, "unexpected method in connection state %s", c.stage), m)
}

// String is how RabbitMQ calls the stage.
func (s stage) String() string {
	return [...]string{"starting", "tuning", "opening", "running", "closing", "closed"}[s]
}

func (c *conn) logIn(m *wire.ConnectionStartOk) {
	c.properties = m.ClientProperties
	var user, password string
	var ok bool
	switch m.Mechanism {
	case "PLAIN":
		user, password, ok = plain(m.Response)
	case "AMQPLAIN":
		user, password, ok = amqplain(m.Response)
	default:
		c.fail(engine.ConnectionFault(wire.NotAllowed, "unsupported SASL mechanism '%s'", m.Mechanism), m)
		return
	}
	known, exists := c.broker.settings.users[user]
	if !ok || !exists || known.Password != password || c.broker.faults.refusesLogin() {
		c.refuseLogin(m)
		return
	}
	c.user = user
	c.stage = tuning
	c.send(0, &wire.ConnectionTune{
		ChannelMax: proposedChannels, FrameMax: proposedFrame, Heartbeat: uint16(c.broker.settings.Heartbeat / time.Second),
	})
}

// refuseLogin tells those who said that they would understand, and hangs up on the others.
// https://www.rabbitmq.com/docs/auth-notification
func (c *conn) refuseLogin(m *wire.ConnectionStartOk) {
	if c.capable("authentication_failure_close") {
		c.fail(engine.ConnectionFault(wire.AccessRefused,
			"Login was refused using authentication mechanism %s. For details see the broker logfile.", m.Mechanism), nil)
		return
	}
	c.sever()
}

// capable tells whether the client has a capability.
func (c *conn) capable(name string) bool {
	v, _ := c.properties.Get("capabilities")
	t, _ := v.(wire.Table)
	is, _ := t.Get(name)
	return is == true
}

// plain reads the response of the mechanism PLAIN: RFC 4616, section 2.
func plain(response string) (user, password string, ok bool) {
	parts := strings.Split(response, "\x00")
	if len(parts) != 3 {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// amqplain reads that of AMQPLAIN: a table without its length.
func amqplain(response string) (user, password string, ok bool) {
	t, err := wire.ParseTable([]byte(response))
	if err != nil {
		return "", "", false
	}
	login, _ := t.Get("LOGIN")
	secret, _ := t.Get("PASSWORD")
	user, ok = login.(string)
	password, also := secret.(string)
	return user, password, ok && also
}

func (c *conn) tune(m *wire.ConnectionTuneOk) {
	if err := negotiated("channel_max", int(m.ChannelMax), 1, proposedChannels); err != nil {
		c.fail(err, m)
		return
	}
	if err := negotiated("frame_max", int(m.FrameMax), wire.FrameMin, proposedFrame); err != nil {
		c.fail(err, m)
		return
	}
	c.channelMax, c.frameMax = m.ChannelMax, m.FrameMax
	c.frames.SetLimit(m.FrameMax)
	c.heartbeat.start(c, m.Heartbeat)
	c.stage = opening
}

// negotiated checks what a client made of a proposal.
func negotiated(name string, value, least, most int) *engine.Error {
	switch {
	case value != 0 && value < least:
		return engine.ConnectionFault(wire.NotAllowed, "negotiated %s = %d is lower than the minimum allowed value (%d)", name, value, least)
	case value == 0:
		return engine.ConnectionFault(wire.NotAllowed, "negotiated %s = 0 (no limit) is higher than the maximum allowed value (%d)", name, most)
	case value > most:
		return engine.ConnectionFault(wire.NotAllowed, "negotiated %s = %d is higher than the maximum allowed value (%d)", name, value, most)
	}
	return nil
}

func (c *conn) openVHost(m *wire.ConnectionOpen) {
	conn, err := c.broker.node.Connect(m.VirtualHost, c.user)
	if err != nil {
		c.fail(err, m)
		return
	}
	conn.Notify = c.capable("consumer_cancel_notify")
	c.engine, c.vhost = conn, m.VirtualHost
	c.stage = open
	c.send(0, &wire.ConnectionOpenOk{})
}

// clientName is what the client calls itself.
func (c *conn) clientName() string {
	v, _ := c.properties.Get("connection_name")
	name, _ := v.(string)
	return name
}
