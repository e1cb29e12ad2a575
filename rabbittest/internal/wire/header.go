package wire

// ParseHeader reads the payload of a content header: the class, the size of
// the body, and the properties (AMQP 0-9-1, section 4.2.6.1).
func ParseHeader(payload []byte) (class uint16, size uint64, p Properties, err error) {
	c := coder{b: payload}
	c.header(&class, &size, &p)
	if c.err == nil && len(c.b) > 0 {
		c.err = errShort
	}
	return class, size, p, c.err
}

// AppendHeader appends the payload of a content header to b.
func AppendHeader(b []byte, class uint16, size uint64, p Properties) []byte {
	c := coder{b: b, writing: true}
	c.header(&class, &size, &p)
	return c.b
}

func (c *coder) header(class *uint16, size *uint64, p *Properties) {
	var weight uint16 // unused, zero
	c.uint16(class)
	c.uint16(&weight)
	c.uint64(size)
	c.properties(p)
}

func (c *coder) properties(p *Properties) {
	c.uint16(&p.Flags)
	if p.Has(HasContentType) {
		c.shortstr(&p.ContentType)
	}
	if p.Has(HasContentEncoding) {
		c.shortstr(&p.ContentEncoding)
	}
	if p.Has(HasHeaders) {
		c.table(&p.Headers)
	}
	if p.Has(HasDeliveryMode) {
		c.uint8(&p.DeliveryMode)
	}
	if p.Has(HasPriority) {
		c.uint8(&p.Priority)
	}
	if p.Has(HasCorrelationID) {
		c.shortstr(&p.CorrelationID)
	}
	if p.Has(HasReplyTo) {
		c.shortstr(&p.ReplyTo)
	}
	if p.Has(HasExpiration) {
		c.shortstr(&p.Expiration)
	}
	if p.Has(HasMessageID) {
		c.shortstr(&p.MessageID)
	}
	if p.Has(HasTimestamp) {
		c.uint64(&p.Timestamp)
	}
	if p.Has(HasType) {
		c.shortstr(&p.Type)
	}
	if p.Has(HasUserID) {
		c.shortstr(&p.UserID)
	}
	if p.Has(HasAppID) {
		c.shortstr(&p.AppID)
	}
	if p.Has(HasClusterID) {
		c.shortstr(&p.ClusterID)
	}
}
