package conformance_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// refusal connects as someone, somewhere, and shows why that fails.
func refusal(user, vhost string) func(e *env) string {
	return func(e *env) string {
		conn, err := e.dialAs(user, vhost, amqp.Config{})
		if err != nil {
			return err.Error()
		}
		e.must(conn.Close())
		return "connected"
	}
}

// mechanisms is the list in connection.start, whose order is that of a hash table.
var mechanisms = regexp.MustCompile(`"[A-Z]+( [A-Z]+)+"`)

// greeted connects and sends a protocol header.
func greeted(header string) func(e *env) string {
	return func(e *env) string {
		s := e.socket()
		s.write([]byte(header))
		return mechanisms.ReplaceAllStringFunc(s.rest(), func(list string) string {
			return `"` + strings.Join(slices.Sorted(slices.Values(strings.Fields(strings.Trim(list, `"`)))), " ") + `"`
		})
	}
}

// started reads connection.start, and answers with this.
func started(properties []byte, mechanism, response, locale string) func(e *env) string {
	return func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.method(0, 10, 11, properties, mechanism, long(response), locale)
		return s.dies()
	}
}

// tuned comes as far as connection.tune, answers with this, and opens /.
func tuned(channels uint16, frame uint32, heartbeat uint16) func(e *env) string {
	return func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.call("connection.tune", 0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		s.method(0, 10, 31, channels, frame, heartbeat)
		s.method(0, 10, 40, "/", "", bits(0))
		seen := s.next()
		if strings.HasPrefix(seen, "connection.close ") {
			s.method(0, 10, 51)
			seen += "; " + s.dies()
		}
		return seen
	}
}

// closesLogin is the capability of a client that wants to be told why its login failed.
var closesLogin = table(field("capabilities", 'F', table(field("authentication_failure_close", 't', uint8(1)))))

