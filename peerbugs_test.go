package warren_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// DESIGN.md, section 9, numbers the mistakes of others that we test for. Every number has tests, and they exist.
func TestEveryKnownMistakeHasItsTests(t *testing.T) {
	design, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(design), "\n## 9. ")
	if !ok {
		t.Fatal("DESIGN.md has no section 9")
	}
	const known = 18
	name := regexp.MustCompile("`([a-z/]+)\\.(Test\\w+)(?:/([^`]+))?`")
	for n := 1; n <= known; n++ {
		_, row, ok := strings.Cut(section, "\n| "+strconv.Itoa(n)+" |")
		row, _, _ = strings.Cut(row, "\n")
		tests := name.FindAllStringSubmatch(row, -1)
		if !ok || len(tests) == 0 {
			t.Errorf("%d has no tests", n)
		}
		if quoted := strings.Count(row, "`") / 2; quoted != len(tests) {
			t.Errorf("%d names %d tests of which %d are understood", n, quoted, len(tests))
		}
		for _, test := range tests {
			if source := testsOf(t, test[1]); !strings.Contains(source, "\nfunc "+test[2]+"(t *testing.T)") ||
				test[3] != "" && !strings.Contains(source, strconv.Quote(test[3])) {
				t.Errorf("%d: there is no %s in %s", n, test[2]+" "+test[3], test[1])
			}
		}
	}
}

// testsOf returns the source of a package's tests.
func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
