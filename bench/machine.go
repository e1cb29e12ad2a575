package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine says where and when results come from.
type machine struct {
	CPU    string        `json:"cpu"`
	Cores  int           `json:"cores"`
	System string        `json:"system"`
	Go     string        `json:"go"`
	Client string        `json:"client"`
	Broker string        `json:"broker"`
	Commit string        `json:"commit"`
	Load   string        `json:"load"` // of the last minute, before it began
	Began  time.Time     `json:"began"`
	Took   time.Duration `json:"took"`
}

const unknown = "unknown"

// here is this machine.
func here(ctx context.Context) machine {
	m := machine{
		CPU: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Client: unknown, Commit: commit(ctx), Load: unknown, Began: time.Now().UTC(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/rabbitmq/amqp091-go" {
				m.Client = "amqp091-go " + d.Version
			}
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	return m
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// commit is that of the working directory, with a plus if files of it have changed.
func commit(ctx context.Context) string {
	hash, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return unknown
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(hash)) + "+"
	}
	return strings.TrimSpace(string(hash))
}

func (m *machine) String() string {
	return fmt.Sprintf("%s, %d cores shared by client and broker; %s; %s; %s; %s; commit %s; %s, in %v; load before: %s.",
		m.CPU, m.Cores, m.System, m.Go, m.Client, m.Broker, m.Commit, m.Began.Format("2006-01-02 15:04 UTC"), m.Took, m.Load)
}

// saved is a line of a file of results: one of the two.
type saved struct {
	Machine *machine `json:"machine,omitempty"`
	Result  *result  `json:"result,omitempty"`
}

// save appends results to a file.
func save(file string, results []result, m machine) (err error) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // anyone may read it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	enc := json.NewEncoder(f)
	err = enc.Encode(saved{Machine: &m})
	for i := range results {
		err = errors.Join(err, enc.Encode(saved{Result: &results[i]}))
	}
	return err
}

// like says whether results of the two can be told of together.
func (m *machine) like(n *machine) bool {
	return m.CPU == n.CPU && m.Cores == n.Cores && m.System == n.System && m.Go == n.Go && m.Client == n.Client &&
		m.Broker == n.Broker && m.Commit == n.Commit
}

// load reads what save has written: the results of all runs, and the machine of the last. All must be of the same code on
// the same machine and broker: the report names one.
func load(file string) (results []result, m machine, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, m, err
	}
	defer func() { _ = f.Close() }()
	for d := json.NewDecoder(f); ; {
		var s saved
		switch err := d.Decode(&s); {
		case errors.Is(err, io.EOF):
			return results, m, nil
		case err != nil:
			return nil, m, fmt.Errorf("%s: %w", file, err)
		case s.Machine != nil && m.Commit != "" && !m.like(s.Machine):
			return nil, m, fmt.Errorf("%s has results that do not belong together: of %s and of %s", file, &m, s.Machine)
		case s.Machine != nil:
			m = *s.Machine
		case s.Result != nil:
			results = append(results, *s.Result)
		}
	}
}
