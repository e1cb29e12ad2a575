package rabbitmq

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// leftOutVariable names a file to which each test is noted that had no broker.
const leftOutVariable = "WARREN_LEFT_OUT"

// leaveOut notes a test that is skipped for want of a broker.
func leaveOut(tb testing.TB) {
	tb.Helper()
	path := os.Getenv(leftOutVariable)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, testedPackage(), tb.Name()) // one write, since several binaries write here
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		tb.Errorf("note what is left out: %v", err)
	}
}

// testedPackage is the path within the module of the package whose test binary this is.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	path := strings.TrimSuffix(info.Path, ".test")
	return strings.TrimPrefix(strings.TrimPrefix(path, info.Main.Path), "/")
}

// Environment is what a test run needs in its environment to note in the file at path what it leaves out.
func Environment(path string) string { return leftOutVariable + "=" + path }

// LeftOut tells people what was noted in the file at path: how many tests ran on rabbittest only, and which did not
// run at all. It has no lines where nothing was left out.
func LeftOut(path string) (lines []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	halves := make(map[string]int) // tests that rabbittest has run, by package
	whole := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		pkg, test, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(test, "/rabbitmq") {
			halves[pkg]++
		} else if !slices.Contains(whole[pkg], test) {
			whole[pkg] = append(whole[pkg], test)
		}
	}
	n, m := 0, 0
	for _, tests := range halves {
		n += tests
	}
	var detail []string
	for pkg, tests := range whole {
		m += len(tests)
		slices.Sort(tests)
		detail = append(detail, fmt.Sprintf("  %s: %s", pkg, strings.Join(tests, ", ")))
	}
	if n+m == 0 {
		return nil, nil
	}
	slices.Sort(detail)
	return append([]string{fmt.Sprintf("%d tests ran on rabbittest only, and %d not at all:", n, m)}, detail...), nil
}