// login is how connections begin.
var login = section{"log in", []row{
	{name: "what the server says of itself", want: "capabilities cluster_name copyright information platform product version; product=RabbitMQ", run: func(e *env) string {
		p := e.conn().Properties
		names := slices.Sorted(maps.Keys(p))
		return fmt.Sprintf("%s; product=%v", strings.Join(names, " "), p["product"])
	}},
	{name: "the server's capabilities", want: "authentication_failure_close:true basic.nack:true connection.blocked:true consumer_cancel_notify:true consumer_priorities:true exchange_exchange_bindings:true per_consumer_qos:true publisher_confirms:true", run: func(e *env) string {
		c, _ := e.conn().Properties["capabilities"].(amqp.Table)
		delete(c, "direct_reply_to") // rabbittest does not have it, and says so
		return strings.Join(showFields(c), " ")
	}},
	{name: "connection.start", want: `connection.start 0 9 {…} "AMQPLAIN PLAIN" "en_US"; -`, on: map[string]string{"4": `connection.start 0 9 {…} "AMQPLAIN ANONYMOUS PLAIN" "en_US"; -`}, run: greeted(protocolHeader)},
	{name: "connection.tune", want: "connection.tune 2047 131072", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.method(0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		seen := s.next()
		return seen[:strings.LastIndexByte(seen, ' ')] // but the heartbeat, which tests have switched off
	}},
	{name: "connection.open-ok", want: `connection.open-ok ""`, run: tuned(2047, 131072, 0)},
	{name: "a vhost that does not exist", want: `Exception (530) Reason: "NOT_ALLOWED - vhost nope not found"`, run: refusal("guest:guest", "nope")},
	{name: "a vhost without a name", want: `connection.close 530 "NOT_ALLOWED - vhost  not found" 10 40; end`, run: func(e *env) string {
		s := e.socket()
		s.login()
		s.method(0, 10, 40, "", "", bits(0))
		return s.dies()
	}},
	{name: "a bad password", want: `Exception (403) Reason: "username or password not allowed"`, run: refusal("guest:nope", "%2f")},
	{name: "a bad password, to a client that can be told", want: `connection.close 403 "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile." 0 0; end`, run: started(closesLogin, "PLAIN", "\x00guest\x00nope", "en_US")},
	{name: "a bad password, to a client that cannot be told", want: "end", run: started(table(), "PLAIN", "\x00guest\x00nope", "en_US")},
	{name: "a user that does not exist", want: `connection.close 403 "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile." 0 0; end`, run: started(closesLogin, "PLAIN", "\x00nobody\x00nope", "en_US")},
	{name: "PLAIN that is empty", want: "end", run: started(closesLogin, "PLAIN", "", "en_US")},
	{name: "PLAIN without zeros", want: "end", run: started(closesLogin, "PLAIN", "guest guest", "en_US")},
	{name: "PLAIN as another identity", want: "end", run: started(table(), "PLAIN", "other\x00guest\x00guest", "en_US")},
	{name: "another locale", want: "connection.tune", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.method(0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "de_DE")
		kind, _, _ := strings.Cut(s.next(), " ")
		return kind
	}},
	{name: "AMQPLAIN", want: "connection.tune", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		// The table without its length (AMQP 0-8's own way to log in).
		response := table(field("LOGIN", 'S', long("guest")), field("PASSWORD", 'S', long("guest")))[4:]
		s.method(0, 10, 11, table(), "AMQPLAIN", long(response), "en_US")
		name, _, _ := strings.Cut(s.next(), " ")
		return name
	}},
	{name: "a mechanism that does not exist", want: "end", run: started(closesLogin, "FOO", "", "en_US")},
	{name: "a mechanism that does not exist, to a client that cannot be told", want: "end", run: started(table(), "FOO", "", "en_US")},
	{name: "no mechanism", want: "end", run: started(closesLogin, "", "", "en_US")},
	{name: "EXTERNAL, which is not offered", want: "end", run: started(closesLogin, "EXTERNAL", "", "en_US")},
	{name: "fewer channels", want: `connection.open-ok ""`, run: tuned(1, 131072, 0)},
	{name: "more channels", want: "end", run: tuned(2048, 131072, 0)},
	{name: "no limit of channels", want: "end", run: tuned(0, 131072, 0)},
	{name: "larger frames", want: "end", run: tuned(2047, 131073, 0)},
	{name: "no limit of frames", want: "end", run: tuned(2047, 0, 0)},
	{name: "the smallest frames", want: `connection.open-ok ""`, on: map[string]string{"4.3": "end"}, run: tuned(2047, 4096, 0)},
	{name: "frames that are too small", want: "end", run: tuned(2047, 4095, 0)},
	{name: "AMQP 0-9-0", want: `"AMQP\x00\x00\t\x01"; end`, run: greeted("AMQP\x00\x00\x09\x00")},
	{name: "AMQP 0-8", want: `"AMQP\x03\x01\x00\x00"; end`, not: map[string]string{"3.10": "it speaks AMQP 0-8, which nobody does any more"}, run: greeted("AMQP\x01\x01\x08\x00")},
	{name: "AMQP 0-9", want: `connection.start 0 9 {…} "AMQPLAIN PLAIN" "en_US"; -`, on: map[string]string{"4": `connection.start 0 9 {…} "AMQPLAIN ANONYMOUS PLAIN" "en_US"; -`}, run: greeted("AMQP\x01\x01\x00\x09")},
	{name: "AMQP 0-10", want: `"AMQP\x00\x00\t\x01"; end`, on: map[string]string{"4": `"AMQP\x03\x01\x00\x00"; end`}, run: greeted("AMQP\x01\x01\x00\x0a")},
	{name: "AMQP 9-9-9", want: `"AMQP\x00\x00\t\x01"; end`, on: map[string]string{"4": `"AMQP\x03\x01\x00\x00"; end`}, run: greeted("AMQP\x09\x09\x09\x09")},
	{name: "HTTP", want: `"AMQP\x00\x00\t\x01"; end`, on: map[string]string{"4": `"AMQP\x03\x01\x00\x00"; end`}, run: greeted("GET / HTTP/1.1\r\nHost: broker\r\n\r\n")},
	{name: "nothing, and close", want: "no error", run: func(e *env) string {
		s := e.socket()
		e.must(s.conn.Close())
		return e.exists("amq.direct")
	}},
	{name: "nothing, for ten seconds", want: "end", run: func(e *env) string { return e.socket().dies() }},
	{name: "open before start-ok", want: "end", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.method(0, 10, 40, "/", "", bits(0))
		return s.dies()
	}},
	{name: "open before tune-ok", want: "end", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.call("connection.tune", 0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		s.method(0, 10, 40, "/", "", bits(0))
		return s.dies()
	}},
	{name: "a channel before open", want: `connection.close 505 "UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>" 0 0; end`, run: func(e *env) string {
		s := e.socket()
		s.login()
		s.method(1, 20, 10, "")
		return s.dies()
	}},
	{name: "close before open", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state opening" 10 50; end`, run: func(e *env) string {
		s := e.socket()
		s.login()
		s.method(0, 10, 50, uint16(200), "", uint16(0), uint16(0))
		return s.dies()
	}},
	{name: "open twice", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" 10 40; end`, run: func(e *env) string {
		r := e.raw()
		r.method(0, 10, 40, "/", "", bits(0))
		return r.dies()
	}},
	{name: "the login of a client whose secret was updated", want: "connection.update-secret-ok", run: func(e *env) string {
		r := e.raw()
		r.method(0, 10, 70, long("guest"), "for a test")
		return r.next()
	}},
	{name: "the error that amqp091-go makes of a bad vhost", want: "530 server=true recover=false", run: func(e *env) string {
		_, err := e.dialAs("guest:guest", "nope", amqp.Config{})
		var reason *amqp.Error
		if !errors.As(err, &reason) {
			return fmt.Sprint(err)
		}
		return fmt.Sprintf("%d server=%t recover=%t", reason.Code, reason.Server, reason.Recover)
	}},
}}
