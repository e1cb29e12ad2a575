package codec_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"

	"github.com/warren-mq/warren/codec"
)

type Order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

func ExampleJSON() {
	body, err := codec.JSON{}.Encode(Order{ID: "7 & 8", Cents: 1200})
	fmt.Println(string(body), err)

	var order Order
	err = codec.JSON{}.Decode(body, &order)
	fmt.Println(order, err)

	err = codec.JSON{}.Decode([]byte(`{"id": "7", "cents": "many"}`), &order)
	fmt.Println(err)
	// Output:
	// {"id":"7 & 8","cents":1200} <nil>
	// {7 & 8 1200} <nil>
	// decode JSON into codec_test.Order: json: cannot unmarshal string into Go struct field Order.cents of type int
}

func ExampleJSON_strict() {
	strict := codec.JSON{Strict: true}
	var order Order
	fmt.Println(strict.Decode([]byte(`{"id": "7", "colour": "red"}`), &order))
	fmt.Println(strict.Decode([]byte(`{"id": "7", "id": "8"}`), &order))
	// Output:
	// decode JSON into codec_test.Order: json: unknown field "colour"
	// decode JSON into codec_test.Order: the name "id" stands twice in one object
}

func ExampleRaw() {
	var text string
	err := codec.Raw{}.Decode([]byte("just bytes"), &text)
	fmt.Println(text, err)

	_, err = codec.Raw{}.Encode(Order{})
	fmt.Println(err)
	// Output:
	// just bytes <nil>
	// encode raw from codec_test.Order: only []byte, string and named types of them can be raw
}

func ExampleDefault() {
	fmt.Println(codec.Default[Order]().ContentType())
	fmt.Println(codec.Default[[]byte]().ContentType())
	// Output:
	// application/json
	// application/octet-stream
}

func ExampleNewSet() {
	set, err := codec.NewSet(codec.Raw{}, codec.JSON{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%T\n", set.For("application/json; charset=utf-8"))
	fmt.Printf("%T\n", set.For("image/png"))
	fmt.Printf("%T\n", set.For(""))
	// Output:
	// codec.JSON
	// codec.Raw
	// codec.Raw
}

func ExampleDecompress() {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(strings.Repeat("hello ", 1000)))
	_ = w.Close()

	body, err := codec.Decompress("gzip", packed.Bytes(), 0)
	fmt.Println(len(body), err)

	_, err = codec.Decompress("gzip", packed.Bytes(), 1000)
	fmt.Println(errors.Is(err, codec.ErrTooLarge), err)

	body, err = codec.Decompress("utf-8", []byte("not compressed at all"), 0)
	fmt.Println(string(body), err)
	// Output:
	// 6000 <nil>
	// true decompress gzip: larger than the limit once decompressed: more than 1000 bytes
	// not compressed at all <nil>
}
