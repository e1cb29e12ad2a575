package avrocodec_test

import (
	"encoding/hex"
	"testing"

	"github.com/warren-mq/warren/codec/avrocodec"
)

func TestSingleObjects(t *testing.T) {
	// The fingerprint of "int" is 7275d51a3f395c8f: share/test/data/schema-tests.txt of Apache Avro.
	c, err := avrocodec.NewSingleObject(`"int"`, avrocodec.Config{})
	if err != nil {
		t.Fatal(err)
	}
	body := encode(t, c, int32(3))
	if got := hex.EncodeToString(body); got != "c3018f5c393f1ad5757206" {
		t.Error(got)
	}
	var got int32
	if err := c.Decode(body, &got); err != nil || got != 3 {
		t.Error(got, err)
	}
	for n := range body {
		expect(t, "a prefix", c.Decode(body[:n], &got), avrocodec.ErrMalformed, "")
	}
	expect(t, "no single object", c.Decode(make([]byte, 11), &got), avrocodec.ErrMalformed, "it is no single object: that begins with C3 01")
	body[3]++
	expect(t, "a stranger's", c.Decode(body, &got), avrocodec.ErrUnknownSchema, "with the fingerprint 7275d51a3f395d8f")
}

func TestSingleObjectsOfOldAndNewPrograms(t *testing.T) {
	writer, err := avrocodec.NewSingleObject(orderV1, avrocodec.Config{})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := avrocodec.NewSingleObject(orderV2, avrocodec.Config{Writers: []string{orderV1, orderV2}})
	if err != nil {
		t.Fatal(err)
	}
	var got orderTwo
	if err := reader.Decode(encode(t, writer, orderOne{"7", 1200, "PAID", "quick", personOne{"a@b"}}), &got); err != nil || got.Cents != 1200 || got.Currency != "EUR" {
		t.Error(show(got), err)
	}
	if err := reader.Decode(encode(t, reader, got), &got); err != nil || got.Cents != 1200 {
		t.Error(show(got), err)
	}
	if _, err := avrocodec.NewSingleObject(orderV1, avrocodec.Config{Writers: []string{orderV2}}); err == nil {
		t.Error("a writer that cannot be read is taken")
	}
}
