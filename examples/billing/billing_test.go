package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/getsentry/sentry-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

// asProgram makes the test binary behave as the program.
const asProgram = "BILLING_TEST_RUNS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// agent is where StatsD packets go, instead of a network: a bubble has none.
type agent struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (a *agent) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text.Write(p)
	a.text.WriteByte('\n')
	return len(p), nil
}

func (a *agent) Close() error { return nil }

// count adds up what was sent of a counter, which the client does for two seconds at a time.
func (a *agent) count(t *testing.T, name, tags string) (n int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for line := range strings.Lines(a.text.String()) {
		metric, found := strings.CutPrefix(strings.TrimSpace(line), name+":")
		value, isIt := strings.CutSuffix(metric, "|c|#"+tags)
		if found && isIt {
			i, err := strconv.Atoi(value)
			must(t, err)
			n += i
		}
	}
	return n
}

// world is the application in a bubble, with all that is around it.
type world struct {
	*fxtest.App
	broker *rabbittest.Broker
	agent  *agent
	sentry *sentry.MockTransport
	mailer *Mailer
	codec  *avrocodec.Codec
}

// inBubble runs the application, as it is, with another broker, agent and Sentry.
func inBubble(t *testing.T, s Settings, test func(t *testing.T, w *world), more ...fx.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{broker: rabbittest.New(t), agent: &agent{}, sentry: &sentry.MockTransport{}}
		client, err := statsd.NewWithWriter(w.agent, statsd.WithExtendedClientSideAggregation(), statsd.WithoutTelemetry())
		must(t, err)
		defer client.Close() //nolint:errcheck // it ends its goroutines
		reporter, err := sentry.NewClient(sentry.ClientOptions{Dsn: "https://key@sentry.invalid/1", Transport: w.sentry})
		must(t, err)
		defer reporter.Close()
		w.App = fxtest.New(t, append([]fx.Option{
			fx.Supply(s),
			application,
			fx.Replace(
				warrenfx.Config{URL: w.broker.URL(), Connection: connection.Config{Dial: w.broker.Dial}},
				fx.Annotate(client, fx.As(new(statsd.ClientInterface))),
				sentry.NewHub(reporter, sentry.NewScope()),
			),
			fx.Decorate(func(l *ledger) *ledger {
				l.out = t.Output()
				return l
			}),
			fx.Populate(&w.mailer, &w.codec),
		}, more...)...)
		test(t, w)
	})
}

// Everything at once: the bank is down for some, declines others, and the network breaks meanwhile.
func TestEveryOrderIsChargedOrInTheErrorQueue(t *testing.T) {
	inBubble(t, Settings{Workers: 4, Wait: time.Hour, Orders: 60}, func(t *testing.T, w *world) {
		w.RequireStart()
		over := w.Wait()
		time.Sleep(30 * time.Minute)
		w.broker.DropConnections()
		select {
		case <-over:
		case <-time.After(24 * time.Hour):
			t.Error("it does not end")
		}
		w.RequireStop()

		if n, cents := w.mailer.Sent(); n != 50 || cents != sum("Micawber") {
			t.Errorf("%d receipts for %d cents, want 50 for %d", n, cents, sum("Micawber"))
		}
		for queue, want := range map[string]int{orders: 0, orders + ".error": 10, receipts: 0, receipts + ".error": 0} {
			if n := w.broker.Queue(queue).Len(); n != want {
				t.Errorf("%d messages in %s, want %d", n, queue, want)
			}
		}
		for _, c := range []struct {
			name, tags string
			want       int
		}{
			{"warren.deliveries", "queue:billing.orders,ending:acked", 50},
			{"warren.deliveries", "queue:billing.receipts,ending:acked", 50},
			{"warren.failures", "queue:billing.orders,failure:returned", 10 + 10},
			{"warren.errored", "queue:billing.orders,reason:rejected", 10},
		} {
			if n := w.agent.count(t, c.name, c.tags); n != c.want {
				t.Errorf("StatsD was sent %d %s %s, want %d", n, c.name, c.tags, c.want)
			}
		}
		events := w.sentry.Events()
		if len(events) != 10 {
			t.Fatalf("Sentry was sent %d events", len(events))
		}
		if e := events[0]; e.User.Username != "Micawber" || e.Tags["warren.queue"] != orders || e.Exception[0].Value != ErrDeclined.Error() {
			t.Errorf("Sentry was sent %v, %v, %v", e.User, e.Tags, e.Exception)
		}
	})
}

