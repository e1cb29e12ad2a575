package codec

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// DefaultLimit is the limit of Decompress where none is given: 64 MiB.
	DefaultLimit = 64 << 20

	// maxLayers is how often a body may have been compressed. Nobody needs more than one; each costs memory.
	maxLayers = 3
)

var (
	// ErrTooLarge says that a body would be larger than the limit once decompressed. It will be so at every attempt.
	ErrTooLarge = errors.New("larger than the limit once decompressed")

	// ErrUnsupportedEncoding says that a content encoding is none that Decompress knows, or that there are too many of
	// them.
	ErrUnsupportedEncoding = errors.New("unsupported content encoding")
)

// Decompress undoes the content encoding of a message and returns the body beneath.
//
// The encoding is a list as in HTTP, "deflate, gzip": applied from left to right, so undone from right to left. Known
// are gzip (also x-gzip; several members are one body) and deflate, which may come with the zlib wrapper that the
// standard demands or without, since senders do both. Case and spaces do not matter. Within one entry a colon separates
// what Spring AMQP wrote, the last applied first: "gzip:UTF-8".
//
// Nothing is to be done for an empty encoding, for identity, and for the names of character sets, which many senders
// put here. If that is all, body itself is returned, without a copy and whatever its size. Otherwise the result is new
// memory, and body has not been kept or changed.
//
// The limit is the most bytes that may come out, of each layer; 0 or less means [DefaultLimit]. Beyond it the error is
// [ErrTooLarge]. A body that expands to more than that costs the limit and a small constant before it is refused. (One
// that fits may cost twice its size for a moment.) Any other encoding, and more than three that compress, is
// [ErrUnsupportedEncoding]. A body that is cut short or corrupt, whose checksum is wrong or after which something
// follows is an error, too. No error quotes the body. None of them goes away at a further attempt.
//
// Decompress may be called by several goroutines at once. A layer needs about 50 kB while it is undone, which are kept
// for the next body.
func Decompress(encoding string, body []byte, limit int) ([]byte, error) {
	if isPlain(encoding) { // most are
		return body, nil
	}
	formats, err := parseEncoding(encoding)
	if err != nil {
		return nil, err
	}
	if len(formats) == 0 {
		return body, nil
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	return inflate(formats, body, limit)
}

// parseEncoding returns the formats to undo, the first to be undone first.
func parseEncoding(encoding string) ([]string, error) {
	var formats []string
	entries := strings.Split(encoding, ",")
	for i := len(entries) - 1; i >= 0; i-- {
		for name := range strings.SplitSeq(entries[i], ":") {
			name = strings.ToLower(strings.TrimSpace(name))
			switch {
			case name == "gzip" || name == "x-gzip":
				formats = append(formats, "gzip")
			case name == "deflate":
				formats = append(formats, name)
			case !isPlain(name):
				return nil, fmt.Errorf("%w %q", ErrUnsupportedEncoding, clip(name, maxNameShown))
			}
		}
	}
	if len(formats) > maxLayers {
		return nil, fmt.Errorf("%w: compressed %d times, at most %d are undone", ErrUnsupportedEncoding, len(formats), maxLayers)
	}
	return formats, nil
}

// isPlain says whether a content encoding, in lower case, changes nothing about the bytes: it is empty, identity, or
// the name of a character set. Of these, py-amqp and kombu set utf-8, binary and us-ascii; Spring AMQP sets UTF-8.
func isPlain(name string) bool {
	switch name {
	case "", "identity", "binary", "7bit", "8bit", "ascii", "us-ascii", "big5", "shift_jis", "sjis", "gbk", "gb2312", "gb18030":
		return true
	}
	for _, family := range []string{"utf", "ucs", "iso-", "iso8859", "latin", "windows-", "cp125", "koi8-", "euc-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}
