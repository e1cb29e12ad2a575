package warren_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every block of Go in README.md and in docs compiles: as a file of its own or,
// if a comment "compile:" follows it, in the frame that this gives, at BLOCK or
// at the end.
func TestEveryGoBlockOfThePagesCompiles(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	// A module of its own, beside this one.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), fmt.Sprintf(
		"module readme\n\ngo 1.26.0\n\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]s\n", module, root))
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sums))
	for _, page := range append(pages, "README.md") {
		if page == filepath.Join("docs", "faults.md") || page == filepath.Join("docs", "performance.md") {
			continue // tables, written by make faults and make bench
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, source := range blocks(t, page, string(text)) {
			// As a test file, with a file of assembly beside it: so functions
			// without a body compile, and tests, too.
			name := fmt.Sprintf("%s%d", strings.TrimSuffix(filepath.Base(page), ".md"), i+1)
			write(t, filepath.Join(dir, name, "block_test.go"), source)
			write(t, filepath.Join(dir, name, "empty.s"), "")
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "-mod=mod", "./...")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// blocks returns the blocks of Go in a page, each in its frame.
func blocks(t *testing.T, page, text string) (list []string) {
	t.Helper()
	for {
		_, after, found := strings.Cut(text, "```go\n")
		if !found {
			break
		}
		block, after, found := strings.Cut(after, "```\n")
		if !found {
			t.Fatalf("%s: block %d does not end", page, len(list)+1)
		}
		if frame, isFrame := strings.CutPrefix(after, "<!-- compile:\n"); isFrame {
			frame, _, _ = strings.Cut(frame, "-->")
			list = append(list, strings.Replace(frame, "BLOCK", block, 1))
		} else {
			list = append(list, block)
		}
		text = after
	}
	if len(list) < 2 {
		t.Fatalf("%s: found only %d blocks of Go", page, len(list))
	}
	return list
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
