package retry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String writes the policy as it would be called, in lower case: "fixed(3, 1m0s)", "linear(4, 10s, 0s)",
// "exponential(5, 1s, 1h0m0s)", "steps(1s, 30s, 10m0s)", "none". [Parse] reads it back.
func (p Policy) String() string {
	p = p.orDefault()
	switch p.shape {
	case unset, steps:
		// Below.
	case fixed:
		return fmt.Sprintf("fixed(%d, %v)", p.retries, p.first)
	case linear:
		return fmt.Sprintf("linear(%d, %v, %v)", p.retries, p.first, p.limit)
	case exponential:
		return fmt.Sprintf("exponential(%d, %v, %v)", p.retries, p.first, p.limit)
	}
	if p.retries == 0 {
		return "none"
	}
	waits := make([]string, p.retries)
	for i := range waits {
		waits[i] = p.step(i).String()
	}
	return "steps(" + strings.Join(waits, ", ") + ")"
}

// MarshalText writes the policy as [Policy.String] does, for configuration files. It never fails; a policy that
// Validate refuses is written, too, and refused when it is read.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what [Parse] reads. If that fails, p stays as it was.
func (p *Policy) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// Parse reads a policy from text, such as a configuration file has:
//
//	none
//	fixed(n, wait)
//	linear(n, step, limit)
//	exponential(n, first, limit)
//	steps(wait, wait, ...)
//
// Names are in lower case, every argument must be there, and a limit of 0 is none. Waits are written as
// [time.ParseDuration] reads them: 90s, 1m30s, 1h. Spaces are allowed around names, arguments, commas and parentheses.
// The policy has been validated. Empty text is an error, not the default.
func Parse(text string) (Policy, error) {
	p, err := parse(text)
	if err == nil {
		err = p.Validate()
	}
	if err != nil {
		return Policy{}, fmt.Errorf("parse retry policy %s: %w", quoted(text), err)
	}
	return p, nil
}

// parse reads the text and does not validate.
func parse(text string) (Policy, error) {
	text = strings.TrimSpace(text)
	if text == "none" {
		return None(), nil
	}
	name, list, ok := strings.Cut(text, "(")
	list, closed := strings.CutSuffix(list, ")")
	if !ok || !closed {
		return Policy{}, errors.New("want none, or a name with arguments, as in fixed(3, 1m)")
	}
	var args []string
	if strings.TrimSpace(list) != "" {
		args = strings.Split(list, ",")
	}
	switch name = strings.TrimSpace(name); name {
	case "none":
		if len(args) > 0 {
			return Policy{}, errors.New("none has no arguments")
		}
		return None(), nil
	case "fixed":
		n, waits, err := parseArguments(args, "wait")
		return Fixed(n, waits[0]), err
	case "linear":
		n, waits, err := parseArguments(args, "step", "limit")
		return Linear(n, waits[0], waits[1]), err
	case "exponential":
		n, waits, err := parseArguments(args, "first", "limit")
		return Exponential(n, waits[0], waits[1]), err
	case "steps":
		waits, err := parseWaits(args)
		return Steps(waits...), err
	}
	return Policy{}, errors.New("want none, fixed, linear, exponential or steps")
}

// parseArguments reads n and then one wait for each of the names, of which there are at most two.
func parseArguments(args []string, names ...string) (n int, waits [2]time.Duration, err error) {
	if len(args) != 1+len(names) {
		return 0, waits, fmt.Errorf("want %d arguments (n, %s), have %d", 1+len(names), strings.Join(names, ", "), len(args))
	}
	n, err = strconv.Atoi(strings.TrimSpace(args[0]))
	if err != nil {
		return 0, waits, fmt.Errorf("n is %s, must be a whole number", quoted(args[0]))
	}
	parsed, err := parseWaits(args[1:])
	copy(waits[:], parsed)
	return n, waits, err
}

// parseWaits reads each argument as a duration. Without any it returns an empty slice.
func parseWaits(args []string) ([]time.Duration, error) {
	waits := make([]time.Duration, len(args))
	for i, arg := range args {
		wait, err := time.ParseDuration(strings.TrimSpace(arg))
		if err != nil {
			return nil, fmt.Errorf("%s is not a duration such as 1s, 90s or 1h30m", quoted(arg))
		}
		waits[i] = wait
	}
	return waits, nil
}

// quoted quotes text for an error, and cuts it if it is long.
func quoted(text string) string {
	const most = 60
	text = strings.TrimSpace(text)
	if len(text) > most {
		return strconv.Quote(text[:most]) + "..."
	}
	return strconv.Quote(text)
}
