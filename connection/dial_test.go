package connection_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
)

// addressOf returns host and port of a URL of this test.
func addressOf(tb testing.TB, url string) string {
	tb.Helper()
	return create(tb, url, quick()).Nodes()[0]
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		live := addressOf(t, b.URL)
		dead := []string{closedPort(t), closedPort(t)}
		for turn, order := range [][]string{{dead[0], dead[1], live}, {dead[0], live, dead[1]}, {live, dead[0], dead[1]}} {
			var tried []string
			diary := newDiary()
			cfg := quick()
			cfg.Addresses = dead
			cfg.Monitor = diary
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				tried = append(tried, address)
				if address != live {
					return new(net.Dialer).DialContext(ctx, network, address)
				}
				return b.Dial(ctx, network, address)
			}
			c := createOn(t, b, cfg)
			c.SetNodes(order...)
			must(t, c.Connect(soon(t)))
			if want := order[:slices.Index(order, live)+1]; !slices.Equal(tried, want) {
				t.Errorf("%d: tried %v, want %v", turn, tried, want)
			}
			for _, e := range told[monitoring.DialFailed](diary) {
				if e.Next != 0 || e.Refused {
					t.Errorf("with others to try, it says %+v", e)
				}
			}
			if s := session(t, c, connection.Publish); s.Address() != live {
				t.Errorf("connected to %s", s.Address())
			}
			must(t, c.Close(t.Context()))
		}
	})
}

// What is lost comes up again at the next address.
func TestTheNextAddressComesAfterALoss(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		address := addressOf(t, b.URL)
		port := address[strings.LastIndex(address, ":"):]
		nodes := []string{"127.0.0.1" + port, "127.0.0.2" + port, "127.0.0.3" + port} // one broker by three names
		cfg := quick()
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return b.Dial(ctx, network, "127.0.0.1"+address[strings.LastIndex(address, ":"):])
		}
		c := createOn(t, b, cfg)
		c.SetNodes(nodes...)
		for i := range 5 {
			s := session(t, c, connection.Publish)
			if want := nodes[i%3]; s.Address() != want {
				t.Errorf("connection %d goes to %s, want %s", i, s.Address(), want)
			}
			s.Fail(errors.New("enough"))
			<-s.Done()
		}
	})
}

func TestAClosedPortIsNotDialledInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := netproxy.New(nil)
		cfg := connection.Config{
			MinRedial: 40 * time.Millisecond, MaxRedial: 80 * time.Millisecond,
			Dial: network.Dial, Monitor: monitoring.Discard{},
		}
		c := create(t, "amqp://"+closedPort(t)+"/", cfg)
		err := c.Connect(after(t, time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("Connect says %v", err)
		}
		// 20 to 40 ms, and then 40 to 80 ms each.
		if n := network.Dials(); n < 5 || n > 27 {
			t.Errorf("dialled %d times in a second", n)
		}
	})
}

// The same where the port is open and nobody takes us in.
func TestAHangUpIsNotDialledInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangUp := func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			_ = server.Close()
			return client, nil
		}
		network := netproxy.New(hangUp)
		cfg := connection.Config{
			MinRedial: 40 * time.Millisecond, MaxRedial: 80 * time.Millisecond,
			Dial: network.Dial, Monitor: monitoring.Discard{},
		}
		c := create(t, "amqp://broker/", cfg)
		var refused *connection.RefusedError
		if err := c.Connect(after(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) {
			t.Errorf("Connect says %v", err)
		}
		if n := network.Dials(); n < 5 || n > 27 {
			t.Errorf("dialled %d times in a second", n)
		}
	})
}

// A broker that never answers, at any step of the handshake, costs DialTimeout
// and no more, and is not taken for one that refuses.
func TestDialTimeout(t *testing.T) {
	for name, f := range map[string]*fake{
		"from the start": {silent: true},
		"after start-ok": {quiet: startOk}, "after open": {quiet: connectionOpen},
		"after channel.open": {quiet: channelOpen}, "after channel.close": {quiet: channelClose},
	} {
		for _, kind := range []string{"Config", "URL"} {
			t.Run(name+", of "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testDialTimeout(t, f, kind == "URL") })
			})
		}
	}
}

