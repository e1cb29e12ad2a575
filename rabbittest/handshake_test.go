package rabbittest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// What is expected here was observed on RabbitMQ 3.10.8, 4.0.5 and 4.3.6, but for the three seconds that it lets a client
// wait which it refuses without a word.

func TestProtocolHeaders(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string, b *rabbittest.Broker) {
		for _, header := range []string{"AMQP\x00\x00\x09\x00", "AMQX\x00\x00\x09\x01", "HTTP/1.1 x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"} {
			answer := "AMQP\x03\x01\x00\x00"
			if version == rabbittest.V3_10 || strings.HasPrefix(header, "AMQP\x00\x00\x09") { // that was nearly right
				answer = wire.ProtocolHeader
			}
			r := rawClient(t, b)
			r.write(header)
			if got, err := r.in.ReadProtocolHeader(); got != answer || err != nil {
				t.Errorf("%q was answered by %q, %v", header, got, err)
			}
			r.expect("end")
		}
		for _, header := range []string{wire.ProtocolHeader, "AMQP\x01\x01\x00\x09"} {
			r := rawClient(t, b)
			r.write(header)
			r.expect("connection.start")
		}
		r := rawClient(t, b)
		r.write("AMQP")
		r.expect("-")
	})
}

func TestTheServerSaysWhatItIs(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string, b *rabbittest.Broker) {
		r := rawClient(t, b)
		r.write(wire.ProtocolHeader)
		f, err := r.in.ReadFrame()
		must(t, err)
		m, err := wire.ParseMethod(f.Payload)
		must(t, err)
		start := m.(*wire.ConnectionStart)
		mechanisms := map[string]string{"3.10": "AMQPLAIN PLAIN", "4.0": "PLAIN AMQPLAIN ANONYMOUS", "4.3": "ANONYMOUS PLAIN AMQPLAIN"}
		if start.VersionMajor != 0 || start.VersionMinor != 9 || start.Mechanisms != mechanisms[version] || start.Locales != "en_US" {
			t.Errorf("%+v", start)
		}
		if v, _ := start.ServerProperties.Get("version"); !strings.HasPrefix(fmt.Sprint(v), version+".") {
			t.Errorf("it calls itself %v", v)
		}
		capabilities, _ := start.ServerProperties.Get("capabilities")
		for _, name := range []string{
			"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
			"consumer_priorities", "authentication_failure_close", "per_consumer_qos",
		} {
			if v, _ := capabilities.(wire.Table).Get(name); v != true {
				t.Errorf("%s is %v", name, v)
			}
		}
	})
}

// amqplain is the response of the mechanism AMQPLAIN: a table without its length.
func amqplain(fields ...wire.Field) string {
	whole := wire.AppendMethod(nil, &wire.QueueUnbind{Arguments: fields})
	empty := wire.AppendMethod(nil, &wire.QueueUnbind{})
	return string(whole[len(empty):])
}

func TestLogins(t *testing.T) {
	const refused = "connection.close 403 ACCESS_REFUSED - Login was refused using authentication mechanism % For details see the broker logfile. (0.0); end"
	eachVersion(t, func(t *testing.T, version string, b *rabbittest.Broker) {
		anonymous := "connection.tune; -"
		if version == rabbittest.V3_10 {
			anonymous = "end"
		}
		for _, c := range []struct{ name, mechanism, response, want string }{
			{"PLAIN", "PLAIN", goodLogin, "connection.tune; -"},
			{"a wrong password", "PLAIN", badLogin, refused},
			{"an unknown user", "PLAIN", "\x00nobody\x00guest", refused},
			{"no user", "PLAIN", "\x00\x00", refused},
			{"no password", "PLAIN", "\x00guest", "end"},
			{"no zero bytes", "PLAIN", "guest", "end"},
			{"nothing", "PLAIN", "", "end"},
			{"in another's name", "PLAIN", "root\x00guest\x00guest", "end"},
			{"AMQPLAIN", "AMQPLAIN", amqplain(wire.Field{Name: "LOGIN", Value: "guest"}, wire.Field{Name: "PASSWORD", Value: "guest"}), "connection.tune; -"},
			{"AMQPLAIN, a wrong password", "AMQPLAIN", amqplain(wire.Field{Name: "LOGIN", Value: "guest"}, wire.Field{Name: "PASSWORD", Value: "x"}), refused},
			{"AMQPLAIN, no password", "AMQPLAIN", amqplain(wire.Field{Name: "LOGIN", Value: "guest"}), "end"},
			{"AMQPLAIN, no table", "AMQPLAIN", "zzz", "end"},
			{"ANONYMOUS", "ANONYMOUS", "", anonymous},
			{"EXTERNAL", "EXTERNAL", "", "end"},
			{"an unknown mechanism", "FOO", "", "end"},
		} {
			r := rawClient(t, b)
			r.greet()
			ok := startOk(c.response, "authentication_failure_close")
			ok.Mechanism = c.mechanism
			r.send(0, ok)
			if got, want := r.rest(), strings.Replace(c.want, "%", c.mechanism+".", 1); got != want {
				t.Errorf("%s\n got: %s\nwant: %s", c.name, got, want)
			}
		}
		r := rawClient(t, b)
		r.greet()
		r.send(0, startOk(badLogin)) // by one who does not understand more
		r.expect("end")
	})
}

