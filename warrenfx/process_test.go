package warrenfx_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

// With childRole in its environment the test binary is an Fx application, at AMQP_URL.
const (
	childRole = "WARRENFX_TEST_ROLE"
	patient   = "patient" // its handler takes its time: see patience
	anyway    = "anyway"  // it starts whether there is a broker or not, and exits with 3 if a consumer fails for good
)

// patience is how long the handler of a patient process takes: 20 s where every test is to be run whole, and less where
// someone only wants to know whether it works.
func patience() time.Duration {
	if os.Getenv("WARREN_REQUIRE_BROKER") == "1" {
		return 20 * time.Second
	}
	return 2 * time.Second
}

// child is a main function as users write it.
func child() {
	fx.New(
		warrenfx.Module,
		fx.Supply(warrenfx.Config{
			URL:                os.Getenv("AMQP_URL"),
			StartWithoutBroker: os.Getenv(childRole) == anyway,
			ExitCode:           3,
		}),
		warrenfx.ConsumeFunc("orders", func(ctx context.Context, m consumer.Message[order]) consumer.Outcome {
			fmt.Println("began", m.ID)
			return sleeper(patience())(ctx, m)
		}, consumer.Config{}),
		fx.StartTimeout(3*time.Second),
		fx.StopTimeout(30*time.Second),
	).Run()
}

// process is a running child.
type process struct {
	*exec.Cmd
	output output
	exited chan error
}

// output is what a process has said so far.
type output struct {
	mu   sync.Mutex
	text []byte
	more chan struct{} // has a value when there is more than before
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.text = append(o.text, p...)
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// says waits until the process has said something.
func (p *process) says(t *testing.T, what string) {
	t.Helper()
	late := time.After(time.Minute)
	for !strings.Contains(p.output.String(), what) {
		select {
		case <-p.output.more:
		case <-late:
			t.Fatalf("it does not say %q", what)
		}
	}
}

func spawn(t *testing.T, role, url string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0]), exited: make(chan error, 1)}
	p.output.more = make(chan struct{}, 1)
	p.Env = append(os.Environ(), childRole+"="+role, "AMQP_URL="+url, "GOCOVERDIR="+t.TempDir())
	p.Stdout, p.Stderr = &p.output, &p.output
	must(t, p.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.exited <- p.Wait()
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the %s process said:\n%s", role, &p.output)
		}
	})
	return p
}

// code waits for the end of the process, and returns its exit code.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.exited:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return p.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		return 0
	}
}

// serve starts a broker that other processes can reach.
func serve(t *testing.T) *rabbittest.Broker {
	t.Helper()
	broker := rabbittest.New(t)
	if _, err := broker.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return broker
}

// As Kubernetes stops a pod while a handler is in the middle of its work.
func TestSIGTERMLetsALongHandlerFinish(t *testing.T) {
	t.Parallel()
	broker := serve(t)
	q := broker.Queue("orders")
	p := spawn(t, patient, broker.URL())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p.says(t, "[Fx] RUNNING") // until then Fx does not listen to signals: SIGTERM ends the process on the spot
	must(t, q.Publish(rabbittest.Message{MessageID: "7", Body: []byte(`{"ID": "7"}`)}))
	p.says(t, "began 7")

	began := time.Now()
	must(t, p.Process.Signal(syscall.SIGTERM))
	must(t, q.Wait(ctx, func(q rabbittest.Queue) bool { return len(q.Consumers()) == 0 }))
	must(t, q.Publish(rabbittest.Message{MessageID: "8", Body: []byte(`{"ID": "8"}`)})) // nobody takes it any more
	if code := p.code(t); code != 0 {
		t.Errorf("it exited with %d", code)
	}
	if took := time.Since(began); took < patience()-time.Second || took > patience()+5*time.Second {
		t.Errorf("it took %v", took)
	}
	counts := map[string]int{}
	for _, e := range q.History() {
		counts[e.Kind+" "+e.MessageID]++
	}
	want := map[string]int{"published 7": 1, "delivered 7": 1, "acked 7": 1, "published 8": 1}
	if got, want := fmt.Sprint(counts), fmt.Sprint(want); got != want {
		t.Errorf("what happened is %v, want %v", got, want)
	}
	if n := len(broker.Connections()); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestAProcessThatFailsForGoodExitsWithItsCode(t *testing.T) {
	t.Parallel()
	broker := serve(t)
	declareOther(t, broker, "orders")
	p := spawn(t, anyway, broker.URL())
	if code := p.code(t); code != 3 {
		t.Errorf("it exited with %d", code)
	}
	if !strings.Contains(p.output.String(), "shutting down, a consumer failed") {
		t.Errorf("it does not say why")
	}
}

func TestAProcessWithoutABrokerExitsWith1(t *testing.T) {
	t.Parallel()
	p := spawn(t, patient, "amqp://127.0.0.1:1/")
	if code := p.code(t); code != 1 {
		t.Errorf("it exited with %d", code)
	}
	for _, want := range []string{"connect to amqp://127.0.0.1:1/", "connection refused", "StartWithoutBroker"} {
		if !strings.Contains(p.output.String(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}
