package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"
)

// patience is how long one process may take.
const patience = 4 * time.Minute

// result is what one process has found.
type result struct {
	work
	figures
}

// measure does every work of a scenario so many times, in a shuffled order, each in a process of its own.
func measure(ctx context.Context, o options, s *scenario, errs io.Writer) ([]result, error) {
	repeat := o.repeat
	if s.once {
		repeat = 1
	}
	shuffle := mathrand.New(mathrand.NewPCG(o.seed, 0))
	works := s.all(o.extent)
	found := make([][]figures, len(works))
	for round := range repeat {
		for _, i := range shuffle.Perm(len(works)) {
			began := time.Now()
			f, err := attempt(ctx, o, s, works[i])
			if err != nil && ctx.Err() == nil {
				_, _ = fmt.Fprintf(errs, "%v: failed, and is repeated: %v\n", works[i], err)
				f, err = attempt(ctx, o, s, works[i])
			}
			if err != nil {
				return nil, err
			}
			_, _ = fmt.Fprintf(errs, "%v: %d of %d in %.1f s\n", works[i], round+1, repeat, time.Since(began).Seconds())
			found[i] = append(found[i], f)
		}
	}
	var results []result
	for i, w := range works {
		for _, f := range found[i] {
			results = append(results, result{w, f})
		}
	}
	return results, nil
}

// attempt does one work with queues of its own, and deletes them.
func attempt(ctx context.Context, o options, s *scenario, w work) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w.Queue = "bench." + s.name + "." + strings.ToLower(rand.Text()[:10])
	if s.prepare != nil {
		queues, prepared := s.prepare(ctx, o.broker, w)
		defer func() {
			// Not with ctx: they are to go, too, where the process has hung.
			err = errors.Join(err, remove(o.broker, queues))
		}()
		if prepared != nil {
			return nil, fmt.Errorf("prepare %v: %w", w, prepared)
		}
	}
	return spawn(ctx, o, w)
}

// spawn starts this program once more, to do one work.
func spawn(ctx context.Context, o options, w work) (figures, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, program, "-child", string(text), "-cpuprofile", o.profiles) //nolint:gosec // itself
	c.Env = append(os.Environ(), "AMQP_URL="+o.broker)
	c.Stdout, c.Stderr = &out, &errs
	c.WaitDelay = 5 * time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("killed: %w", context.Cause(ctx))
		}
		return nil, fmt.Errorf("%w\n%s", err, bytes.TrimSpace(errs.Bytes()))
	}
	var f figures
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		return nil, fmt.Errorf("%v printed %q: %w", w, out.String(), err)
	}
	return f, nil
}

// profile writes a CPU profile into folder until the function that it returns is called. No folder: no profile.
func profile(folder string, w work) (stop func(), err error) {
	if folder == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // profiles are no secrets
		return nil, err
	}
	name := fmt.Sprintf("%s-%s-%d-%d.pprof", w.Scenario, w.By, w.Size, os.Getpid())
	f, err := os.Create(filepath.Join(folder, strings.ReplaceAll(name, " ", "-")))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
