package connection_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
)

func TestNewRefusesNonsenseAndNamesIt(t *testing.T) {
	const url = "amqp://localhost/"
	for name, test := range map[string]struct {
		url  string
		cfg  connection.Config
		want string
	}{
		"no URL":                      {"", connection.Config{}, "the URL is empty"},
		"no scheme":                   {"localhost:5672", connection.Config{}, "not of the form"},
		"a foreign scheme":            {"http://localhost/", connection.Config{}, "AMQP scheme"},
		"no host part":                {"amqp:user:word@localhost", connection.Config{}, "not of the form"},
		"a port that is none":         {"amqp://localhost:70000/", connection.Config{}, "the URL's port"},
		"port 0":                      {"amqp://localhost:0/", connection.Config{}, "the URL's port"},
		"a fragment":                  {"amqp://localhost/a#b", connection.Config{}, "not of the form"},
		"a space":                     {"amqp://localhost/a b", connection.Config{}, "whitespace"},
		"a long vhost":                {"amqp://localhost/" + strings.Repeat("v", 256), connection.Config{}, "vhost has 256 bytes"},
		"an unknown parameter":        {url + "?cacertfile=x", connection.Config{}, `unknown parameter "cacertfile"; certificates go into Config.TLS`},
		"a mechanism that is none":    {url + "?auth_mechanism=magic", connection.Config{}, `auth_mechanism is neither plain nor external: "magic"`},
		"a heartbeat that is none":    {url + "?heartbeat=soon", connection.Config{}, "heartbeat"},
		"a negative timeout":          {url + "?connection_timeout=-1", connection.Config{}, "connection_timeout is negative"},
		"DialTimeout":                 {url, connection.Config{DialTimeout: -1}, "Config.DialTimeout is negative"},
		"MinRedial":                   {url, connection.Config{MinRedial: -1}, "Config.MinRedial is negative"},
		"MaxRedial":                   {url, connection.Config{MaxRedial: -1}, "Config.MaxRedial is negative"},
		"WriteTimeout":                {url, connection.Config{WriteTimeout: -1}, "Config.WriteTimeout is negative"},
		"MaxRedial below MinRedial":   {url, connection.Config{MinRedial: 2, MaxRedial: 1}, "Config.MaxRedial (1ns) is less than MinRedial (2ns)"},
		"an empty address":            {url, connection.Config{Addresses: []string{"a", ""}}, "Config.Addresses[1]"},
		"an address without a host":   {url, connection.Config{Addresses: []string{":5672"}}, "Config.Addresses[0]"},
		"an address without a port":   {url, connection.Config{Addresses: []string{"a:"}}, "Config.Addresses[0]"},
		"an address with a bad port":  {url, connection.Config{Addresses: []string{"a:amqp"}}, "Config.Addresses[0]"},
		"an address that is a URL":    {url, connection.Config{Addresses: []string{"amqp://a:b@c:5672/"}}, "Config.Addresses[0]"},
		"an address with a password":  {url, connection.Config{Addresses: []string{"a:b@c"}}, "Config.Addresses[0]"},
		"an address with credentials": {url, connection.Config{Addresses: []string{"b@c:5672"}}, "Config.Addresses[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := connection.New(test.url, test.cfg)
			if err == nil || c != nil {
				t.Fatalf("New returned %v, %v", c, err)
			}
			if !strings.HasPrefix(err.Error(), "connection: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error %q does not say %q", err, test.want)
			}
		})
	}
}

func TestNewTakes(t *testing.T) {
	for _, test := range []struct {
		url  string
		cfg  connection.Config
		want string // what String says
	}{
		{"amqp://", connection.Config{}, "amqp://localhost:5672/"},
		{"amqp://host", connection.Config{}, "amqp://host:5672/"},
		{"amqps://host/", connection.Config{}, "amqps://host:5671/"},
		{"amqp://u:p@host:1/%2F", connection.Config{}, "amqp://host:1/"},
		{"amqp://u:p@host:1/a%2Fb%40c", connection.Config{}, "amqp://host:1/a%2Fb@c"},
		{"amqp://u:p@ss@host/", connection.Config{}, "amqp://host:5672/"}, // not encoded, and yet clear
		{"amqp://u:%2F%3F%23%40@host/", connection.Config{}, "amqp://host:5672/"},
		{"amqp://[::1]/", connection.Config{}, "amqp://[::1]:5672/"},
		{"amqp://h/?heartbeat=0&connection_timeout=100&channel_max=9&auth_mechanism=external", connection.Config{}, "amqp://h:5672/"},
		{"amqp://h/", connection.Config{Addresses: []string{"h", "h:5672"}}, "amqp://h:5672/"}, // once
		{"amqp://h/", connection.Config{Heartbeat: 100 * time.Hour}, "amqp://h:5672/"},
		{"amqp://h/", connection.Config{MaxRedial: time.Millisecond}, "amqp://h:5672/"},
		{"amqp://h/", connection.Config{MinRedial: time.Hour}, "amqp://h:5672/"},
		{"amqps://h/", connection.Config{TLS: &tls.Config{ServerName: "x"}}, "amqps://h:5671/"},
	} {
		c := create(t, test.url, test.cfg)
		if c.String() != test.want {
			t.Errorf("%s is %s, want %s", test.url, c, test.want)
		}
	}
}

