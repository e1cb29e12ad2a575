package avrocodec_test

import (
	"errors"
	"fmt"

	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/internal/registrytest"
)

const paymentSchema = `{"type":"record","name":"Payment","namespace":"shop","fields":[
	{"name":"order","type":"string"},
	{"name":"cents","type":"long"},
	{"name":"note","type":["null","string"],"default":null}]}`

type Payment struct {
	Order string  `avro:"order"`
	Cents int64   `avro:"cents"`
	Note  *string `avro:"note"`
}

func ExampleNew() {
	payments, err := avrocodec.New(paymentSchema, avrocodec.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// For publisher.Config.Codec and consumer.Config.Codec.
	body, err := payments.Encode(Payment{Order: "7", Cents: 1200})
	fmt.Printf("%x %v\n", body, err)

	var p Payment
	err = payments.Decode(body, &p)
	fmt.Println(p.Order, p.Cents, err)

	err = payments.Decode(body[:2], &p)
	fmt.Println(errors.Is(err, avrocodec.ErrMalformed), err)
	// Output:
	// 0237e01200 <nil>
	// 7 1200 <nil>
	// true decode Avro into avrocodec_test.Payment: malformed Avro: cents: the body ends within a long, at byte 2
}

// Bodies of an older program, which knew no note and had the amount in an int.
func ExampleNew_evolution() {
	older := `{"type":"record","name":"Payment","namespace":"shop","fields":[
		{"name":"cents","type":"int"},{"name":"order","type":"string"},{"name":"till","type":"int"}]}`
	payments, err := avrocodec.New(paymentSchema, avrocodec.Config{Writers: []string{older}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var p Payment
	err = payments.Decode([]byte("\xe0\x12\x027\x06"), &p)
	fmt.Println(p.Order, p.Cents, p.Note, err)
	// Output:
	// 7 1200 <nil> <nil>
}

func ExampleNewSingleObject() {
	payments, err := avrocodec.NewSingleObject(paymentSchema, avrocodec.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := payments.Encode(Payment{Order: "7", Cents: 1200})
	fmt.Printf("%x %x %v\n", body[:10], body[10:], err)
	// Output:
	// c301c759a61590fb359a 0237e01200 <nil>
}

func ExampleNewConfluent() {
	server := registrytest.Start() // in a program: the URL of the registry
	defer server.Close()

	registry, err := avrocodec.NewRegistry(server.URL, avrocodec.RegistryConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	payments, err := avrocodec.NewConfluent(registry, "payments-value", paymentSchema, avrocodec.ConfluentConfig{Register: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := payments.Encode(Payment{Order: "7", Cents: 1200})
	fmt.Printf("%x %v\n", body, err)

	var p Payment
	err = payments.Decode(body, &p)
	fmt.Println(p.Order, p.Cents, err)
	// Output:
	// 00000000010237e01200 <nil>
	// 7 1200 <nil>
}

func ExampleNewRegistry() {
	_, err := avrocodec.NewRegistry("registry:8081", avrocodec.RegistryConfig{})
	fmt.Println(err)
	// Output:
	// schema registry: the URL is none of http or https with a host
}
