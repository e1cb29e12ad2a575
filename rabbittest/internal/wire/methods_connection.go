package wire

// The methods of class connection.
type (
	// ConnectionStart is connection.start.
	ConnectionStart struct {
		VersionMajor, VersionMinor uint8
		ServerProperties           Table
		Mechanisms, Locales        string
	}
	// ConnectionStartOk is connection.start-ok.
	ConnectionStartOk struct {
		ClientProperties            Table
		Mechanism, Response, Locale string
	}
	// ConnectionSecure is connection.secure.
	ConnectionSecure struct {
		Challenge string
	}
	// ConnectionSecureOk is connection.secure-ok.
	ConnectionSecureOk struct {
		Response string
	}
	// ConnectionTune is connection.tune.
	ConnectionTune struct {
		ChannelMax uint16
		FrameMax   uint32
		Heartbeat  uint16
	}
	// ConnectionTuneOk is connection.tune-ok.
	ConnectionTuneOk struct {
		ChannelMax uint16
		FrameMax   uint32
		Heartbeat  uint16
	}
	// ConnectionOpen is connection.open.
	ConnectionOpen struct {
		VirtualHost string
	}
	// ConnectionOpenOk is connection.open-ok.
	ConnectionOpenOk struct{}
	// ConnectionClose is connection.close.
	ConnectionClose struct {
		ReplyCode         uint16
		ReplyText         string
		ClassID, MethodID uint16
	}
	// ConnectionCloseOk is connection.close-ok.
	ConnectionCloseOk struct{}
	// ConnectionBlocked is connection.blocked.
	ConnectionBlocked struct {
		Reason string
	}
	// ConnectionUnblocked is connection.unblocked.
	ConnectionUnblocked struct{}
	// ConnectionUpdateSecret is connection.update-secret.
	ConnectionUpdateSecret struct {
		NewSecret, Reason string
	}
	// ConnectionUpdateSecretOk is connection.update-secret-ok.
	ConnectionUpdateSecretOk struct{}
)

// The methods of class channel.
type (
	// ChannelOpen is channel.open.
	ChannelOpen struct{}
	// ChannelOpenOk is channel.open-ok.
	ChannelOpenOk struct{}
	// ChannelFlow is channel.flow.
	ChannelFlow struct {
		Active bool
	}
	// ChannelFlowOk is channel.flow-ok.
	ChannelFlowOk struct {
		Active bool
	}
	// ChannelClose is channel.close.
	ChannelClose struct {
		ReplyCode         uint16
		ReplyText         string
		ClassID, MethodID uint16
	}
	// ChannelCloseOk is channel.close-ok.
	ChannelCloseOk struct{}
)

// The methods of class access.
type (
	// AccessRequest is access.request.
	AccessRequest struct {
		Realm                                   string
		Exclusive, Passive, Active, Write, Read bool
	}
	// AccessRequestOk is access.request-ok.
	AccessRequestOk struct {
		Ticket uint16
	}
)

var (
	// connection
	connectionStartSpec          = &spec{"connection.start", 10, 10, func() Method { return new(ConnectionStart) }}
	connectionStartOkSpec        = &spec{"connection.start-ok", 10, 11, func() Method { return new(ConnectionStartOk) }}
	connectionSecureSpec         = &spec{"connection.secure", 10, 20, func() Method { return new(ConnectionSecure) }}
	connectionSecureOkSpec       = &spec{"connection.secure-ok", 10, 21, func() Method { return new(ConnectionSecureOk) }}
	connectionTuneSpec           = &spec{"connection.tune", 10, 30, func() Method { return new(ConnectionTune) }}
	connectionTuneOkSpec         = &spec{"connection.tune-ok", 10, 31, func() Method { return new(ConnectionTuneOk) }}
	connectionOpenSpec           = &spec{"connection.open", 10, 40, func() Method { return new(ConnectionOpen) }}
	connectionOpenOkSpec         = &spec{"connection.open-ok", 10, 41, func() Method { return new(ConnectionOpenOk) }}
	connectionCloseSpec          = &spec{"connection.close", 10, 50, func() Method { return new(ConnectionClose) }}
	connectionCloseOkSpec        = &spec{"connection.close-ok", 10, 51, func() Method { return new(ConnectionCloseOk) }}
	connectionBlockedSpec        = &spec{"connection.blocked", 10, 60, func() Method { return new(ConnectionBlocked) }}
	connectionUnblockedSpec      = &spec{"connection.unblocked", 10, 61, func() Method { return new(ConnectionUnblocked) }}
	connectionUpdateSecretSpec   = &spec{"connection.update-secret", 10, 70, func() Method { return new(ConnectionUpdateSecret) }}
	connectionUpdateSecretOkSpec = &spec{"connection.update-secret-ok", 10, 71, func() Method { return new(ConnectionUpdateSecretOk) }}
	// channel
	channelOpenSpec    = &spec{"channel.open", 20, 10, func() Method { return new(ChannelOpen) }}
	channelOpenOkSpec  = &spec{"channel.open-ok", 20, 11, func() Method { return new(ChannelOpenOk) }}
	channelFlowSpec    = &spec{"channel.flow", 20, 20, func() Method { return new(ChannelFlow) }}
	channelFlowOkSpec  = &spec{"channel.flow-ok", 20, 21, func() Method { return new(ChannelFlowOk) }}
	channelCloseSpec   = &spec{"channel.close", 20, 40, func() Method { return new(ChannelClose) }}
	channelCloseOkSpec = &spec{"channel.close-ok", 20, 41, func() Method { return new(ChannelCloseOk) }}
	// access
	accessRequestSpec   = &spec{"access.request", 30, 10, func() Method { return new(AccessRequest) }}
	accessRequestOkSpec = &spec{"access.request-ok", 30, 11, func() Method { return new(AccessRequestOk) }}
)

