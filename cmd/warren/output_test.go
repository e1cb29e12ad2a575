package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// hostile has what terminals obey: an escape sequence, C1's CSI, marks of direction, DEL, a character of the supplementary
// planes that is not shown, and bytes that are no UTF-8.
const hostile = "a\x1b[2J\r\n\tb\u009b31m\u202ec\u200b\x7f\U000e0041\xffé漢"

func TestPrintableShowsAndDoesNothingElse(t *testing.T) {
	for text, want := range map[string]string{
		"":       "",
		"plain":  "plain",
		"é漢🐇":    "é漢🐇",
		hostile:  `a\x1b[2J\r\n\tb\u009b31m\u202ec\u200b\x7f\U000e0041\xffé漢`,
		"\ufffd": "\ufffd", // as a character it is harmless
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
	if got, want := printableLines("a\n\tb\x1b"), "a\n\tb"+`\x1b`; got != want {
		t.Errorf("printableLines gives %q", got)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range printable(text) {
			if !harmless(r) && r != utf8.RuneError {
				t.Fatalf("%q keeps %q", text, r)
			}
		}
		printed, err := jsonOf(map[string]string{"text": text}, false)
		must(t, err)
		for _, r := range strings.TrimSuffix(string(printed), "\n") {
			if !harmless(r) && r != utf8.RuneError {
				t.Fatalf("%q keeps %q", printed, r)
			}
		}
		var back map[string]string
		must(t, json.Unmarshal(printed, &back))
		if back["text"] != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Fatalf("%q came back as %q", text, back["text"])
		}
	})
}

func TestJSONStaysTheSameValue(t *testing.T) {
	text, err := jsonOf([]string{hostile, "<&>"}, true)
	must(t, err)
	want := "[\n  \"a\\u001b[2J\\r\\n\\tb\\u009b31m\\u202ec\\u200b\\u007f\\udb40\\udc41\\ufffdé漢\",\n  \"<&>\"\n]\n"
	if string(text) != want {
		t.Errorf("%s", text)
	}
	var back []string
	must(t, json.Unmarshal(text, &back))
	if back[0] != strings.ToValidUTF8(hostile, "\ufffd") {
		t.Errorf("it came back as %q", back[0])
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{{"漢字漢字", 4, "漢字漢字"}, {"漢字漢字", 3, "漢字…"}, {"abc", 1, "…"}, {"abc", 0, "abc"}, {"", 3, ""}} {
		if got := cut(c.text, c.most); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

func TestColumnsStandBelowEachOtherInColoursToo(t *testing.T) {
	printed := func(colours bool) string {
		var b bytes.Buffer
		table := output{Writer: &b, colours: colours}.newTable("ID", "ERROR")
		table.row(red, "17", "bad\nline")
		table.row(plain, "1234567", "x")
		must(t, table.end())
		return b.String()
	}
	if got, want := printed(false), "ID       ERROR\n17       bad\\nline\n1234567  x\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	coloured := printed(true)
	bare := strings.NewReplacer("\x1b[90m", "", "\x1b[31m", "", "\x1b[39m", "", "\x1b[0m", "").Replace(coloured)
	if bare != printed(false) || !strings.Contains(coloured, "\x1b[31m17\x1b[0m") {
		t.Errorf("with colours it is %q", coloured)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %q", n, got)
		}
	}
	if got := count(1, "entry", "entries") + ", " + count(2000, "entry", "entries"); got != "1 entry, 2,000 entries" {
		t.Error(got)
	}
	for d, want := range map[time.Duration]string{
		5 * time.Millisecond: "5ms", 59*time.Second + 999*time.Millisecond: "59s", 61 * time.Second: "1m01s",
		3*time.Hour + 4*time.Minute + 59*time.Second: "3h04m", 50 * time.Hour: "2d02h", -time.Minute: "-1m00s",
	} {
		if got := inShort(d); got != want {
			t.Errorf("inShort(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestProgressTellsRateAndRemainingTime(t *testing.T) {
	for _, c := range []struct {
		done, total int
		took        time.Duration
		want        string
	}{
		{0, 5000, time.Second, "replayed 0 of 5,000"},
		{1200, 40_000, 24 * time.Second, "replayed 1,200 of 40,000, 50/s, 12m56s left"},
		{3, 5, 2 * time.Second, "replayed 3 of 5, 1.5/s, 1s left"},
		{500, 0, 5 * time.Second, "replayed 500, 100/s"},
		{5, 5, 2 * time.Second, "replayed 5 of 5, 2.5/s"},
	} {
		if got := progressLine("replayed", c.done, c.total, c.took); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}

	var b bytes.Buffer
	p := newProgress(&b, "moved")
	for second := range 25 {
		p.show(second, 25, time.Duration(second)*time.Second, nil)
	}
	p.end()
	if got, want := b.String(), "moved 10 of 25, 1.0/s, 15s left\nmoved 20 of 25, 1.0/s, 5s left\n"; got != want {
		t.Errorf("where there is no terminal it says\n%s", got)
	}

	b.Reset()
	p = &progress{w: &b, deed: "moved", terminal: true}
	p.show(1, 2, time.Second, nil)
	p.end()
	if got, want := b.String(), "\r\x1b[Kmoved 1 of 2, 1.0/s, 1s left\r\x1b[K"; got != want {
		t.Errorf("on a terminal it says %q", got)
	}

	b.Reset()
	p = newProgress(&b, "moved")
	alarm := errors.New("the broker takes no messages: low on memory")
	p.show(1, 2, time.Second, nil)
	p.show(1, 2, 2*time.Second, alarm) // at once
	p.show(1, 2, 3*time.Second, alarm)
	p.show(1, 2, 4*time.Second, nil)
	if got, want := b.String(), "moved 1, and waits: the broker takes no messages: low on memory\nmoved 1 of 2, 0.2/s, 4s left\n"; got != want {
		t.Errorf("under an alarm it says\n%s", got)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		says string
	}{
		{nil, exitDone, ""},
		{errors.New("no\x1b[2J"), exitFailed, "warren: no\\x1b[2J\n"},
		{usageError{errors.New("what?")}, exitUsage, "warren: what?\nwarren --help"},
		{leftError{}, exitLeft, ""},
		{leftError{errors.New("2 entries failed")}, exitLeft, "warren: 2 entries failed\n"},
	} {
		root := rootCommand()
		var said bytes.Buffer
		root.SetErr(&said)
		if code := exitCode(root, c.err); code != c.code || !strings.HasPrefix(said.String(), c.says) || c.says == "" && said.Len() > 0 {
			t.Errorf("%v: %d, %q", c.err, code, said.String())
		}
	}
}
