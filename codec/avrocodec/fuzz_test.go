package avrocodec_test

import (
	"errors"
	"testing"

	"github.com/warren-mq/warren/codec/avrocodec"
)

// FuzzDecode is TestMutations with a fuzzer that looks at what the code does.
func FuzzDecode(f *testing.F) {
	own := newCodec(f, everything, avrocodec.Config{})
	other := newCodec(f, newer, avrocodec.Config{Writers: []string{everything}})
	for depth := range 2 {
		body := encode(f, own, sample(depth))
		f.Add(body)
		f.Add(body[:len(body)-1])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got all
		err := own.Decode(body, &got)
		if err != nil && !errors.Is(err, avrocodec.ErrMalformed) && !errors.Is(err, avrocodec.ErrLimit) {
			t.Fatal(err)
		}
		var wide later
		var anything any
		laterErr, anyErr := other.Decode(body, &wide), own.Decode(body, &anything)
		if err != nil {
			return
		}
		if laterErr != nil || anyErr != nil {
			t.Fatal(laterErr, anyErr)
		}
		again, err := own.Encode(got)
		if err != nil {
			t.Fatal(err)
		}
		var twice all
		if err := own.Decode(again, &twice); err != nil || !same(got, twice) {
			t.Fatalf("%v\n%s\n%s", err, show(got), show(twice))
		}
	})
}
