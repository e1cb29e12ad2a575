package retry_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/retry"
)

func TestParseReadsWhatAPersonWrites(t *testing.T) {
	for text, want := range map[string]retry.Policy{
		"none":                       retry.None(),
		" none() ":                   retry.None(),
		"steps()":                    retry.None(),
		"fixed(3, 1m0s)":             {},
		"fixed(3,1m)":                {},
		"\tfixed ( 3 , 60s )\n":      {},
		"fixed(0, 1s)":               retry.Fixed(0, sec),
		"linear(4, 10s, 0s)":         retry.Linear(4, 10*sec, 0),
		"linear(4, 10s, 0)":          retry.Linear(4, 10*sec, 0),
		"exponential(5, 1s, 1h)":     retry.Exponential(5, sec, hour),
		"exponential(5, 1s, 1h0m0s)": retry.Exponential(5, sec, hour),
		"steps(1s)":                  retry.Steps(sec),
		"steps( 1s,30s , 1h)":        retry.Steps(sec, 30*sec, hour),
		"fixed(1, 1.5s)":             retry.Fixed(1, 1500*ms),
	} {
		got, err := retry.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseRefusesTheRestAndSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		"":                              `parse retry policy "": want none, or a name with arguments`,
		"fixed":                         "want none, or a name with arguments",
		"fixed(3, 1m":                   "want none, or a name with arguments",
		"3, 1m)":                        "want none, or a name with arguments",
		"fixed(3, 1m) # note":           "want none, or a name with arguments",
		"(3, 1m)":                       "want none, fixed, linear, exponential or steps",
		"Fixed(3, 1m)":                  "want none, fixed, linear, exponential or steps",
		"none(1)":                       "none has no arguments",
		"fixed()":                       "want 2 arguments (n, wait), have 0",
		"fixed(3)":                      "want 2 arguments (n, wait), have 1",
		"fixed(3, 1m, 2m)":              "want 2 arguments (n, wait), have 3",
		"exponential(3, 1s)":            "want 3 arguments (n, first, limit), have 2",
		"fixed(x, 1m)":                  `n is "x", must be a whole number`,
		"fixed(1.5, 1m)":                `n is "1.5", must be a whole number`,
		"fixed(99999999999999999999,1)": "must be a whole number",
		"fixed(3, 60)":                  `"60" is not a duration such as 1s`,
		"steps(1s,)":                    `"" is not a duration`,
		"steps(1s, 1h 30m)":             `"1h 30m" is not a duration`,
		"fixed(3, fixed(3, 1m))":        "want 2 arguments",
		"fixed(-1, 1m)":                 `parse retry policy "fixed(-1, 1m)": retry.Fixed: n is -1, must not be negative`,
		"exponential(3, 1m, 1s)":        "retry.Exponential: limit is 1s, must not be below first",
	} {
		got, err := retry.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v\nwant %s", text, got, err, want)
		}
		if got != (retry.Policy{}) {
			t.Errorf("Parse(%q) returned %v beside its error", text, got)
		}
	}
}

func TestAParseErrorIsShortHoweverLongTheText(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for _, text := range []string{long, "fixed(" + long + ", 1s)", "steps(" + long + ")"} {
		if _, err := retry.Parse(text); err == nil || len(err.Error()) > 400 {
			t.Errorf("error of %d bytes", len(err.Error()))
		}
	}
}

func TestAPolicyTravelsThroughConfiguration(t *testing.T) {
	type settings struct {
		Retry retry.Policy `json:"retry"`
	}
	for _, policy := range []retry.Policy{
		{}, retry.None(), retry.Fixed(7, 90*sec), retry.Linear(3, sec, minute), retry.Exponential(5, sec, hour), retry.Steps(sec, minute, sec),
	} {
		text, err := json.Marshal(settings{policy})
		if err != nil {
			t.Fatal(err)
		}
		var got settings
		if err := json.Unmarshal(text, &got); err != nil || got.Retry != policy {
			t.Errorf("%s became %v, %v", text, got.Retry, err)
		}
	}
}

func TestATextThatIsRefusedChangesNothing(t *testing.T) {
	policy := retry.Fixed(7, sec)
	if err := policy.UnmarshalText([]byte("fixed(3, never)")); err == nil || policy != retry.Fixed(7, sec) {
		t.Errorf("%v, %v", policy, err)
	}
}

func FuzzPolicyParse(f *testing.F) {
	for _, text := range []string{
		"", "none", "none()", "fixed(3, 1m)", "fixed(3, 1m0s)", "linear(4, 10s, 0)", "exponential(5, 1s, 1h0m0s)", "steps(1s, 30s)",
		"steps()", "fixed(-1, 1s)", "fixed(9223372036854775807, 1ms)", "exponential(1, 1s, 2562047h47m16.854775807s)", "fixed((3, 1m))",
		"fixed(+3,\u00a01.5s)", "steps(1s,,1s)", "fixed(1, 4294967295ms)",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		policy, err := retry.Parse(text)
		if err != nil {
			return
		}
		if err := policy.Validate(); err != nil {
			t.Fatalf("Parse(%q) let pass: %v", text, err)
		}
		again, err := retry.Parse(policy.String())
		if err != nil || again != policy {
			t.Fatalf("%q became %v, then %v, %v", text, policy, again, err)
		}
	})
}

// FuzzPolicyRoundTrip holds that text keeps every valid policy, and that the two ways to count its waits agree.
func FuzzPolicyRoundTrip(f *testing.F) {
	f.Add(uint8(0), 3, int64(time.Minute), int64(0))
	f.Add(uint8(1), 16, int64(time.Second), int64(0))
	f.Add(uint8(2), 40, int64(time.Millisecond), int64(time.Hour))
	f.Add(uint8(3), 2, int64(time.Second), int64(time.Millisecond))
	f.Fuzz(func(t *testing.T, shape uint8, n int, first, limit int64) {
		a, b := time.Duration(first), time.Duration(limit)
		policy := [...]retry.Policy{retry.Fixed(n, a), retry.Linear(n, a, b), retry.Exponential(n, a, b), retry.Steps(a, b, a)}[shape%4]
		waits := policy.Waits()
		if policy.Validate() != nil {
			return
		}
		if again, err := retry.Parse(policy.String()); err != nil || again != policy {
			t.Fatalf("%v became %v, %v", policy, again, err)
		}
		seen := map[time.Duration]bool{}
		for failed := 1; failed <= min(policy.Retries(), 100); failed++ {
			wait, ok := policy.Wait(failed)
			if !ok || wait < ms || wait > (1<<32-1)*ms || wait%ms != 0 {
				t.Fatalf("%v: Wait(%d) = %v, %v", policy, failed, wait, ok)
			}
			seen[wait] = true
		}
		for _, wait := range waits {
			if !seen[wait] && policy.Retries() <= 100 {
				t.Fatalf("%v declares %v and never uses it", policy, wait)
			}
			delete(seen, wait)
		}
		if len(seen) > 0 {
			t.Fatalf("%v uses %v without declaring them", policy, seen)
		}
	})
}
