//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/topology"
)

// listening is the URL of a broker that other processes can reach.
func listening(t *testing.T) string {
	t.Helper()
	b := rabbittest.New(t)
	_, err := b.Listen("127.0.0.1:0")
	must(t, err)
	return b.URL()
}

// TestRun is the whole program, with children that are this test binary.
func TestRun(t *testing.T) {
	t.Setenv("AMQP_URL", listening(t))
	folder := t.TempDir()
	results := filepath.Join(folder, "results")
	var out, log bytes.Buffer
	must(t, run(t.Context(), []string{"-set", "quick", "-run", "^(consume|latency)", "-n", "100", "-save", results}, &out, &log))
	for _, want := range []string{"raw-each-again", "warren-on", "≥ 1.30", "latency/quorum/256B/rate=500", "| 200 ", "RabbitMQ", "amqp091-go"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables have no %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "retry/") || strings.Contains(log.String(), "fail") {
		t.Errorf("%s\n%s", &out, &log)
	}

	// The same results make the same tables, and fit the page.
	text, err := os.ReadFile("../docs/performance.md")
	must(t, err)
	page := filepath.Join(folder, "performance.md")
	must(t, os.WriteFile(page, text, 0o600))
	var again bytes.Buffer
	must(t, run(t.Context(), []string{"-load", results, "-page", page}, &again, &log))
	if again.String() != out.String() {
		t.Errorf("loaded:\n%s\nmeasured:\n%s", &again, &out)
	}
	text, err = os.ReadFile(page)
	must(t, err)
	for section := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n\n") {
		if !strings.Contains(string(text), section) {
			t.Errorf("the page lacks\n%s", section)
		}
	}
}

// TestThePageHasAllMarks looks for the places of all sections, also of those that TestRun does not measure.
func TestThePageHasAllMarks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/performance.md")
	must(t, err)
	for _, name := range []string{"ratios-machine", "ratios", "ratios-latency", "ratios-rest", "ratios-measures"} {
		for _, mark := range []string{"<!-- begin " + name + " -->", "<!-- end " + name + " -->"} {
			if strings.Count(string(text), mark) != 1 {
				t.Errorf("%s is not there once", mark)
			}
		}
	}
}

// TestChildrenThatFail lets a shell be the child.
func TestChildrenThatFail(t *testing.T) {
	t.Parallel()
	url := listening(t)
	self, err := os.Executable()
	must(t, err)
	marker := filepath.Join(t.TempDir(), "ran")
	for _, test := range []struct {
		name, script string
		longest      time.Duration
		results      int
		says         []string // in the log
	}{
		{"always", "echo broken >&2; exit 3", longest, 0, []string{"failed, and is repeated: exit status 3: broken", "failed again: exit status 3: broken"}},
		{"once", "[ -e " + marker + " ] && exec " + self + ` "$@"; touch ` + marker + "; exit 3", longest, 1, []string{"failed, and is repeated: exit status 3"}},
		{"by hanging", "exec sleep 60", time.Second, 0, []string{"failed, and is repeated: killed after 1s", "failed again: killed after 1s"}},
		{"by silence", "exit 0", longest, 0, []string{"is none"}},
		{"by idleness", `echo {}`, longest, 0, []string{"messages, not"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			p := parent{broker: broker{url, 100 * time.Millisecond}, program: []string{"/bin/sh", "-c", test.script, "sh"}, longest: test.longest, log: &log}
			j := job{workload: workload{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 10, N: 20}, Variant: "raw-each"}
			r, err := p.twice(t.Context(), j)
			if (err == nil) != (test.results == 1) || err == nil && r.PerSecond <= 0 {
				t.Errorf("%+v, %v", r, err)
			}
			for _, want := range test.says {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %q:\n%s", want, &log)
				}
			}
			if n := strings.Count(log.String(), "\n"); test.results == 1 && n != 1 {
				t.Errorf("%d lines:\n%s", n, &log)
			}
		})
	}
}

// TestNothingStays looks for the queues of a job that has failed.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	url := listening(t)
	var log bytes.Buffer
	p := parent{broker: broker{url, 100 * time.Millisecond}, program: []string{"/bin/false"}, longest: longest, log: &log}
	j := job{workload: workload{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 10, N: 20}, Variant: "raw-each"}
	if _, err := p.once(t.Context(), j); err == nil {
		t.Fatal("a child that does nothing has a result")
	}
	conn, err := amqp.Dial(url)
	must(t, err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(t, err)
	if _, err := ch.QueueDeclarePassive(p.last, true, false, false, false, nil); err == nil {
		t.Error("the main queue is still there")
	}
}
