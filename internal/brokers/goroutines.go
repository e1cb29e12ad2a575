package brokers

import (
	"regexp"
	"runtime"
	"strings"
)

var inBubble = regexp.MustCompile(`synctest bubble \d+`)

// Goroutines counts the goroutines that this module and the client library have
// started, in the caller's bubble or, if it is in none, outside of all bubbles:
// the same test may run on the other broker meanwhile.
func Goroutines() int {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	stacks := strings.Split(string(buf[:n]), "\n\n")
	bubble := func(stack string) string {
		head, _, _ := strings.Cut(stack, "\n")
		return inBubble.FindString(head)
	}
	mine, count := bubble(stacks[0]), 0
	for _, stack := range stacks[1:] {
		if bubble(stack) == mine && strings.Contains(stack, "created by github.com/") {
			count++
		}
	}
	return count
}
