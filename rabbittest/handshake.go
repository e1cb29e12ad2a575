package rabbittest

import (
	"slices"
	"strings"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// What the broker proposes: RabbitMQ's defaults.
const (
	proposedChannels = 2047
	proposedFrame    = 131072
	locales          = "en_US"
)

// greet takes the protocol header, and begins the handshake. AMQP 0-9-1, section 4.2.2.
func (c *conn) greet() bool {
	head, err := c.frames.ReadProtocolHeader()
	if err != nil {
		return false
	}
	// The other one was sent by clients of the first 0-9.
	right := head == wire.ProtocolHeader || head == "AMQP\x01\x01\x00\x09"
	ended := c.take(func() {
		if !right {
			c.out.put([]byte(c.wantedHeader(head)))
			c.sever()
			return
		}
		c.send(0, &wire.ConnectionStart{
			VersionMajor: 0, VersionMinor: 9, ServerProperties: c.broker.serverProperties(),
			Mechanisms: c.broker.settings.profile.Mechanisms, Locales: locales,
		})
	})
	return !ended
}

// wantedHeader is the protocol that the broker would rather have heard. Those of 4.0 and later want AMQP 1.0 with SASL,
// but not of a client that was nearly right.
func (c *conn) wantedHeader(head string) string {
	if strings.HasPrefix(head, wire.ProtocolHeader[:len(wire.ProtocolHeader)-1]) {
		return wire.ProtocolHeader
	}
	return c.broker.settings.profile.ProtocolHeader
}

func (b *Broker) serverProperties() wire.Table {
	var capabilities wire.Table
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
	} {
		capabilities = append(capabilities, wire.Field{Name: name, Value: true})
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
	case *wire.ConnectionClose:
		if c.stage == open {
			c.closeEngine()
			c.send(0, &wire.ConnectionCloseOk{})
			c.leave(closed) // the client hangs up: an end of the stream that comes with close-ok would look like a failure to it
			return
		}
	case *wire.ConnectionUpdateSecret:
		if c.stage == open {
			c.send(0, &wire.ConnectionUpdateSecretOk{})
			return
		}
	}
	c.fail(engine.ConnectionFault(wire.ChannelError, "unexpected method in connection state %s", c.stage), m)
}

// String is how RabbitMQ calls the stage.
func (s stage) String() string {
	return [...]string{"starting", "tuning", "opening", "running", "closing", "closed", "over"}[s]
}

func (c *conn) logIn(m *wire.ConnectionStartOk) {
	c.properties = m.ClientProperties
	user, ok := c.broker.logIn(m)
	switch {
	case !ok:
		c.sever() // RabbitMQ has no word for it
	case user == "" || c.broker.faults.refusesLogin():
		c.refuseLogin(m)
	default:
		c.user = user
		c.stage = tuning
		c.send(0, &wire.ConnectionTune{
			ChannelMax: proposedChannels, FrameMax: proposedFrame, Heartbeat: uint16(c.broker.settings.Heartbeat / time.Second),
		})
	}
}

// logIn returns the user, or none if the password is wrong. It is not ok if the answer makes no sense.
func (b *Broker) logIn(m *wire.ConnectionStartOk) (user string, ok bool) {
	if !slices.Contains(strings.Fields(b.settings.profile.Mechanisms), m.Mechanism) {
		return "", false
	}
	var password string
	switch m.Mechanism {
	case "PLAIN":
		user, password, ok = plain(m.Response)
	case "AMQPLAIN":
		user, password, ok = amqplain(m.Response)
	case "ANONYMOUS": // anonymous_login_user
		user, ok = "guest", true
		password = b.settings.users[user].Password
	}
	if known, exists := b.settings.users[user]; !exists || known.Password != password {
		user = ""
	}
	return user, ok
}

// refuseLogin tells those who said that they would understand, and hangs up on the others.
// https://www.rabbitmq.com/docs/auth-notification
func (c *conn) refuseLogin(m *wire.ConnectionStartOk) {
	if c.capable("authentication_failure_close") {
		e := engine.ConnectionFault(wire.AccessRefused,
			"Login was refused using authentication mechanism %s. For details see the broker logfile.", m.Mechanism)
		c.hangUp(&wire.ConnectionClose{ReplyCode: e.Code, ReplyText: e.Text})
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
	if len(parts) != 3 || parts[0] != "" { // RabbitMQ knows no other identity to act as
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

// tune takes what the client made of the proposals: it may lower them. What it may not ends the connection, and only
// RabbitMQ's log says why.
func (c *conn) tune(m *wire.ConnectionTuneOk) {
	if m.ChannelMax == 0 || m.ChannelMax > proposedChannels ||
		m.FrameMax < c.broker.settings.profile.FrameMin || m.FrameMax > proposedFrame {
		c.sever()
		return
	}
	c.channelMax, c.frameMax = m.ChannelMax, m.FrameMax
	c.frames.SetLimit(m.FrameMax)
	c.heartbeat.start(c, m.Heartbeat)
	c.stage = opening
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
	c.patience.Stop()
	c.send(0, &wire.ConnectionOpenOk{})
}

// clientName is what the client calls itself.
func (c *conn) clientName() string {
	v, _ := c.properties.Get("connection_name")
	name, _ := v.(string)
	return name
}
