package wire

// ParseHeader reads the payload of a content header: the class, the size of
// the body, and the properties (AMQP 0-9-1, section 4.2.6.1).
//
// With code 541 class and size are good and only the properties are not:
// RabbitMQ finds that out when it has the whole body.
func ParseHeader(payload []byte) (class uint16, size uint64, p Properties, err error) {
	c := coder{b: payload}
	var weight uint16
	c.head(&class, &weight, &size)
	switch {
	case c.broken:
		return 0, 0, Properties{}, Unknown(Frame{Type: FrameHeader, Payload: payload})
	case weight != 0:
		return class, size, Properties{}, NoHeader()
	}
	c.uint16(&p.Flags)
	more := p.Flags&1 != 0 // flags, which no property has
	p.Flags &^= 3
	c.properties(&p)
	if more || c.broken || c.wrong != nil || len(c.b) > 0 {
		return class, size, Properties{}, malformed()
	}
	return class, size, p, nil
}

// AppendHeader appends the payload of a content header to b.
func AppendHeader(b []byte, class uint16, size uint64, p Properties) []byte {
	c := coder{b: b, writing: true}
	c.head(&class, new(uint16), &size)
	p.Flags &^= 3
	c.uint16(&p.Flags)
	c.properties(&p)
	return c.b
}

func (c *coder) head(class, weight *uint16, size *uint64) {
	c.uint16(class)
	c.uint16(weight)
	c.uint64(size)
}

// properties are those that the flags name.
func (c *coder) properties(p *Properties) {
	if p.Has(HasContentType) {
		c.short(&p.ContentType)
	}
	if p.Has(HasContentEncoding) {
		c.short(&p.ContentEncoding)
	}
	if p.Has(HasHeaders) {
		c.headers(&p.Headers)
	}
	if p.Has(HasDeliveryMode) {
		c.uint8(&p.DeliveryMode)
	}
	if p.Has(HasPriority) {
		c.uint8(&p.Priority)
	}
	if p.Has(HasCorrelationID) {
		c.short(&p.CorrelationID)
	}
	if p.Has(HasReplyTo) {
		c.short(&p.ReplyTo)
	}
	if p.Has(HasExpiration) {
		c.short(&p.Expiration)
	}
	if p.Has(HasMessageID) {
		c.short(&p.MessageID)
	}
	if p.Has(HasTimestamp) {
		c.uint64(&p.Timestamp)
	}
	if p.Has(HasType) {
		c.short(&p.Type)
	}
	if p.Has(HasUserID) {
		c.short(&p.UserID)
	}
	if p.Has(HasAppID) {
		c.short(&p.AppID)
	}
	if p.Has(HasClusterID) {
		c.short(&p.ClusterID)
	}
}
