package main

import (
	"bufio"
	"flag"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
)

// asProgram makes the test binary behave as the program.
const asProgram = "CONVERSATIONS_TEST_RUNS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel { // the tests wait more than they work
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	rabbitmq.Main(m)
}

// quick are settings for a run with every kind of trouble in a few seconds, on queues of its own.
func quick(t *testing.T, b brokers.Broker) settings {
	t.Helper()
	return settings{
		url: b.URL, queue: rabbitmq.Name(t, "conversations"),
		conversations: 200, rate: 60, workers: 8, timeout: 700 * time.Millisecond,
	}
}

// deleteQueues deletes what a run leaves, when the test ends.
func deleteQueues(t *testing.T, b brokers.Broker, s settings) {
	t.Helper()
	b.Delete(t, s.queue, s.queue+".error", s.queue+".retry.500ms", s.queue+".retry.1s", s.queue+".retry.2s")
}

// takesLong skips a test on the broker in a process where not everything is to be run: it waits for eight seconds as it
// does on a real one.
func takesLong(t *testing.T) {
	t.Helper()
	if os.Getenv("WARREN_REQUIRE_BROKER") != "1" {
		t.Skip("it takes long: `WARREN_REQUIRE_BROKER=1 make test` runs everything")
	}
}

func runQuick(t *testing.T, s settings) report {
	t.Helper()
	r, err := run(t.Context(), s, log.New(t.Output(), "", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.check(); err != nil {
		t.Error(err)
	}
	return r
}

// troubles counts the conversations that will go wrong, and how.
func troubles(n int) (byMood map[mood]int, unknownKey int) {
	byMood = make(map[mood]int)
	for i, c := range conversations(n) {
		if c.Account == formerCustomer.account {
			unknownKey++
		} else {
			byMood[moods[i%100]]++
		}
	}
	return byMood, unknownKey
}

func TestEveryJobIsAckedOrErroredWhateverTheProviderDoes(t *testing.T) {
	t.Parallel()
	t.Run("rabbittest", func(t *testing.T) { // which the program brings along
		t.Parallel()
		takesLong(t)
		testEveryJob(t, quick(t, brokers.Broker{}))
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		b := brokers.RabbitMQ(t)
		s := quick(t, b)
		deleteQueues(t, b, s)
		testEveryJob(t, s)
	})
}

func testEveryJob(t *testing.T, s settings) {
	t.Helper()
	r := runQuick(t, s)
	moods, unknownKey := troubles(s.conversations)
	rejected := unknownKey + moods[deleted] + moods[private]
	exhausted := moods[dead]

	exactly := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	exactly("published", r.published, len(jobs(conversations(s.conversations))))
	exactly("acked and errored", r.acked+r.errored, r.published)
	exactly("errored", r.errored, rejected+exhausted)
	exactly("stored", r.stored, s.conversations-rejected-exhausted)
	exactly("left in the main queue", r.queues.main, 0)
	exactly("left in retry queues", r.queues.retry, 0)
	exactly("in the error queue", r.queues.error, r.errored)
	reasons := make(map[monitoring.Reason]int)
	for _, d := range r.defeats {
		reasons[d.reason] += d.count
	}
	exactly("rejected", reasons[monitoring.ReasonRejected], rejected)
	exactly("exhausted", reasons[monitoring.ReasonExhausted], exhausted)
	exactly("that used up too many attempts", r.overcharged, 0)
	exactly("kinds of failures for a person to look at", len(r.defeats), 4)

	// Every branch of the handler was taken. A slow machine may take some of them more often.
	atLeast := func(what string, got, want int) {
		t.Helper()
		if got < want || want == 0 {
			t.Errorf("%s: %d, want at least %d", what, got, want)
		}
	}
	atLeast("200", r.answers["200"], r.stored)
	atLeast("401", r.answers["401"], unknownKey)
	atLeast("404", r.answers["404"], moods[deleted])
	atLeast("403", r.answers["403"], moods[private])
	atLeast("403 with Retry-After", r.answers["403 with Retry-After"], moods[busy])
	atLeast("429 with Retry-After", r.answers["429 with Retry-After"], 20)
	atLeast("500", r.answers["500"], moods[failing]+2*moods[broken])
	atLeast("half an answer", r.answers["half an answer"], moods[dropping])
	atLeast("no answer", r.answers["no answer"], moods[slow]+4*moods[dead])
	atLeast("timeouts that were retried", r.failures[monitoring.FailureTimeout], moods[slow]+3*moods[dead])
	atLeast("errors that were retried", r.failures[monitoring.FailureReturned],
		moods[failing]+2*moods[broken]+moods[dropping])
	atLeast("deferred", r.deferred, r.answers["403 with Retry-After"]+20)
	atLeast("acked at the first attempt after having been deferred", r.patient, 10)
}

func TestARunThatIsStoppedLeavesTheRestToTheNext(t *testing.T) {
	t.Parallel()
	brokers.EachOverTCP(t, testStoppedRun)
}

func testStoppedRun(t *testing.T, b brokers.Broker) {
	if b.Test != nil {
		takesLong(t)
	}
	s := quick(t, b)
	s.conversations = 100
	deleteQueues(t, b, s)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-queue", s.queue, "-n", "100", "-timeout", "700ms")
	cmd.Env = append(os.Environ(), asProgram+"=1", "AMQP_URL="+s.url)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), " to go") && !stopped { // about a second has passed
			stopped = true
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit status 1\n%s", err, &stderr)
	}
	if !strings.Contains(stderr.String(), "still in the queues, for the next run") {
		t.Errorf("it did not say what is left, but:\n%s", &stderr)
	}

	// The next run does both jobs. Its own check says that nothing is left.
	r := runQuick(t, s)
	if r.strangers == 0 {
		t.Error("the second run found nothing that the first had left")
	}
	if r.queues.error != 2*r.errored {
		t.Errorf("%d messages are in the error queue, want twice %d, since both runs had the same jobs",
			r.queues.error, r.errored)
	}
}

func TestWithoutABrokerItSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := settings{url: "amqp://127.0.0.1:1/", queue: "nobody", conversations: 1, rate: 1}
	_, err := run(t.Context(), s, log.New(t.Output(), "", 0))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"connection refused", "Is RabbitMQ running there", "env -u AMQP_URL go run"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it did not say %q, but: %v", want, err)
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, s := range []settings{{conversations: 0, rate: 1}, {conversations: 1, rate: 0}, {conversations: -1, rate: 1}} {
		if _, err := run(t.Context(), s, log.New(t.Output(), "", 0)); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