func (*ConnectionStart) spec() *spec { return connectionStartSpec }
func (m *ConnectionStart) fields(c *coder) {
	c.uint8(&m.VersionMajor)
	c.uint8(&m.VersionMinor)
	c.table(&m.ServerProperties)
	c.longstr(&m.Mechanisms)
	c.longstr(&m.Locales)
}

func (*ConnectionStartOk) spec() *spec { return connectionStartOkSpec }
func (m *ConnectionStartOk) fields(c *coder) {
	c.table(&m.ClientProperties)
	c.shortstr(&m.Mechanism)
	c.longstr(&m.Response)
	c.shortstr(&m.Locale)
}

func (*ConnectionSecure) spec() *spec { return connectionSecureSpec }
func (m *ConnectionSecure) fields(c *coder) {
	c.longstr(&m.Challenge)
}

func (*ConnectionSecureOk) spec() *spec { return connectionSecureOkSpec }
func (m *ConnectionSecureOk) fields(c *coder) {
	c.longstr(&m.Response)
}

func (*ConnectionTune) spec() *spec { return connectionTuneSpec }
func (m *ConnectionTune) fields(c *coder) {
	c.uint16(&m.ChannelMax)
	c.uint32(&m.FrameMax)
	c.uint16(&m.Heartbeat)
}

func (*ConnectionTuneOk) spec() *spec { return connectionTuneOkSpec }
func (m *ConnectionTuneOk) fields(c *coder) {
	c.uint16(&m.ChannelMax)
	c.uint32(&m.FrameMax)
	c.uint16(&m.Heartbeat)
}

func (*ConnectionOpen) spec() *spec { return connectionOpenSpec }
func (m *ConnectionOpen) fields(c *coder) {
	c.shortstr(&m.VirtualHost)
	c.reservedShortstr()
	c.reservedBits()
}

func (*ConnectionOpenOk) spec() *spec { return connectionOpenOkSpec }
func (*ConnectionOpenOk) fields(c *coder) {
	c.reservedShortstr()
}

func (*ConnectionClose) spec() *spec { return connectionCloseSpec }
func (m *ConnectionClose) fields(c *coder) {
	c.uint16(&m.ReplyCode)
	c.shortstr(&m.ReplyText)
	c.uint16(&m.ClassID)
	c.uint16(&m.MethodID)
}

func (*ConnectionCloseOk) spec() *spec   { return connectionCloseOkSpec }
func (*ConnectionCloseOk) fields(*coder) {}

func (*ConnectionBlocked) spec() *spec { return connectionBlockedSpec }
func (m *ConnectionBlocked) fields(c *coder) {
	c.shortstr(&m.Reason)
}

func (*ConnectionUnblocked) spec() *spec   { return connectionUnblockedSpec }
func (*ConnectionUnblocked) fields(*coder) {}

func (*ConnectionUpdateSecret) spec() *spec { return connectionUpdateSecretSpec }
func (m *ConnectionUpdateSecret) fields(c *coder) {
	c.longstr(&m.NewSecret)
	c.shortstr(&m.Reason)
}

func (*ConnectionUpdateSecretOk) spec() *spec   { return connectionUpdateSecretOkSpec }
func (*ConnectionUpdateSecretOk) fields(*coder) {}

func (*ChannelOpen) spec() *spec { return channelOpenSpec }
func (*ChannelOpen) fields(c *coder) {
	c.reservedShortstr()
}

func (*ChannelOpenOk) spec() *spec { return channelOpenOkSpec }
func (*ChannelOpenOk) fields(c *coder) {
	c.reservedLongstr()
}

func (*ChannelFlow) spec() *spec { return channelFlowSpec }
func (m *ChannelFlow) fields(c *coder) {
	c.bits(&m.Active)
}

func (*ChannelFlowOk) spec() *spec { return channelFlowOkSpec }
func (m *ChannelFlowOk) fields(c *coder) {
	c.bits(&m.Active)
}

func (*ChannelClose) spec() *spec { return channelCloseSpec }
func (m *ChannelClose) fields(c *coder) {
	c.uint16(&m.ReplyCode)
	c.shortstr(&m.ReplyText)
	c.uint16(&m.ClassID)
	c.uint16(&m.MethodID)
}

func (*ChannelCloseOk) spec() *spec   { return channelCloseOkSpec }
func (*ChannelCloseOk) fields(*coder) {}

func (*AccessRequest) spec() *spec { return accessRequestSpec }
func (m *AccessRequest) fields(c *coder) {
	c.shortstr(&m.Realm)
	c.bits(&m.Exclusive, &m.Passive, &m.Active, &m.Write, &m.Read)
}

func (*AccessRequestOk) spec() *spec { return accessRequestOkSpec }
func (m *AccessRequestOk) fields(c *coder) {
	c.uint16(&m.Ticket)
}