func TestAddressesTakeThePortOfTheURL(t *testing.T) {
	c := create(t, "amqp://a:1234/", connection.Config{Addresses: []string{"b", "c:5", "::1", "[::2]", "[::3]:6"}})
	all := strings.Join(c.Nodes(), " ") + " "
	for _, want := range []string{"a:1234 ", "b:1234 ", "c:5 ", "[::1]:1234 ", "[::2]:1234 ", "[::3]:6 "} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among %s", want, all)
		}
	}
	if n := len(c.Nodes()); n != 6 {
		t.Errorf("%d nodes: %s", n, all)
	}
}

func TestAddressesAreShuffled(t *testing.T) {
	cfg := connection.Config{Addresses: []string{"b", "c", "d"}}
	first := make(map[string]bool)
	for range 200 {
		first[create(t, "amqp://a/", cfg).Nodes()[0]] = true
	}
	if len(first) != 4 {
		t.Errorf("of four nodes, only these ever came first: %v", first)
	}
}

// Whatever is wrong with a URL, what it says of that must not hold a part of
// the password; nor must anything that is said later.
func TestPasswordsNeverAppear(t *testing.T) {
	nobody := closedPort(t)
	const secret = "Pa55"
	for _, password := range []string{
		secret, secret + "/x", secret + "?x", secret + "#x", secret + "@x", secret + ":x", secret + "%x", secret + "%zz",
		secret + "[x", secret + "]x", secret + " x", secret + "\\x", secret + `"x`, secret + "<x", secret + "\x00x", secret + "é",
		"/" + secret, "?" + secret, "#" + secret, "@" + secret, ":" + secret, "%" + secret, "[" + secret, " " + secret,
		"12345/" + secret, "12345?" + secret, "12345#" + secret, "1/2?3#4@" + secret, "//" + secret, "?a=" + secret,
		"1?heartbeat=" + secret, "1?connection_timeout=" + secret + "&x", "1?channel_max=" + secret, "99999999/" + secret,
	} {
		for _, form := range []string{
			"amqp://user:%s@" + nobody + "/", "amqp://user:%s@" + nobody, "amqp://user:%s@" + nobody + "/vhost?heartbeat=1",
			"amqp://:%s@" + nobody, "amqps://user:%s@" + nobody + "/", "amqp:user:%s@" + nobody, "amqp:/user:%s@" + nobody,
			"user:%s@" + nobody, "//user:%s@" + nobody, "http://user:%s@" + nobody, "amqp//user:%s@" + nobody,
			" amqp://user:%s@" + nobody, "amqp://user:%s@", "amqp://user:%s@host:port/", "amqp://user:%s@ho st/",
			"amqp://user:%s@" + nobody + "/?nonsense=1",
		} {
			url := fmt.Sprintf(form, password)
			diary := newDiary()
			cfg := quick()
			cfg.Monitor = diary
			c, err := connection.New(url, cfg)
			if err != nil {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s: the error shows the password: %v", url, err)
				}
				continue
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				if text := fmt.Sprintf(verb, c); strings.Contains(text, secret) {
					t.Errorf("%s shows the password as %s: %s", url, verb, text)
				}
			}
			// A closed context: nothing is dialled for long.
			err = c.Connect(after(t, 30*time.Millisecond))
			if err == nil {
				t.Fatalf("%s: connected", url)
			}
			until(t, "the dial to fail", func() bool { return len(told[monitoring.DialFailed](diary)) > 0 })
			said := fmt.Sprintf("%v %v %v %s %+v", err, c.Health(), c, diary.text(), told[monitoring.DialFailed](diary))
			_ = c.Close(t.Context())
			if strings.Contains(said, secret) {
				t.Errorf("%s: the password is in %s", url, said)
			}
		}
	}
	for _, address := range []string{
		"amqp://user:" + secret + "@host:5672/", "user:" + secret + "@host:5672", "user:" + secret + "@host", secret + "@host",
		"user:" + secret, "host:5672/" + secret, "host/" + secret,
	} {
		_, err := connection.New("amqp://localhost/", connection.Config{Addresses: []string{address}})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Addresses %q: %v", address, err)
		}
	}
}

func TestATimelessRefusalIsARefusedError(t *testing.T) {
	inner := errors.New("inner")
	err := fmt.Errorf("outer: %w", &connection.RefusedError{Address: "a:1", Err: inner})
	var refused *connection.RefusedError
	if !errors.As(err, &refused) || !errors.Is(err, inner) || err.Error() != "outer: refused by a:1: inner" {
		t.Error(err)
	}
}

func TestPurposesHaveNames(t *testing.T) {
	for p, want := range map[connection.Purpose]string{
		connection.Consume: "consume", connection.Publish: "publish", 7: "Purpose(7)",
	} {
		if p.String() != want {
			t.Errorf("%d is %q", int(p), p)
		}
	}
	c := create(t, "amqp://localhost/", quick())
	for _, p := range []connection.Purpose{-1, 2} {
		if _, err := c.Session(t.Context(), p); err == nil {
			t.Errorf("there is a session for %v", p)
		}
		if _, err := c.Channel(t.Context(), p); err == nil {
			t.Errorf("there is a channel for %v", p)
		}
	}
}

func TestMonitorIsNeverNil(t *testing.T) {
	if create(t, "amqp://localhost/", connection.Config{}).Monitor() == nil {
		t.Error("the default monitor is nil")
	}
	diary := newDiary()
	create(t, "amqp://localhost/", connection.Config{Monitor: diary}).Monitor().Observe(t.Context(), monitoring.Acked{})
	if len(told[monitoring.Acked](diary)) != 1 {
		t.Error("the monitor of Config was not told")
	}
}
