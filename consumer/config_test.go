package consumer

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

func TestNewRefusesNonsense(t *testing.T) {
	conn, err := connection.New("amqp://localhost", connection.Config{})
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for _, test := range []struct {
		name string
		cfg  Config
		want string // in the error: the field
	}{
		{"negative timeout", Config{Timeout: -1}, "Config.Timeout is negative"},
		{"negative drain", Config{Drain: -1}, "Config.Drain is negative"},
		{"negative grace", Config{Grace: -1}, "Config.Grace is negative"},
		{"negative age", Config{MaxAge: -1}, "Config.MaxAge is negative"},
		{"negative consumer timeout", Config{ConsumerTimeout: -1}, "Config.ConsumerTimeout is negative"},
		{"negative workers", Config{Workers: -1}, "Config.Workers is -1"},
		{"too many workers", Config{Workers: 1<<16 + 1}, "Config.Workers is 65537"},
		{"negative prefetch", Config{Prefetch: -1}, "Config.Prefetch is -1"},
		{"a prefetch that AMQP does not have", Config{Prefetch: 65536}, "Config.Prefetch is 65536, not between 0 and 65535"},
		{"negative immediate", Config{Immediate: -1}, "Config.Immediate is -1"},
		{"endless immediate", Config{Immediate: 1001}, "Config.Immediate is 1001"},
		{"negative body", Config{MaxBody: -1}, "Config.MaxBody is -1"},
		{"negative stuck", Config{MaxStuck: -1}, "Config.MaxStuck is -1"},
		{"an impatient silence", Config{Silence: time.Millisecond}, "Config.Silence is 1ms, less than a second"},
		{"an unknown mode", Config{Declare: 9}, "Config.Declare is unknown: Declare(9)"},
		{"a negative mode", Config{Declare: -1}, "Config.Declare"},
		{"an unknown way of waiting", Config{Waiting: 99}, "Config.Waiting is unknown: Waiting(99)"},
		{"a negative way of waiting", Config{Waiting: -1}, "Config.Waiting is unknown: Waiting(-1)"},
		{"a policy that cannot be", Config{Retry: retry.Fixed(3, 5)}, "Config.Retry: retry.Fixed: wait is 5ns"},
		{"too many waits", Config{Retry: retry.Linear(17, time.Second, 0)}, "Config.Retry: retry.Linear"},
		{"a timeout beyond the broker's patience", Config{Timeout: 26 * time.Minute}, "Config.Timeout 26m0s"},
		{"a grace beyond the broker's patience", Config{Timeout: 20 * time.Minute, Grace: 6 * time.Minute}, "Config.Timeout 20m0s"},
		{"a prefetch that cannot be handled in time", Config{Prefetch: 100, Workers: 1}, "Config.Prefetch 100 with 1 workers"},
		{"a consumer timeout that is too short", Config{ConsumerTimeout: time.Minute}, "Config.Timeout 1m0s"},
		{"the longest timeout", Config{Timeout: math.MaxInt64}, "Config.Timeout"},
		{"the longest timeout and grace", Config{Timeout: math.MaxInt64, Grace: math.MaxInt64}, "Config.Timeout"},
		{"the longest timeout, and all patience", Config{Timeout: math.MaxInt64 - 1, Grace: 1, ConsumerTimeout: math.MaxInt64}, "Config.Timeout"},
		{"bindings of a queue that is not ours", Config{Declare: DeclareOwn, Bindings: []Binding{{Exchange: "x"}}}, "Config.Bindings needs DeclareAll, not own"},
		{"a binding to nothing", Config{Bindings: []Binding{{Exchange: "x"}, {Keys: []string{"a"}}}}, "Config.Bindings[1].Exchange is empty"},
		{"a transient exchange that is not declared", Config{Bindings: []Binding{{Exchange: "x", Transient: true}}}, "Config.Bindings[0].Transient"},
		{"a long key", Config{Bindings: []Binding{{Exchange: "x", Keys: []string{"k", strings.Repeat("k", 256)}}}}, "Config.Bindings[0].Keys[1] has 256 bytes"},
		{"a long exchange", Config{Bindings: []Binding{{Exchange: strings.Repeat("x", 256)}}}, "Config.Bindings[0].Exchange has 256 bytes"},
		{"arguments that AMQP has no type for", Config{Bindings: []Binding{{Exchange: "x", Args: map[string]any{"a": struct{}{}}}}}, "Config.Bindings[0].Args"},
		{"two codecs for one type", Config{Codecs: []codec.Codec{codec.JSON{}, codec.JSON{}}}, "Config.Codecs"},
		{"a nil codec", Config{Codecs: []codec.Codec{nil}}, "Config.Codecs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(conn, "orders", func(_ context.Context, _ Message[int]) Outcome { return Ack() }, test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), `consumer of "orders": `) {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}

	handler := func(context.Context, Message[int]) Outcome { return Ack() }
	for name, try := range map[string]func() error{
		"no connection":   func() error { _, err := New[int](nil, "q", handler, Config{}); return err },
		"no handler":      func() error { _, err := New[int](conn, "q", nil, Config{}); return err },
		"a nil handler":   func() error { var h Handler[int]; _, err := New(conn, "q", h, Config{}); return err },
		"a nil func":      func() error { _, err := New(conn, "q", Func[int](nil), Config{}); return err },
		"no queue":        func() error { _, err := New(conn, "", handler, Config{}); return err },
		"a reserved name": func() error { _, err := New(conn, "amq.gen-x", handler, Config{}); return err },
		"a long name":     func() error { _, err := New(conn, strings.Repeat("q", 250), handler, Config{}); return err },
	} {
		if err := try(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for name, cfg := range map[string]Config{
		"a day, if the broker lets us": {Timeout: day, ConsumerTimeout: 2 * day},
		"one message at a time":        {Workers: 1, Prefetch: 1, Timeout: 24 * time.Minute},
		"all workers":                  {Workers: 1 << 16},
		"a typed monitor":              {Monitor: monitoring.Func(nil)},
	} {
		if _, err := New(conn, "q", handler, cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	cfg, err := Config{}.checked()
	if err != nil {
		t.Fatal(err)
	}
	prefetch, err := cfg.prefetch(cfg.Workers)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(cfg.Workers, prefetch, cfg.Timeout, cfg.Drain, cfg.Grace, cfg.MaxAge, cfg.ConsumerTimeout, cfg.Retry, cfg.Declare, cfg.Immediate)
	if want := "4 8 1m0s 25s 10s 24h0m0s 30m0s fixed(3, 1m0s) all 0"; !strings.EqualFold(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPrefetch(t *testing.T) {
	for _, test := range []struct {
		name    string
		cfg     Config
		workers int
		want    int // 0: refused
	}{
		{"two for each worker", Config{Timeout: time.Minute}, 8, 16},
		{"as configured", Config{Timeout: time.Minute, Prefetch: 100}, 8, 100},
		{"as configured, fewer than workers", Config{Timeout: time.Minute, Prefetch: 1}, 8, 1},
		{"as many as can be handled in time", Config{Timeout: time.Minute, Prefetch: 168}, 8, 168}, // 21 rounds of 70 s
		{"one more", Config{Timeout: time.Minute, Prefetch: 169}, 8, 0},
		{"slow handlers: one each", Config{Timeout: 20 * time.Minute}, 8, 8},
		{"slow handlers: the last timeout that fits", Config{Timeout: 25*time.Minute - 10*time.Second}, 1, 1},
		{"slower than the broker waits", Config{Timeout: 25 * time.Minute}, 1, 0},
		{"AMQP's limit", Config{Timeout: time.Second}, 1 << 16, 65535},
		{"a patient broker", Config{Timeout: 24 * time.Hour, ConsumerTimeout: 72 * time.Hour}, 2, 4},
		{"an impatient broker", Config{Timeout: 2 * time.Second, Grace: time.Second, ConsumerTimeout: 6 * time.Second}, 2, 2},
		{"endless", Config{Timeout: math.MaxInt64, Grace: math.MaxInt64}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := test.cfg
			if cfg.Grace == 0 {
				cfg.Grace = defaultGrace
			}
			if cfg.ConsumerTimeout == 0 {
				cfg.ConsumerTimeout = defaultConsumerTimeout
			}
			got, err := cfg.prefetch(test.workers)
			if got != test.want || (err == nil) != (test.want > 0) {
				t.Errorf("%d, %v, want %d", got, err, test.want)
			}
			if err != nil {
				return
			}
			// The promise: the last message taken is settled before the broker loses its patience.
			rounds := time.Duration((got + test.workers - 1) / test.workers)
			if held := rounds * (cfg.Timeout + cfg.Grace); held > cfg.ConsumerTimeout {
				t.Errorf("a message could be held for %v", held)
			}
		})
	}
}

func TestConfigIsCopied(t *testing.T) {
	conn, err := connection.New("amqp://localhost", connection.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Bindings: []Binding{{Exchange: "x", Keys: []string{"a"}}}}
	c, err := New(conn, "q", func(context.Context, Message[int]) Outcome { return Ack() }, cfg)
	if err != nil {
		t.Fatal(err)
	}
	plan := c.Plan()
	cfg.Bindings[0].Keys[0] = "b"
	plan.Retry[0].Args["x-message-ttl"] = int64(1)
	plan.Bindings[0].Key = "c"
	if p := c.Plan(); p.Retry[0].Args["x-message-ttl"] != int64(60000) || p.Bindings[0].Key != "a" {
		t.Errorf("who changes what Plan returns changes what is declared: %+v", p)
	}
}

func TestNamesOfConstants(t *testing.T) {
	for want, got := range map[string]fmt.Stringer{
		"all": DeclareAll, "own": DeclareOwn, "check": DeclareCheck, "none": DeclareNone, "Declare(7)": Declare(7),
		"retry": KindRetry, "ack": KindAck, "error": KindError, "defer": KindDefer, "Kind(7)": Kind(7),
		"retry after 30s: the bank is down": RetryAfter(30*time.Second, errTest), "defer after 1s": Defer(0, nil),
	} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