func TestTuning(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string, b *rabbittest.Broker) {
		small := "connection.open-ok; -"
		if version == rabbittest.V4_3 {
			small = "end"
		}
		for _, c := range []struct {
			channels uint16
			frame    uint32
			want     string
		}{
			{2047, 131072, "connection.open-ok; -"},
			{1, 131072, "connection.open-ok; -"},
			{2047, 8192, "connection.open-ok; -"},
			{2047, 8191, small},
			{2047, 4096, small},
			{2047, 4095, "end"},
			{2048, 131072, "end"},
			{0, 131072, "end"},
			{2047, 131073, "end"},
			{2047, 0, "end"},
		} {
			r := rawClient(t, b)
			r.logIn()
			r.send(0, &wire.ConnectionTuneOk{ChannelMax: c.channels, FrameMax: c.frame})
			r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
			if got := r.rest(); got != c.want {
				t.Errorf("%d channels, frames of %d: got %s, want %s", c.channels, c.frame, got, c.want)
			}
		}
	})
}

// Before tune-ok RabbitMQ has no words for a mistake; after it has.
func TestMistakesInTheHandshake(t *testing.T) {
	for _, c := range []struct{ name, send, opening string }{
		{"tune-ok", method(0, &wire.ConnectionTuneOk{}), "504 CHANNEL_ERROR - unexpected method in connection state opening (10.31)"},
		{"close", method(0, &wire.ConnectionClose{}), "504 CHANNEL_ERROR - unexpected method in connection state opening (10.50)"},
		{"a channel's method", method(0, &wire.TxSelect{}), "504 CHANNEL_ERROR - unexpected method in connection state opening (90.10)"},
		{"a channel", method(1, &wire.ChannelOpen{}), "505 UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>> (0.0)"},
		{"a frame of type 9", frame(9, 0, "abc"), `501 FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame (0.0)`},
		{"a body", frame(3, 0, "xx"), `505 UNEXPECTED_FRAME - type 3, all octets = <<"xx">> (0.0)`},
	} {
		eachVersion(t, func(t *testing.T, _ string, b *rabbittest.Broker) {
			greeted := rawClient(t, b)
			greeted.greet()
			tuning := rawClient(t, b)
			tuning.logIn()
			for _, r := range []*raw{greeted, tuning} {
				if c.name == "tune-ok" && r == tuning {
					continue // is what must come
				}
				r.write(c.send)
				r.expect("end")
			}
			opening := rawClient(t, b)
			opening.tune()
			opening.write(c.send)
			if got, want := opening.rest(), raise(c.opening); got != want {
				t.Errorf("%s\n got: %s\nwant: %s", c.name, got, want)
			}
		})
	}
}

func TestVirtualHosts(t *testing.T) {
	eachVersion(t, func(t *testing.T, _ string, b *rabbittest.Broker) {
		for _, vhost := range []string{"nope", "", "a'b"} {
			r := rawClient(t, b)
			r.tune()
			r.send(0, &wire.ConnectionOpen{VirtualHost: vhost})
			if got, want := r.rest(), raise("530 NOT_ALLOWED - vhost "+vhost+" not found (10.40)"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

func TestThoseWhoDoNotBeginAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		for _, begin := range []func(*raw){func(*raw) {}, (*raw).greet, (*raw).logIn, (*raw).tune} {
			r := rawClient(t, b)
			began := time.Now()
			begin(r)
			if got := r.within(time.Hour); got != "end" {
				t.Error(got)
			}
			if d := time.Since(began); d != 10*time.Second {
				t.Errorf("it was waited for %v", d)
			}
		}
		r := rawClient(t, b)
		r.open()
		if got := r.within(24 * time.Hour); got != "-" {
			t.Errorf("later: %s", got)
		}
	})
}
