package codec

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
)

// What is wrong with a body, beside what the decompressors say.
var (
	errCutShort    = errors.New("the body is cut short")
	errMoreFollows = errors.New("something follows the compressed data")
)

// inflate undoes the formats, the first first, in one pass: each layer reads from the one beneath, and only the result
// is stored.
func inflate(formats []string, body []byte, limit int) ([]byte, error) {
	limit = min(limit, math.MaxInt-1) // so that one more can be counted
	var source io.Reader = bytes.NewReader(body)
	for _, format := range formats {
		l := layers.Get().(*layer)
		defer l.release()
		l.open(format, source, limit)
		source = l
	}
	out, err := readAll(source, limit)
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", strings.Join(formats, ", "), err)
	}
	return out, nil
}

// readAll reads to the end of a layer, which gives limit bytes at most. It collects pieces and joins them at the end,
// so that a body that turns out too large has cost no more than the limit.
func readAll(source io.Reader, limit int) ([]byte, error) {
	const smallest, largest = 4 << 10, 1 << 20
	var pieces [][]byte
	for size := 0; ; {
		// One byte more than may come: it tells a body that ends at the limit from one that goes on.
		piece := make([]byte, min(max(size, smallest), largest, limit-size+1))
		n, err := io.ReadFull(source, piece)
		pieces = append(pieces, piece[:n])
		size += n
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // from ReadFull: the layer ended within the piece
			return bytes.Join(pieces, nil), nil
		case err != nil:
			return nil, err
		}
	}
}

// A layer is a reader that undoes one format and holds it to the limit. The decompressors need 40 kB each, so layers
// are used again.
type layer struct {
	source       *bufio.Reader // what is to be decompressed
	decompressor io.Reader     // one of these three
	gzip         gzip.Reader
	zlib         io.ReadCloser // nil until it is needed, as is flate
	flate        io.ReadCloser
	limit, left  int
	err          error // how the layer ended; every Read returns it from then on
}

// layers are those that wait for a body.
var layers = sync.Pool{New: func() any { return &layer{source: bufio.NewReader(nil)} }}

// release gives the layer back, without anything of the body.
func (l *layer) release() {
	l.source.Reset(nil)
	layers.Put(l)
}

// open makes the layer read from source. What is wrong with the beginning is told by Read.
func (l *layer) open(format string, source io.Reader, limit int) {
	l.source.Reset(source)
	l.limit, l.left = limit, limit
	var err error
	switch {
	case format == "gzip":
		err = l.gzip.Reset(l.source)
		l.decompressor = &l.gzip
	case l.hasZlibHeader():
		l.zlib, err = reopen(l.zlib, l.source, zlib.NewReader)
		l.decompressor = l.zlib
	default:
		l.flate, err = reopen(l.flate, l.source, func(r io.Reader) (io.ReadCloser, error) { return flate.NewReader(r), nil })
		l.decompressor = l.flate
	}
	l.err = cutShort(err)
}

// hasZlibHeader says whether a deflate body has the zlib wrapper. The two bytes are checked as the wrapper's standard
// says. Data without it could begin with them only if its first block were stored and padded with ones, and compressors
// pad with zeros.
func (l *layer) hasZlibHeader() bool {
	head, _ := l.source.Peek(2) // what is wrong with the source will be read again
	return len(head) == 2 && head[0]&0x0f == 8 && head[0]>>4 <= 7 && (int(head[0])<<8|int(head[1]))%31 == 0
}

// reopen makes a decompressor of zlib or flate read from source: the one that is there, or else a new one.
func reopen(old io.ReadCloser, source io.Reader, open func(io.Reader) (io.ReadCloser, error)) (io.ReadCloser, error) {
	if old == nil {
		return open(source)
	}
	return old, old.(flate.Resetter).Reset(source, nil) // zlib's has the same method
}

// Read gives no more than the limit. Once it has failed or ended, it does so for ever.
func (l *layer) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.decompressor.Read(p)
	if n > l.left {
		l.err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, l.limit)
		return 0, l.err
	}
	l.left -= n
	if errors.Is(err, io.EOF) {
		l.err = l.end()
	} else {
		l.err = cutShort(err)
	}
	return n, l.err
}

// end reads what follows the compressed data. Nothing may. Reading on is also how the layer beneath comes to check its
// sum.
func (l *layer) end() error {
	if _, err := l.source.ReadByte(); err != nil {
		return err
	}
	return errMoreFollows
}

// cutShort translates the errors of a reader that ended too early, so that they cannot be taken for an end.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutShort
	}
	return err
}
