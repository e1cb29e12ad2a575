package page_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warren-mq/warren/bench/internal/page"
)

const before = `# Speed

<!-- begin ratios -->
old
<!-- end ratios -->
By hand.
<!-- begin scale -->
<!-- end scale -->
`

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReplace(t *testing.T) {
	t.Parallel()
	file := written(t, before)
	for _, step := range []struct{ section, body string }{
		{"ratios", "| a |\n|---|\n| 1 |\n"},
		{"scale", "\nnew"},
		{"scale", "newer"},
	} {
		if err := page.Replace(file, step.section, step.body); err != nil {
			t.Fatal(err)
		}
	}
	const want = `# Speed

<!-- begin ratios -->

| a |
|---|
| 1 |

<!-- end ratios -->
By hand.
<!-- begin scale -->

newer

<!-- end scale -->
`
	if got := read(t, file); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the permissions are %v, %v", info.Mode(), err)
	}
	if err := page.Replace(file, "scale", ""); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); !strings.HasSuffix(got, "<!-- begin scale -->\n<!-- end scale -->\n") {
		t.Errorf("an emptied section leaves\n%s", got)
	}
}

func TestReplaceFollowsALink(t *testing.T) {
	t.Parallel()
	file := written(t, before)
	link := filepath.Join(t.TempDir(), "link.md")
	if err := os.Symlink(file, link); err != nil {
		t.Skip(err)
	}
	if err := page.Replace(link, "ratios", "new"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if !strings.Contains(read(t, file), "\nnew\n") {
		t.Errorf("the file is\n%s", read(t, file))
	}
}

func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- begin x -->", "<!-- end x -->"
	for _, test := range []struct{ name, text, body, says string }{
		{"no begin", end, "", begin + " is there 0 times"},
		{"no end", begin, "", end + " is there 0 times"},
		{"two begins", begin + begin + end, "", begin + " is there 2 times"},
		{"the wrong way round", end + begin, "", "comes before"},
		{"a mark in the body", begin + end, "see " + end, "holds " + end + " itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := written(t, test.text)
			err := page.Replace(file, "x", test.body)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), file) {
				t.Errorf("said %v, want %q", err, test.says)
			}
			if got := read(t, file); got != test.text {
				t.Errorf("the file became %q", got)
			}
			if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
	if err := page.Replace(filepath.Join(t.TempDir(), "none"), "x", ""); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}
