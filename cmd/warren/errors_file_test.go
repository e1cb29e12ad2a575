package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// files are the names and contents in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	found := map[string]string{}
	for _, f := range list {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		found[f.Name()] = string(text)
	}
	return found
}

func TestAFileAppearsWhenItIsComplete(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "out.jsonl")
	begin := func(force bool, text string) *sink {
		s, err := newSink(name, io.Discard, force)
		must(t, err)
		_, err = s.WriteString(text)
		must(t, err)
		return s
	}
	expect := func(when, want string) {
		t.Helper()
		if got := files(t, dir); want == "" && len(got) != 0 || want != "" && (len(got) != 1 || got["out.jsonl"] != want) {
			t.Errorf("%s: %q", when, got)
		}
	}

	s := begin(false, "half")
	must(t, s.Flush())
	if _, err := os.Stat(name); err == nil {
		t.Error("it is there before it is complete")
	}
	s.abandon()
	expect("abandoned", "")

	s = begin(false, "first")
	must(t, s.keep())
	s.abandon()
	expect("kept", "first")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}

	s = begin(true, "half")
	s.abandon()
	expect("abandoned, and there is an older one", "first")

	s = begin(true, "second")
	must(t, s.keep())
	s.abandon()
	expect("replaced", "second")

	must(t, os.Remove(name))
	s = begin(false, "late")
	must(t, os.WriteFile(name, []byte("of somebody else"), 0o600))
	if s.keep() == nil {
		t.Error("it has replaced a file that came meanwhile")
	}
	s.abandon()
	expect("there is one of somebody else", "of somebody else")
}

func TestAFileThatIsThereIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	regular := filepath.Join(dir, "there")
	must(t, os.WriteFile(regular, nil, 0o600))
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(regular, link))
	for _, c := range []struct {
		name  string
		force bool
	}{{regular, false}, {dir, true}, {link, true}, {os.DevNull, true}, {filepath.Join(dir, "no", "folder"), false}} {
		if s, err := newSink(c.name, io.Discard, c.force); err == nil {
			s.abandon()
			t.Errorf("%s is taken", c.name)
		}
	}
	if n := len(files(t, dir)); n != 2 {
		t.Errorf("there are %d files", n)
	}
}
