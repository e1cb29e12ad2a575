package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/bench/internal/page"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// A process of its own is this binary once more.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		main()
	}
	// Most of them wait. As many at once as there are processors would take a minute.
	_ = flag.Set("test.parallel", "8")
	rabbitmq.Main(m)
}

// handled says which scenarios leave nothing in their main queues.
var handled = map[string]bool{
	"consumers": true, "lateness-steady": true, "lateness-parked": true, "storm": true, "memory": true, "ordered": true, "idle": true, "leftovers": true,
}

func TestEveryScenario(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			brokers.EachOverTCP(t, func(t *testing.T, b brokers.Broker) {
				for _, w := range s.all(barely) {
					t.Run(w.By, func(t *testing.T) {
						t.Parallel()
						checkWork(t, b, s, w)
					})
				}
			})
		})
	}
}

// checkWork does the work in a process of its own, and sees that it has found all figures, and lost nothing.
func checkWork(t *testing.T, b brokers.Broker, s *scenario, w work) {
	w.Queue = rabbitmq.Name(t, "bench")
	queues, err := s.prepare(t.Context(), b.URL, w)
	b.Delete(t, queues...)
	if err != nil {
		t.Fatal(err)
	}
	found, err := spawn(t.Context(), options{broker: b.URL}, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.columns {
		v, ok := found[c.figure]
		if !ok && (c.figure != "left" || w.By == warren) {
			t.Errorf("nothing is said about %q", c.head)
		}
		if v < 0 && !slices.Contains([]string{"memory", "heap", "stacks", "resident"}, c.figure) { // of so few messages they are noise
			t.Errorf("%s is %g", c.head, v)
		}
	}
	for _, figure := range []string{"left", "disorder"} {
		if found[figure] != 0 {
			t.Errorf("%s is %g", figure, found[figure])
		}
	}
	if handled[s.name] {
		checkEmpty(t, b, w, queues)
	}
}

// checkEmpty sees that everything was acknowledged.
func checkEmpty(t *testing.T, b brokers.Broker, w work, queues []string) {
	conn, err := b.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, name := range queues {
		if strings.Contains(strings.TrimPrefix(name, w.Queue), "r") { // .error and .retry.…: leftovers has entries there
			continue
		}
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		const durable, autoDelete, exclusive, noWait = true, false, false, false
		q, err := ch.QueueDeclarePassive(name, durable, autoDelete, exclusive, noWait, nil)
		if err != nil {
			t.Fatal(err)
		}
		if q.Messages != 0 {
			t.Errorf("%d messages are left in %s", q.Messages, name)
		}
	}
}

func TestEveryScenarioIsComplete(t *testing.T) {
	names := map[string]bool{}
	for _, s := range scenarios() {
		if names[s.name] {
			t.Errorf("there are two scenarios %s", s.name)
		}
		names[s.name] = true
		if s.title == "" || s.about == "" || s.prepare == nil || len(s.bounds) == 0 {
			t.Errorf("%s: something is missing", s.name)
		}
		for _, e := range []extent{fully, quickly, barely} {
			used := map[string]bool{}
			for _, w := range s.all(e) {
				used[w.By] = true
				if s.by[w.By] == nil {
					t.Errorf("%v: nobody does it", w)
				}
				if (w.Size > 0) != (s.size != "") {
					t.Errorf("%v has the size %d, and the scenario calls it %q", w, w.Size, s.size)
				}
			}
			if len(used) != len(s.by) {
				t.Errorf("%s: there are %d ways, and %d are used", s.name, len(s.by), len(used))
			}
		}
	}
}

// Where a mark is missing, ten minutes of measuring would end in an error.
func TestThePageHasAPlaceForEach(t *testing.T) {
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sections := []string{"scale-bounds"}
	for _, s := range scenarios() {
		sections = append(sections, s.section())
	}
	for _, section := range sections {
		if err := page.Replace(file, section, "measured"); err != nil {
			t.Error(err)
		}
	}
}

// What cannot be measured is tried again, told, and the end.
func TestAProcessThatFails(t *testing.T) {
	s := &scenario{name: "unknown", works: func(extent) []work { return []work{{By: warren}} }}
	var told bytes.Buffer
	_, err := measure(t.Context(), options{repeat: 1, broker: "amqp://nobody.invalid/"}, s, &told)
	if err == nil || !strings.Contains(err.Error(), `no scenario does "unknown"`) {
		t.Errorf("the error is %v", err)
	}
	if n := strings.Count(told.String(), "failed, and is repeated"); n != 1 {
		t.Errorf("told: %q", &told)
	}
}

func TestAProcessThatHangsIsKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	_, err := spawn(ctx, options{broker: "amqp://nobody.invalid/"}, work{Scenario: "idle", By: nothing, Wait: 1 << 60})
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the error is %v", err)
	}
}

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		name, broker string
		args         []string
		want         string // in the error
	}{
		{"none", "amqp://h/", nil, ""},
		{"all", "amqp://h/", []string{"-run", "storm|idle", "-quick", "-repeat", "2", "-seed", "7", "-page", "p.md", "-cpuprofile", "d"}, ""},
		{"no broker", "", nil, "AMQP_URL names no broker"},
		{"a word", "amqp://h/", []string{"storm"}, `"storm" is not understood`},
		{"a bad expression", "amqp://h/", []string{"-run", "("}, "-run:"},
		{"less than once", "amqp://h/", []string{"-repeat", "-1"}, "-repeat is -1"},
		{"an unknown flag", "amqp://h/", []string{"-fast"}, "-fast"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("AMQP_URL", c.broker)
			var out bytes.Buffer
			o, err := parse(c.args, &out)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want == "":
				if o.repeat < 1 || o.run == nil || o.broker != c.broker {
					t.Errorf("options are %+v", o)
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}
