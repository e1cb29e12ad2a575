package avrocodec_test

import (
	"testing"

	"github.com/warren-mq/warren/codec/avrocodec"
)

func TestEverythingComesBack(t *testing.T) {
	c := newCodec(t, everything, avrocodec.Config{})
	want := sample(2)
	body := encode(t, c, &want)
	var got all
	if err := c.Decode(body, &got); err != nil {
		t.Fatal(err)
	}
	if !same(got, want) {
		t.Errorf("%s\nwant %s", show(got), show(want))
	}
	var pointer *all
	if err := c.Decode(body, &pointer); err != nil || !same(pointer, want) {
		t.Errorf("into a pointer: %v, %s", err, show(pointer))
	}
	var anything any
	if err := c.Decode(body, &anything); err != nil {
		t.Error(err)
	}
	var asMap map[string]any
	if err := c.Decode(body, &asMap); err != nil || asMap["text"] != "Grüße" {
		t.Error(err, asMap)
	}
}

func TestEveryPrefixAndEveryExtensionIsRefused(t *testing.T) {
	c := newCodec(t, everything, avrocodec.Config{})
	body := encode(t, c, sample(1))
	for n := range body {
		expect(t, "a prefix", c.Decode(body[:n], new(all)), avrocodec.ErrMalformed, "")
	}
	expect(t, "a byte too many", c.Decode(append(body[:len(body):len(body)], 0), new(all)), avrocodec.ErrMalformed, "1 bytes follow the value")
}
