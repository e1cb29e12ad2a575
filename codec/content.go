package codec

import (
	"errors"
	"fmt"
	"mime"
	"strings"
)

// octetStream is the content type that says nothing: bytes of some kind.
const octetStream = "application/octet-stream"

// A Set chooses a codec by the content type of a message, where one queue carries several. It is made by [NewSet],
// cannot be changed, and is safe for concurrent use.
type Set struct {
	fallback Codec
	byType   map[string]Codec // keys in lower case, without parameters
	longest  int              // the longest key
}

// NewSet returns a Set of the codecs, each found by its own content type. The fallback is found by its own, too, and
// stands in for every message whose content type says nothing or is not known.
//
// It is an error if a codec is nil, if two have the same content type, if one has none or none that can be read as
// type/subtype, and if one of the others has application/octet-stream, which always means the fallback. Parameters are
// ignored.
func NewSet(fallback Codec, others ...Codec) (*Set, error) {
	s := &Set{fallback: fallback, byType: make(map[string]Codec, 1+len(others))}
	for i, c := range append([]Codec{fallback}, others...) {
		if c == nil {
			return nil, fmt.Errorf("codec %d of the set is nil", i)
		}
		mediaType, err := parseContentType(c.ContentType())
		if err != nil {
			return nil, fmt.Errorf("codec %d of the set, a %T, has the content type %q: %w", i, c, c.ContentType(), err)
		}
		if i > 0 && mediaType == octetStream {
			return nil, fmt.Errorf("codec %d of the set, a %T, has the content type %s, which always means the fallback",
				i, c, octetStream)
		}
		if other, ok := s.byType[mediaType]; ok {
			return nil, fmt.Errorf("codec %d of the set, a %T, has the content type %s, as a %T before it has", i, c, mediaType, other)
		}
		s.byType[mediaType] = c
		s.longest = max(s.longest, len(mediaType))
	}
	return s, nil
}

// For returns the codec for a message with this content type: the one whose type it is, whatever the case and without
// regard to parameters such as ;charset=utf-8. The fallback is for all else: no content type, application/octet-stream,
// and types that no codec of the set has. It never returns nil.
func (s *Set) For(contentType string) Codec {
	if c, ok := s.byType[contentType]; ok { // most senders write it plainly
		return c
	}
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.TrimSpace(mediaType)
	if len(mediaType) > s.longest { // not worth the memory that ToLower may take
		return s.fallback
	}
	if c, ok := s.byType[strings.ToLower(mediaType)]; ok { // allocates only if there is something to lower
		return c
	}
	return s.fallback
}

// parseContentType returns the type in lower case, without parameters. It is for what programs say, and is strict; For
// is for what senders say, and takes anything.
func parseContentType(contentType string) (string, error) {
	if contentType == "" {
		return "", errors.New("it is empty")
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", err
	}
	if !strings.Contains(mediaType, "/") {
		return "", errors.New("want type/subtype")
	}
	return mediaType, nil
}
