package warren_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryGoBlockInTheReadmeCompiles(t *testing.T) { compile(t, "README.md", 5) }

func TestEveryGoBlockAboutFxCompiles(t *testing.T) { compile(t, "docs/fx.md", 5) }

// compile compiles every block of Go in a page, which has so many of them at
// least: as a file of its own or, if a comment "compile:" follows it, in the
// frame that this gives, at BLOCK or at the end.
func compile(t *testing.T, page string, atLeast int) {
	t.Helper()
	text, err := os.ReadFile(page)
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
	blocks := 0
	rest := string(text)
	for n := 1; ; n++ {
		_, after, found := strings.Cut(rest, "```go\n")
		if !found {
			break
		}
		block, after, found := strings.Cut(after, "```\n")
		if !found {
			t.Fatalf("block %d does not end", n)
		}
		source := block
		if frame, isFrame := strings.CutPrefix(after, "<!-- compile:\n"); isFrame {
			frame, _, _ = strings.Cut(frame, "-->")
			source = strings.Replace(frame, "BLOCK", block, 1)
		}
		// As a test file, with a file of assembly beside it: so functions
		// without a body compile, and tests, too.
		write(t, filepath.Join(dir, fmt.Sprintf("block%d", n), "block_test.go"), source)
		write(t, filepath.Join(dir, fmt.Sprintf("block%d", n), "empty.s"), "")
		blocks++
		rest = after
	}
	if blocks < atLeast {
		t.Fatalf("found only %d blocks of Go", blocks)
	}
	cmd := exec.CommandContext(t.Context(), "go", "vet", "-mod=mod", "./...")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
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