func testDialTimeout(t *testing.T, f *fake, inURL bool) {
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	cfg.Dial = f.inMemory(t)
	url := "amqp://broker/"
	if inURL {
		url += "?connection_timeout=100"
	} else {
		cfg.DialTimeout = 100 * time.Millisecond
	}
	c := create(t, url, cfg)
	err := c.Connect(after(t, time.Second))
	var refused *connection.RefusedError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) {
		t.Errorf("Connect says %v", err)
	}
	all := told[monitoring.DialFailed](diary)
	if len(all) < 2 || len(all) > 10 {
		t.Errorf("%d dials failed in a second", len(all))
	}
	for _, e := range all {
		if e.Refused || !strings.Contains(e.Err.Error(), "the broker does not answer") {
			t.Errorf("told %+v", e)
		}
	}
	within(t, 5*time.Second, "Close", func() { must(t, c.Close(t.Context())) })
}

// The client takes every end of the handshake for a refusal, also when its own
// read deadline of one and a half heartbeats has ended it.
func TestASilentHandshakeIsNoRefusal(t *testing.T) {
	for _, method := range [][2]uint16{tuneOk, connectionOpen} {
		synctest.Test(t, func(t *testing.T) {
			diary := newDiary()
			f := &fake{quiet: method, heartbeat: 1}
			cfg := quick()
			cfg.Monitor = diary
			cfg.Heartbeat = time.Second
			cfg.Dial = f.inMemory(t)
			c := create(t, "amqp://broker/", cfg)
			err := c.Connect(after(t, 5*time.Second))
			var refused *connection.RefusedError
			if errors.As(err, &refused) {
				t.Errorf("Connect says %v", err)
			}
			for _, e := range told[monitoring.DialFailed](diary) {
				if e.Refused || !strings.Contains(e.Err.Error(), "the broker does not answer") {
					t.Errorf("told %+v", e)
				}
			}
		})
	}
}

// A broker that talks nonsense cannot hold up a dial, or leave anything running.
func TestUnexpectedFramesDoNotHoldUpADial(t *testing.T) {
	bye := method(0, connectionBye, append([]byte{0, 0, 0}, 0, 0, 0, 0))
	for name, f := range map[string]*fake{
		"a second open-ok":        {afterMethod: connectionOpen, extra: [][]byte{method(0, [2]uint16{10, 41}, []byte{0})}},
		"two more open-oks":       {afterMethod: connectionOpen, extra: [][]byte{method(0, [2]uint16{10, 41}, []byte{0}), method(0, [2]uint16{10, 41}, []byte{0})}},
		"a second channel":        {afterMethod: channelOpen, extra: [][]byte{method(1, [2]uint16{20, 11}, long(""))}},
		"two more tunes":          {afterMethod: startOk, extra: [][]byte{method(0, [2]uint16{10, 41}, []byte{0}), method(0, [2]uint16{10, 41}, []byte{0})}},
		"a close behind the open": {afterMethod: connectionOpen, extra: [][]byte{bye}},
		"no frame at all":         {afterMethod: connectionOpen, extra: [][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n\r\n")}},
		"a frame without end":     {afterMethod: channelOpen, extra: [][]byte{{1, 0, 1, 0, 0, 0, 4, 0, 20, 0, 41, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quick()
			cfg.DialTimeout = 200 * time.Millisecond
			c := create(t, f.listen(t), cfg)
			within(t, 5*time.Second, "Connect", func() { _ = c.Connect(after(t, 500*time.Millisecond)) })
			within(t, 5*time.Second, "Close", func() { _ = c.Close(after(t, time.Second)) })
		})
	}
}

// PEER-BUGS test 3: the socket dies, or falls silent, after each byte of the
// first 1,500 from the broker, which is more than a handshake with RabbitMQ.
func TestTheSocketDiesAtEveryStep(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		const bytes, step = 1500, 7
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.MinRedial, cfg.MaxRedial = time.Millisecond, time.Millisecond
		cfg.Dial = network.Dial
		cfg.DialTimeout = 50 * time.Millisecond
		ended, up := 0, 0
		for at := int64(1); at < bytes; at += step {
			if silent := at%70 == 1; silent {
				network.HoldAt(netproxy.FromBroker, at)
				network.CutAt(netproxy.FromBroker, 0)
			} else {
				network.HoldAt(netproxy.FromBroker, 0)
				network.CutAt(netproxy.FromBroker, at)
			}
			c, err := connection.New(b.URL, cfg)
			must(t, err)
			s, err := c.Session(after(t, 10*time.Millisecond), connection.Publish)
			if err != nil {
				ended++
			} else if up++; s.Err() != nil && errors.Is(s.Err(), connection.ErrClosed) {
				t.Errorf("cut after %d bytes, the session says %v", at, s.Err())
			}
			within(t, 5*time.Second, "Close", func() { _ = c.Close(after(t, 50*time.Millisecond)) })
		}
		if ended == 0 || up == 0 {
			t.Errorf("%d dials failed and %d did not: the bytes do not span a handshake", ended, up)
		}
		network.HoldAt(netproxy.FromBroker, 0)
		network.CutAt(netproxy.FromBroker, 0)
		connectOn(t, b, cfg)
	})
}

func TestDialMustReturnSomething(t *testing.T) {
	cfg := quick()
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, nil } //nolint:nilnil // that is the test
	c := create(t, "amqp://localhost/", cfg)
	if err := c.Connect(after(t, 100*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "neither a connection nor an error") {
		t.Errorf("Connect says %v", err)
	}
}

func TestDialGetsTheAddressAndABoundedContext(t *testing.T) {
	var (
		mu    sync.Mutex
		calls []string
	)
	cfg := quick()
	cfg.DialTimeout = time.Minute
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, network+" "+address)
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > time.Minute {
			t.Errorf("the deadline is %v, %v", d, ok)
		}
		<-ctx.Done() // which Close ends
		return nil, ctx.Err()
	}
	c := create(t, "amqp://localhost:1/", cfg)
	_ = c.Connect(after(t, 50*time.Millisecond))
	within(t, 5*time.Second, "Close", func() { must(t, c.Close(t.Context())) })
	if want := []string{"tcp localhost:1"}; !slices.Equal(calls, want) {
		t.Errorf("dialled %q", calls)
	}
}

