package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// TestMain lets the test binary be the child that a parent under test spawns.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		os.Exit(program())
	}
	rabbitmq.Main(m)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestArgumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"-set", "huge"}, `"huge"`},
		{[]string{"-run", "("}, "-run"},
		{[]string{"-run", "nothing is called so"}, "no case of the default set"},
		{[]string{"-reps", "-1"}, "negative"},
		{[]string{"-n", "-1"}, "negative"},
		{[]string{"consume"}, `"consume"`},
		{[]string{"-child", "{"}, "-child"},
		{[]string{"-child", `{"duty":"consume","size":256,"variant":"by-magic"}`}, "no such variant"},
		{[]string{"-load", "/nonexistent"}, "/nonexistent"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			t.Parallel()
			o, err := parse(test.args, io.Discard)
			switch {
			case err != nil:
			case o.child != "" || o.load != "":
				err = run(t.Context(), test.args, io.Discard, io.Discard)
			default:
				_, err = o.cases()
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("said %v, want %q", err, test.says)
			}
		})
	}
	if _, err := parse([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestWithoutABroker(t *testing.T) {
	t.Setenv("AMQP_URL", "")
	if err := run(context.Background(), nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "AMQP_URL") {
		t.Errorf("said %v", err)
	}
	t.Setenv("AMQP_URL", "amqp://user:hidden%zz@127.0.0.1/")
	if err := run(context.Background(), nil, io.Discard, io.Discard); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("said %v", err)
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	for set, reps := range map[string]int{"quick": 2, "default": 5, "full": 5} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			o, err := parse([]string{"-set", set}, io.Discard)
			must(t, err)
			if o.reps != reps {
				t.Errorf("%d repetitions, want %d", o.reps, reps)
			}
			cases, err := o.cases()
			must(t, err)
			names := map[string]bool{}
			duties := map[duty]bool{}
			for _, w := range cases {
				if names[w.String()] {
					t.Errorf("%s is there twice", w)
				}
				names[w.String()], duties[w.Duty] = true, true
				if w.N == 0 && w.Duty != resting {
					t.Errorf("%s measures nothing", w)
				}
				for _, v := range variants(w.Duty) {
					if strings.HasSuffix(v.name, "-on") != v.on && v.name != "raw-on-again" {
						t.Errorf("%s, %s: the name does not say what is on", w, v.name)
					}
				}
			}
			if len(duties) != 6 {
				t.Errorf("duties: %v", duties)
			}
		})
	}
	o, err := parse([]string{"-run", "^(latency|rest)/quorum", "-n", "7"}, io.Discard)
	must(t, err)
	cases, err := o.cases()
	must(t, err)
	for _, w := range cases {
		if w.Duty == delaying && w.N != 7 || w.Duty == resting && w.For == 0 || w.Duty != delaying && w.Duty != resting {
			t.Errorf("%+v", w)
		}
	}
	if len(cases) != 3 {
		t.Errorf("%d cases", len(cases))
	}
}

// TestComparisons holds the tables together: what is compared must be there to be measured.
func TestComparisons(t *testing.T) {
	t.Parallel()
	for _, c := range comparisons {
		for _, name := range []string{c.of, c.to} {
			if !slices.ContainsFunc(variants(c.duty), func(v variant) bool { return v.name == name }) {
				t.Errorf("%s has no variant %s", c.duty, name)
			}
		}
	}
}

func TestShuffled(t *testing.T) {
	t.Parallel()
	order := func(round int, seed uint64) string {
		var b strings.Builder
		for _, j := range shuffled(quickSet(), round, seed) {
			if j.Round != round {
				t.Errorf("%s is in round %d, not %d", j, j.Round, round)
			}
			b.WriteString(j.String() + "\n")
		}
		return b.String()
	}
	sorted := func(s string) string {
		lines := strings.SplitAfter(s, "\n")
		slices.Sort(lines)
		return strings.Join(slices.Compact(lines), "")
	}
	first := order(0, 1)
	if n := strings.Count(first, "\n"); n != 7+5+5+7+3+3 {
		t.Errorf("%d jobs", n)
	}
	for name, other := range map[string]string{"round": order(1, 1), "seed": order(0, 2)} {
		if other == first || sorted(other) != sorted(first) {
			t.Errorf("another %s must have the same jobs in another order:\n%s\n%s", name, first, other)
		}
	}
	if order(0, 1) != first {
		t.Error("the same seed gave another order")
	}
}
