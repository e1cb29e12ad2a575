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
	"slices"
	"strings"
	"time"
)

// longest is how long a job may take. It is killed then.
const longest = time.Minute

// parent runs jobs, each in a process of its own.
type parent struct {
	broker  broker
	program []string // and its first arguments
	reps    int
	seed    uint64
	longest time.Duration
	log     io.Writer

	last string // the main queue of the job that began last
}

func newParent(url string, o options, log io.Writer) (*parent, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &parent{broker: broker{url, countLate}, program: []string{self}, reps: o.reps, seed: o.seed, longest: longest, log: log}, nil
}

// run repeats all variants of all cases, in rounds. Each round has an order of its own. A job that fails is told and
// repeated once; the error in the end names those that failed again, or says that ctx ended, beside what there is.
func (p *parent) run(ctx context.Context, cases []workload) ([]result, error) {
	var all []result
	var failed []error
	for round := range p.reps {
		jobs := shuffled(cases, round, p.seed)
		began := time.Now()
		for _, j := range jobs {
			r, err := p.twice(ctx, j)
			if ctx.Err() != nil {
				return all, errors.Join(append(failed, context.Cause(ctx))...)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("round %d of %s: %w", round+1, j, err))
				continue
			}
			all = append(all, r)
		}
		p.say("round %d of %d: %d jobs in %v", round+1, p.reps, len(jobs), time.Since(began).Round(time.Second))
	}
	return all, errors.Join(failed...)
}

// shuffled are the jobs of a round.
func shuffled(cases []workload, round int, seed uint64) []job {
	var jobs []job
	for _, w := range cases {
		for _, v := range variants(w.Duty) {
			jobs = append(jobs, job{workload: w, Variant: v.name, Round: round})
		}
	}
	r := mathrand.New(mathrand.NewPCG(seed, uint64(round)))
	r.Shuffle(len(jobs), func(i, k int) { jobs[i], jobs[k] = jobs[k], jobs[i] })
	return jobs
}

// twice runs a job, and again if it fails.
func (p *parent) twice(ctx context.Context, j job) (result, error) {
	r, err := p.once(ctx, j)
	if err == nil || ctx.Err() != nil {
		return r, err
	}
	p.say("%s failed, and is repeated: %v", j, err)
	if r, err = p.once(ctx, j); err != nil && ctx.Err() == nil {
		p.say("%s failed again: %v", j, err)
	}
	return r, err
}

// once runs a job on queues of its own.
func (p *parent) once(ctx context.Context, j job) (r result, err error) {
	p.last = fmt.Sprintf("warren.bench.%d.%s", os.Getpid(), rand.Text())
	j.Queue = p.last
	ctx, cancel := context.WithTimeoutCause(ctx, p.longest, fmt.Errorf("killed after %v", p.longest))
	defer cancel()
	defer func() { err = errors.Join(err, p.broker.remove(ctx, &j)) }()
	if err := p.broker.prepare(ctx, &j); err != nil {
		return r, err
	}
	if r, err = p.spawn(ctx, j); err != nil {
		return r, err
	}
	return r, p.broker.check(ctx, &j)
}

// spawn runs a job in a fresh process.
func (p *parent) spawn(ctx context.Context, j job) (r result, err error) {
	text, err := json.Marshal(j)
	if err != nil {
		return r, err
	}
	args := slices.Concat(p.program[1:], []string{"-child", string(text)})
	cmd := exec.CommandContext(ctx, p.program[0], args...) //nolint:gosec // it is this program
	cmd.Env = append(os.Environ(), "AMQP_URL="+p.broker.url)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return r, fmt.Errorf("%w: %s", err, tail(errOut.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("the result of %s is none: %w: %s", j, err, tail(out.String()))
	}
	return r, nil
}

// tail is the end of what a process has said.
func tail(s string) string {
	const most = 2000
	if s = strings.TrimSpace(s); len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

func (p *parent) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.log, "bench: "+format+"\n", args...)
}