func TestHeartbeat(t *testing.T) {
	for name, test := range map[string]struct {
		query     string
		config    time.Duration
		suggested uint16
		want      uint16
	}{
		"default":                         {"", 0, 60, 5},
		"of the URL":                      {"?heartbeat=7", 0, 60, 7},
		"of Config, rounded up":           {"", 2500 * time.Millisecond, 60, 3},
		"Config wins":                     {"?heartbeat=7", 9 * time.Second, 60, 9},
		"the broker wants it shorter":     {"", 0, 2, 2},
		"off":                             {"", -1, 60, 65535}, // seconds; 0 would mean 60
		"off in the URL":                  {"?heartbeat=0", 0, 60, 65535},
		"Config wins over off in the URL": {"?heartbeat=0", time.Second, 60, 1},
		"longer than there is":            {"", 1000 * time.Hour, 60, 60},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{heartbeat: test.suggested}
			cfg := quick()
			cfg.Heartbeat = test.config
			connect(t, f.listen(t)+test.query, cfg)
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.tuned != test.want {
				t.Errorf("it is %d s, want %d", f.tuned, test.want)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	t.Run("PLAIN", func(t *testing.T) {
		f := &fake{mechanisms: "AMQPLAIN PLAIN"}
		connect(t, f.listen(t), quick())
		if f.mechanism != "PLAIN" || f.response != "\x00user\x00secret" {
			t.Errorf("%s %q", f.mechanism, f.response)
		}
	})
	t.Run("EXTERNAL", func(t *testing.T) {
		f := &fake{mechanisms: "AMQPLAIN PLAIN EXTERNAL"}
		connect(t, f.listen(t)+"?auth_mechanism=EXTERNAL", quick())
		if f.mechanism != "EXTERNAL" || strings.Contains(f.response, "secret") {
			t.Errorf("%s %q", f.mechanism, f.response)
		}
	})
	t.Run("EXTERNAL, which the broker does not know", func(t *testing.T) {
		f := &fake{mechanisms: "AMQPLAIN PLAIN"}
		c := create(t, f.listen(t)+"?auth_mechanism=external", quick())
		var refused *connection.RefusedError
		if err := c.Connect(soon(t)); !errors.As(err, &refused) || !strings.Contains(err.Error(), "SASL") {
			t.Errorf("Connect says %v", err)
		}
	})
	t.Run("Credentials before every dial", func(t *testing.T) {
		f := &fake{}
		var n int
		cfg := quick()
		cfg.Credentials = func(ctx context.Context) (string, string, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("there is no deadline")
			}
			switch n++; n {
			case 1:
				return "", "", errors.New("the vault is shut")
			default:
				return "name", strings.Repeat("x", n), nil
			}
		}
		diary := newDiary()
		cfg.Monitor = diary
		c := connect(t, f.listen(t), cfg)
		if f.response != "\x00name\x00xx" {
			t.Errorf("%q", f.response)
		}
		if all := told[monitoring.DialFailed](diary); len(all) != 1 || !strings.Contains(all[0].Err.Error(), "get credentials: the vault is shut") {
			t.Errorf("told %+v", all)
		}
		s := session(t, c, connection.Publish)
		s.Fail(errors.New("enough"))
		<-s.Done()
		session(t, c, connection.Publish)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.response != "\x00name\x00xxx" {
			t.Errorf("%q", f.response)
		}
	})
}
