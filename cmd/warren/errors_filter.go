package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/errorqueue/where"
)

// filterFlags say which entries are meant.
type filterFlags struct {
	ids, reasons, types, fingerprints, headers []string

	error, since, until, attempts, where string
}

const helpFilter = `Entries are chosen by flags. All that are given must hold; one that is repeated holds if
any of its values does. --where takes an expression, such as

    reason == "exhausted" && body.amount > 100 && age > duration("2h")

with the names that --json prints, and body for what the body says. An entry that an
expression cannot judge, since its body has not what is asked for, is reported, and left
alone.`

func (f *filterFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.ids, "id", nil, "message `ID`, as ls prints it")
	flags.StringArrayVar(&f.reasons, "reason", nil, "`REASON`: exhausted, rejected, undecodable, invalid, crashed, expired, delivery_limit, ...")
	flags.StringVar(&f.error, "error", "", "`TEXT` in the error or its type, regardless of case")
	flags.StringArrayVar(&f.types, "type", nil, "`TYPE` of the message")
	flags.StringArrayVar(&f.fingerprints, "fingerprint", nil, "`FINGERPRINT` of the failure, as groups prints it")
	flags.StringVar(&f.since, "since", "", "last failed since that `TIME`: an age such as 2h or 3d, or 2026-11-22T10:00")
	flags.StringVar(&f.until, "until", "", "last failed before that `TIME`")
	flags.StringVar(&f.attempts, "attempts", "", "`NUMBER` of attempts: 4, '>=3', '<10', 3-9")
	flags.StringArrayVar(&f.headers, "header", nil, "`NAME=VALUE` of a header")
	flags.StringVar(&f.where, "where", "", "`EXPRESSION` over the entry and its body")
}

// filter is what the flags of a command say.
func (f *filterFlags) filter(cmd *cobra.Command, b *bodyFlags) (errorqueue.Filter, error) {
	filter, err := f.parse(cmd.Flags(), b, time.Now())
	if err != nil {
		return filter, usageError{err}
	}
	return filter, nil
}

func (f *filterFlags) parse(flags *pflag.FlagSet, b *bodyFlags, now time.Time) (filter errorqueue.Filter, err error) {
	// A variable of a script that is not set must not widen a filter.
	for _, name := range []string{"id", "reason", "error", "type", "fingerprint", "since", "until", "attempts", "header", "where"} {
		flag := flags.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if strings.TrimSpace(value) == "" {
				return filter, fmt.Errorf("--%s is empty", name)
			}
		}
	}
	filter.IDs, filter.Reasons, filter.Types, filter.Fingerprints = f.ids, f.reasons, f.types, f.fingerprints
	filter.Error = f.error
	if filter.Since, err = moment(f.since, now); err != nil {
		return filter, fmt.Errorf("--since: %w", err)
	}
	if filter.Until, err = moment(f.until, now); err != nil {
		return filter, fmt.Errorf("--until: %w", err)
	}
	if !filter.Until.IsZero() && !filter.Since.Before(filter.Until) {
		return filter, errors.New("--since is not before --until")
	}
	if filter.MinAttempts, filter.MaxAttempts, err = span(f.attempts); err != nil {
		return filter, fmt.Errorf("--attempts: %w", err)
	}
	for _, header := range f.headers {
		name, value, found := strings.Cut(header, "=")
		if !found || name == "" {
			return filter, fmt.Errorf("--header: %q is not NAME=VALUE", header)
		}
		if filter.Headers == nil {
			filter.Headers = map[string]string{}
		}
		filter.Headers[name] = value
	}
	if f.where != "" {
		filter.MatchText = f.where
		filter.Match, err = where.Parse(f.where, where.Config{Decode: b.whereDecoder()})
		if err != nil {
			return filter, fmt.Errorf("--where: %w", err)
		}
	}
	return filter, nil
}

// given says whether any of the flags is.
func (f *filterFlags) given() bool {
	return len(f.ids)+len(f.reasons)+len(f.types)+len(f.fingerprints)+len(f.headers) > 0 ||
		f.error+f.since+f.until+f.attempts+f.where != ""
}

// moment reads a time: an age, counted back from now, or a date with or without a time of day, in this place's zone
// unless it names one. Nothing is the zero time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if age, err := where.ParseDuration(text); err == nil {
		if age < 0 {
			return time.Time{}, fmt.Errorf("%q is in the future", text)
		}
		return now.Add(-age), nil
	}
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither an age, such as 90s, 2h or 3d, nor a time, such as 2026-11-22 or 2026-11-22T10:00", text)
}

// span reads numbers of attempts: "4", ">=3", ">3", "<=9", "<10", "3-9". 0 is no bound.
func span(text string) (least, most int, err error) {
	number := func(s string) int {
		n, e := strconv.Atoi(strings.TrimSpace(s))
		if e != nil || n < 1 || n > 1_000_000 {
			err = fmt.Errorf("%q is not a number of attempts, such as 4, '>=3', '<10' or 3-9", text)
		}
		return n
	}
	if text == "" {
		return 0, 0, nil
	}
	for _, sign := range []string{">=", "<=", ">", "<"} {
		rest, found := strings.CutPrefix(text, sign)
		if !found {
			continue
		}
		switch n := number(rest); sign {
		case ">=":
			return n, 0, err
		case ">":
			return n + 1, 0, err
		case "<=":
			return 0, n, err
		default:
			if n == 1 {
				err = errors.New("for entries that do not tell their attempts use --where 'attempts == 0'")
			}
			return 0, n - 1, err
		}
	}
	if low, high, found := strings.Cut(text, "-"); found {
		least, most = number(low), number(high)
		if err == nil && least > most {
			err = fmt.Errorf("%d is more than %d", least, most)
		}
		return least, most, err
	}
	n := number(text)
	return n, n, err
}
