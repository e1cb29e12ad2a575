package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestResultsOfSeveralRuns reads results together only if they can be told of together: the page names one commit, and one
// broker.
func TestResultsOfSeveralRuns(t *testing.T) {
	t.Parallel()
	first := machine{CPU: "fast", Cores: 2, Go: "go1.26", Broker: "RabbitMQ 3.10.8", Commit: "96e8ae8", Load: "0.10", Took: time.Minute}
	again := first
	again.Load, again.Took = "0.20", 2*time.Minute
	changed, other := first, first
	changed.Commit, other.Broker = "a14a2b5", "RabbitMQ 4.3.6"
	for name, test := range map[string]struct {
		second machine
		says   string
	}{
		"twice the same": {again, ""},
		"another commit": {changed, "a14a2b5"},
		"another broker": {other, "4.3.6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "results")
			must(t, save(file, []result{{PerSecond: 1}}, first))
			must(t, save(file, []result{{PerSecond: 2}}, test.second))
			results, m, err := load(file)
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("the error is %v", err)
				}
			case err != nil || len(results) != 2 || m.Load != "0.20":
				t.Errorf("%d results of %v, %v", len(results), m, err)
			}
		})
	}
}
