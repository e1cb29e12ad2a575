package wire

// The bits of Properties.Flags, which are those of the wire (AMQP 0-9-1,
// section 4.2.6.1).
const (
	HasContentType uint16 = 1 << (15 - iota)
	HasContentEncoding
	HasHeaders
	HasDeliveryMode
	HasPriority
	HasCorrelationID
	HasReplyTo
	HasExpiration
	HasMessageID
	HasTimestamp
	HasType
	HasUserID
	HasAppID
	HasClusterID
)

// Properties are the properties of a message. Flags says which of them are
// present: an empty string that was sent is not an absent one, and a field
// without its flag is not written.
type Properties struct {
	Flags           uint16
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    uint8
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string
	MessageID       string
	Timestamp       uint64
	Type            string
	UserID          string
	AppID           string
	ClusterID       string
}

// Has says whether all the properties of those flags are present.
func (p Properties) Has(flags uint16) bool { return p.Flags&flags == flags }
