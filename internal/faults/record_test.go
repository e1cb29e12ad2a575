//go:build linux || darwin

package faults_test

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/faults"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// shown is what the runs of this process have shown, for the table.
var shown struct {
	sync.Mutex
	faults.Column
}

// record notes the outcome of a run, and fails the test if it is not as promised. The control's promise is to lose.
func record(t *testing.T, node *rabbitmq.Node, name string, control bool, v faults.Verdict) {
	t.Helper()
	t.Logf("RabbitMQ %s, %s: %d published, %d lost, %d duplicated, %d in the error queue, longest pause %v, back after %v",
		node.Version(), name, v.Confirmed, len(v.Lost), v.Duplicated, v.Errored, v.Gap.Round(time.Millisecond), v.Back.Round(time.Millisecond))
	if err := v.Err(); err != nil && !control {
		t.Error(err)
	}
	shown.Lock()
	defer shown.Unlock()
	shown.Version = node.Version()
	shown.Add(name, control, v)
	publishTable(t)
}

// noteFailure notes a test that has failed for any other reason than its verdict.
func noteFailure(t *testing.T, node *rabbitmq.Node, name string) {
	if !t.Failed() {
		return
	}
	shown.Lock()
	defer shown.Unlock()
	shown.Version = node.Version()
	shown.Fail(name, "the test has failed, and says why")
	publishTable(t)
}

// publishTable brings the table up to date, if that was asked for: after each run, so that what a long one has shown is
// there if it is broken off. The caller has locked it.
func publishTable(t *testing.T) {
	t.Helper()
	if *report == "" {
		return
	}
	shown.Build = build()
	shown.Date = time.Now().UTC().Format(time.DateOnly)
	shown.Machine = fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	if err := faults.Update(*report, shown.Column, rowOrder()); err != nil {
		t.Error(err)
	}
}

// build names the commit that is run, and says so if there is more than that. What the bench itself writes does not count.
var build = sync.OnceValue(func() string {
	commit, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "no commit: " + err.Error()
	}
	name := "commit " + strings.TrimSpace(string(commit))
	changes, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(top,exclude)docs/faults.*").Output()
	switch {
	case err != nil:
		name += ", and perhaps changes: " + err.Error()
	case len(changes) > 0:
		name += ", with changes"
	}
	return name
})