// sum is what the customers of 60 orders pay, but for one of them.
func sum(without string) (cents int64) {
	for _, o := range sample(60) {
		if o.Customer != without {
			cents += o.Cents
		}
	}
	return cents
}

// slowBank needs 20 s for a charge.
type slowBank struct{ Bank }

func (b slowBank) Charge(ctx context.Context, key, customer string, cents int64) error {
	time.Sleep(20 * time.Second)
	return b.Bank.Charge(ctx, key, customer, cents)
}

// Kubernetes stops the pod while the bank thinks. The order is charged, once, and its receipt waits for the next pod.
func TestAStopInTheMiddleOfACharge(t *testing.T) {
	slow := fx.Decorate(func(b Bank) Bank { return slowBank{b} })
	inBubble(t, Settings{Workers: 4, Wait: time.Hour}, func(t *testing.T, w *world) {
		w.RequireStart()
		w.publish(t, Order{ID: "7", Customer: "Dorrit", Cents: 1200})
		time.Sleep(time.Second)
		began := time.Now()
		w.RequireStop()
		if took := time.Since(began); took < 19*time.Second || took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := w.broker.Queue(orders).Len(); n != 0 {
			t.Errorf("%d orders are left", n)
		}
		if n := w.broker.Queue(receipts).Ready(); n != 1 {
			t.Errorf("%d receipts wait", n)
		}
	}, slow)
}

func (w *world) publish(t *testing.T, o Order) {
	t.Helper()
	body, err := w.codec.Encode(o)
	must(t, err)
	must(t, w.broker.Queue(orders).Publish(rabbittest.Message{MessageID: o.ID, Body: body}))
}

func TestWhatIsNoOrderIsForAPerson(t *testing.T) {
	inBubble(t, Settings{Workers: 4, Wait: time.Hour}, func(t *testing.T, w *world) {
		w.RequireStart()
		w.publish(t, Order{ID: "7", Customer: "Dorrit", Cents: -5})
		must(t, w.broker.Queue(orders).Publish(rabbittest.Message{Body: []byte(`{"id": "8"}`)})) // not in Avro
		time.Sleep(time.Minute)
		w.RequireStop()
		reasons := map[any]int{}
		for _, m := range w.broker.Queue(orders + ".error").Messages() {
			reasons[m.Headers["warren-reason"]]++
		}
		if len(reasons) != 2 || reasons["invalid"] != 1 || reasons["undecodable"] != 1 {
			t.Errorf("the reasons are %v", reasons)
		}
		if n, _ := w.mailer.Sent(); n != 0 {
			t.Errorf("%d receipts", n)
		}
	})
}

// The handler is a function, and needs neither Fx nor a broker to be tested.
func TestWhatTheHandlerSays(t *testing.T) {
	for customer, want := range map[string]consumer.Kind{"Micawber": consumer.KindError, "Pip": consumer.KindRetry} {
		o := newBilling(newBank(), nil).Charge(t.Context(), consumer.Message[Order]{Body: Order{ID: "7", Customer: customer, Cents: 1}})
		if o.Kind() != want {
			t.Errorf("%s: %v", customer, o)
		}
	}
}

// The graph is whole with and without what is optional.
func TestTheApplicationIsValid(t *testing.T) {
	if err := fx.ValidateApp(fx.Supply(Settings{}), application, fx.NopLogger); err != nil {
		t.Error(err)
	}
}

// As a newcomer runs it, on a machine that has only Go.
func TestItRunsWithoutAnything(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-n", "12", "-wait", "10ms")
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "AMQP_URL", "STATSD_ADDR", "SENTRY_DSN":
		default:
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, asProgram+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "12 orders: 10 charged and receipted, 2 in billing.orders.error") {
		t.Errorf("it ended with %v, and said:\n%s", err, out)
	}
}

// That nobody listens at the other end of StatsD and Sentry is no reason to fail.
func TestItRunsWithEverything(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-n", "6", "-wait", "10ms")
	cmd.Env = append(os.Environ(), asProgram+"=1", "AMQP_URL=", "STATSD_ADDR=127.0.0.1:8125", "SENTRY_DSN=http://key@127.0.0.1:1/1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "6 orders: 5 charged and receipted, 1 in billing.orders.error") {
		t.Errorf("it ended with %v, and said:\n%s", err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
