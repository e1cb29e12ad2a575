package wire

import (
	"encoding/binary"
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
// before they have agreed.
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
	r     io.Reader
	limit uint32
	head  [frameHead]byte
}

// NewReader returns a Reader that refuses frames of more than limit bytes, all
// told. A limit of zero is none.
func NewReader(r io.Reader, limit uint32) *Reader { return &Reader{r: r, limit: limit} }

// SetLimit changes the limit, as tuning does.
func (r *Reader) SetLimit(limit uint32) { r.limit = limit }

// ReadFrame reads the next frame. Its payload is the caller's. An *Error is
// the peer's mistake, any other error is the io.Reader's; io.EOF means that the
// stream ended between two frames.
func (r *Reader) ReadFrame() (Frame, error) {
	if _, err := io.ReadFull(r.r, r.head[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: r.head[0], Channel: binary.BigEndian.Uint16(r.head[1:])}
	size := binary.BigEndian.Uint32(r.head[3:])
	if r.limit != 0 && uint64(size)+frameExtra > uint64(r.limit) {
		return Frame{}, &Error{FrameError, fmt.Sprintf("type %d, all octets = <<>>: {frame_too_large,%d,%d}", f.Type, size, r.limit-frameExtra)}
	}
	payload := make([]byte, size+1)
	if _, err := io.ReadFull(r.r, payload); err != nil {
		return Frame{}, err
	}
	if payload[size] != frameEnd {
		return Frame{}, &Error{FrameError, "invalid frame end marker"}
	}
	f.Payload = payload[:size:size]
	return f, nil
}

// AppendFrame appends a frame to b.
func AppendFrame(b []byte, f Frame) []byte {
	b = append(b, f.Type)
	b = binary.BigEndian.AppendUint16(b, f.Channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Payload)))
	b = append(b, f.Payload...)
	return append(b, frameEnd)
}

// AppendContent appends the frames of a message: its header, and its body in
// pieces that fit frameMax. A frameMax of zero is no limit.
func AppendContent(b []byte, channel uint16, p Properties, body []byte, frameMax uint32) []byte {
	b = AppendFrame(b, Frame{FrameHeader, channel, AppendHeader(nil, ClassBasic, uint64(len(body)), p)})
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
