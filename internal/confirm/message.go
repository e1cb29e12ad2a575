package confirm

import (
	"fmt"
	"math"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Message is what is sent, and where to.
type Message struct {
	Exchange, Key string
	// Optional says that it is no error if no queue takes the message.
	Optional bool
	// Room is how many bytes of the frame of headers must stay free. 0 means
	// HeadRoom; less is for messages that came with such headers.
	Room int
	amqp.Publishing
}

// HeadRoom is what is left free in the frame of the headers: the broker adds
// its own (x-death, x-delivery-count) to a message later, and a header frame
// above frame_max ends the connection of everyone who receives it. Where the
// broker's frame_max is very small, it is at most half of that.
const HeadRoom = 4 << 10

// check refuses what would end the channel, or the connection, for everyone.
func (m *Message) check(frameMax int) error {
	for _, s := range [...]struct{ name, value string }{
		{"exchange", m.Exchange},
		{"routing key", m.Key},
		{"content type", m.ContentType},
		{"content encoding", m.ContentEncoding},
		{"correlation id", m.CorrelationId},
		{"reply-to", m.ReplyTo},
		{"expiration", m.Expiration},
		{"message id", m.MessageId},
		{"type", m.Type},
		{"user id", m.UserId},
		{"app id", m.AppId},
	} {
		if len(s.value) > math.MaxUint8 {
			return fmt.Errorf("%w: the %s has %d bytes, at most 255 are possible", ErrTooLarge, s.name, len(s.value))
		}
	}
	if m.Expiration != "" {
		if _, err := strconv.ParseUint(m.Expiration, 10, 64); err != nil {
			return fmt.Errorf("%w: the expiration %q is not a number of milliseconds", ErrHeader, m.Expiration)
		}
	}
	n, err := headSize(&m.Publishing)
	if err != nil {
		return err
	}
	room := m.Room
	if room == 0 {
		room = min(HeadRoom, frameMax/2)
	}
	if n > frameMax-room {
		return fmt.Errorf("%w: headers and properties take %d bytes, at most %d are possible",
			ErrTooLarge, n, frameMax-room)
	}
	return nil
}
