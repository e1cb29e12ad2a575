package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of frames (AMQP 0-9-1, section 4.2.3).
const (
	FrameMethod    byte = 1
	FrameHeader    byte = 2
	FrameBody      byte = 3
	FrameHeartbeat byte = 8
)

// FrameMin is the least frame_max that peers may agree upon, and the limit
// before they have agreed. (RabbitMQ has raised its own since.)
const FrameMin = 4096

const (
	frameHead = 7 // type, channel, size
	frameEnd  = 0xCE
	// frameExtra is what a frame has besides its payload.
	frameExtra = frameHead + 1
)

// ProtocolHeader is what a client sends first, and what a broker answers when
// it gets another one.
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// Frame is one frame.
type Frame struct {
	Type    byte
	Channel uint16
	Payload []byte
}

// Reader reads frames. One goroutine uses it.
type Reader struct {
	r     *bufio.Reader
	limit uint32
}

// NewReader returns a Reader that refuses frames as RabbitMQ does with a
// frame_max of limit. Zero is no limit. It may take more of r than it returns.
func NewReader(r io.Reader, limit uint32) *Reader {
	return &Reader{r: bufio.NewReader(r), limit: limit}
}

// SetLimit changes the limit, as tuning does.
func (r *Reader) SetLimit(limit uint32) { r.limit = limit }

// ReadProtocolHeader reads the eight bytes that come before the first frame.
func (r *Reader) ReadProtocolHeader() (string, error) {
	var b [len(ProtocolHeader)]byte
	_, err := io.ReadFull(r.r, b[:])
	return string(b[:]), err
}

// ReadFrame reads the next frame. Its payload is the caller's. An *Error is
// the peer's mistake, any other error is the io.Reader's; io.EOF means that the
// stream ended between two frames.
func (r *Reader) ReadFrame() (Frame, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: head[0], Channel: binary.BigEndian.Uint16(head[1:])}
	size := binary.BigEndian.Uint32(head[3:])
	// RabbitMQ says that the payload may have frame_max-8 bytes, but allows
	// frame_max, for the sake of clients that count wrongly (FRAME_SIZE_FUDGE).
	if r.limit != 0 && size > r.limit {
		return Frame{}, r.bad(f, fmt.Sprintf("{frame_too_large,%d,%d}", size, r.limit-frameExtra))
	}
	payload, err := r.take(uint64(size) + 1)
	if err != nil {
		return Frame{}, err
	}
	f.Payload = payload[:size:size]
	if end := payload[size]; end != frameEnd {
		return Frame{}, r.bad(f, fmt.Sprintf("{invalid_frame_end_marker,%d}", end))
	}
	return f, nil
}

func (r *Reader) bad(f Frame, what string) *Error {
	return &Error{Code: FrameError, Text: "FRAME_ERROR - " + snippet(f.Type, f.Payload) + ": " + what}
}

// Drain reads until the stream ends, and forgets it all.
func (r *Reader) Drain() error {
	_, err := io.Copy(io.Discard, r.r)
	return err
}

// take reads n bytes. It grows with what is really there, so that a claimed
// length alone takes no memory.
func (r *Reader) take(n uint64) ([]byte, error) {
	const step = 1 << 16
	b := make([]byte, min(n, step))
	for at := 0; ; {
		if _, err := io.ReadFull(r.r, b[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if uint64(len(b)) == n {
			return b, nil
		}
		at = len(b)
		b = append(b, make([]byte, min(n-uint64(at), uint64(at)))...)
	}
}

// AppendFrame appends a frame to b.
func AppendFrame(b []byte, f Frame) []byte {
	b = append(b, f.Type)
	b = binary.BigEndian.AppendUint16(b, f.Channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Payload)))
	b = append(b, f.Payload...)
	return append(b, frameEnd)
}

// AppendMethodFrame appends the frame of a method to b.
func AppendMethodFrame(b []byte, channel uint16, m Method) []byte {
	at := len(b)
	b = AppendMethod(beginFrame(b, FrameMethod, channel), m)
	return endFrame(b, at)
}

// beginFrame appends the head of a frame whose size is not known yet.
func beginFrame(b []byte, kind byte, channel uint16) []byte {
	b = binary.BigEndian.AppendUint16(append(b, kind), channel)
	return append(b, 0, 0, 0, 0)
}

// endFrame ends the frame that begins at b[at].
func endFrame(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at+3:], uint32(len(b)-at-frameHead))
	return append(b, frameEnd)
}

// AppendContent appends the frames of a message: its header, and its body in
// pieces that fit frameMax. A frameMax of zero is no limit.
func AppendContent(b []byte, channel uint16, p Properties, body []byte, frameMax uint32) []byte {
	at := len(b)
	b = AppendHeader(beginFrame(b, FrameHeader, channel), ClassBasic, uint64(len(body)), p)
	b = endFrame(b, at)
	most := len(body)
	if frameMax != 0 {
		most = int(frameMax) - frameExtra
	}
	for len(body) > 0 {
		n := min(len(body), most)
		b = AppendFrame(b, Frame{FrameBody, channel, body[:n]})
		body = body[n:]
	}
	return b
}
