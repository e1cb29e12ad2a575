package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/errorqueue/where"
)

func TestMoments(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	before := time.Local
	time.Local = zone
	t.Cleanup(func() { time.Local = before })
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, zone)
	for text, want := range map[string]time.Time{
		"":                     {},
		"2h":                   now.Add(-2 * time.Hour),
		"3d":                   now.Add(-72 * time.Hour),
		"1d12h":                now.Add(-36 * time.Hour),
		"0s":                   now,
		"2026-11-22":           time.Date(2026, 11, 22, 0, 0, 0, 0, zone),
		"2026-11-22T01:30":     time.Date(2026, 11, 22, 1, 30, 0, 0, zone),
		"2026-11-22 01:30:15":  time.Date(2026, 11, 22, 1, 30, 15, 0, zone),
		"2026-11-22T01:30:00Z": time.Date(2026, 11, 22, 1, 30, 0, 0, time.UTC),
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-2h", "yesterday", "2026-13-01", "22.11.2026", "3 d"} {
		if got, err := moment(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestNumbersOfAttempts(t *testing.T) {
	for text, want := range map[string][2]int{
		"": {}, "4": {4, 4}, ">=3": {3, 0}, ">3": {4, 0}, "<=9": {0, 9}, "<10": {0, 9}, "3-9": {3, 9}, ">= 3": {3, 0},
	} {
		if least, most, err := span(text); err != nil || [2]int{least, most} != want {
			t.Errorf("%q is %d to %d, %v", text, least, most, err)
		}
	}
	for _, text := range []string{"0", "-1", "<1", ">=", "3-", "9-3", "many", "=>3", "3.5", "99999999999999999999"} {
		if least, most, err := span(text); err == nil {
			t.Errorf("%q is %d to %d", text, least, most)
		}
	}
}

func TestFlagsBecomeAFilter(t *testing.T) {
	var f filterFlags
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.add(flags)
	must(t, flags.Parse([]string{
		"--id", "a,b", "--id", "c", "--reason", "exhausted", "--error", "timeout", "--type", "order.created", "--fingerprint", "c0ffee",
		"--since", "2h", "--until", "1h", "--attempts", "3-9", "--header", "tenant=a=b", "--where", "size > 3",
	}))
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	got, err := f.parse(flags, new(bodyFlags), now)
	must(t, err)
	if yes, err := got.Match(errorqueue.Entry{Message: errorqueue.Message{Body: []byte("four")}}); !yes || err != nil {
		t.Errorf("--where says %v, %v", yes, err)
	}
	got.Match = nil
	want := errorqueue.Filter{
		IDs: []string{"a,b", "c"}, Reasons: []string{"exhausted"}, Error: "timeout", Types: []string{"order.created"},
		Fingerprints: []string{"c0ffee"}, Since: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour),
		MinAttempts: 3, MaxAttempts: 9, Headers: map[string]string{"tenant": "a=b"}, MatchText: "size > 3",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !f.given() || new(filterFlags).given() {
		t.Error("it is not told whether flags are given")
	}
}

// What --json prints can be asked for by --where under the same name.
func TestJSONAndWhereHaveTheSameNames(t *testing.T) {
	notThere := []string{"base64", "body_note"} // ways to print a body
	var names []string
	for field := range reflect.TypeFor[entryJSON]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if !slices.Contains(where.Names(), name) && !slices.Contains(notThere, name) {
			t.Errorf("--where does not know %q", name)
		}
	}
	for _, name := range where.Names() {
		if name != "age" && !slices.Contains(names, name) {
			t.Errorf("--json does not have %q", name)
		}
	}
}

func TestQueueNames(t *testing.T) {
	for _, c := range []struct{ queue, flag, main, errorQueue string }{
		{"orders", "", "orders", ""},
		{"orders.error", "", "orders", "orders.error"},
		{"orders-error", "", "orders", "orders-error"},
		{"orders", "failed", "orders", "failed"},
		{"is.error", "failed", "is.error", "failed"},
		{".error", "", ".error", ""},
	} {
		q := queueFlags{errorQueue: c.flag}
		if main, errorQueue := q.names(c.queue); main != c.main || errorQueue != c.errorQueue {
			t.Errorf("%s: %s", fmt.Sprint(c), main+" "+errorQueue)
		}
	}
}
