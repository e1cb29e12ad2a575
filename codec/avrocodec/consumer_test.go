package avrocodec_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/internal/registrytest"
)

// What becomes of a message in a consumer.
func TestInAConsumer(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	payments := confluent(t, client, "payments", paymentSchema, avrocodec.ConfluentConfig{
		Register: true, Config: avrocodec.Config{ContentType: "application/vnd.confluent.avro"},
	})
	body := encode(t, payments, Payment{Order: "7", Cents: 1200})
	other := framed(uint32(server.Register("payments", registrytest.Schema{Schema: `"int"`})), long(1))
	cfg := consumer.Config{Codec: codec.JSON{}, Codecs: []codec.Codec{payments}}
	handler := func(_ context.Context, m consumer.Message[Payment]) consumer.Outcome {
		if m.Body.Cents != 1200 {
			t.Errorf("the handler has %v", m.Body)
		}
		return consumer.Ack()
	}
	for _, test := range []struct {
		what string
		body []byte
		down bool
		want string
	}{
		{"a body", body, false, "acked"},
		{"cut short", body[:8], false, "errored, undecodable: the body cannot be decoded: decode Avro into avrocodec_test.Payment: malformed Avro: cents: "},
		{"an id that nobody has", framed(99, nil), false, "errored, undecodable: the body cannot be decoded: decode Avro into avrocodec_test.Payment: schema 99: unknown schema"},
		{"known, while the registry is down", body, true, "acked"},
		{"not known, while it is down", other, true, "retried after 1m0s: the body cannot be decoded: decode Avro into avrocodec_test.Payment: schema 2: schema registry: not available now: "},
	} {
		server.Break(nil)
		if test.down {
			server.Break(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
		}
		m := consumer.Message[Payment]{Raw: test.body, ContentType: payments.ContentType()}
		got := consumertest.RunMessage(t.Context(), t, handler, m, cfg).String()
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s\nwant %s", test.what, got, test.want)
		}
	}
}
