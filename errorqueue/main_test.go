package errorqueue_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// childVariable names the process that this binary shall be, instead of a test run. See children.
const childVariable = "WARREN_ERRORQUEUE_TEST_CHILD"

// children are the processes that tests start of this binary, to measure or to kill them: each a function that does
// what the process is for and returns its exit code. Put new ones here.
var children = map[string]func() int{
	"read":   measured(readAll),
	"replay": measured(replayAll),
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		child, ok := children[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "no child process is called %q\n", name)
			os.Exit(2)
		}
		os.Exit(child())
	}
	_ = flag.Set("test.parallel", "4") // on a real broker tests wait for it, and it for the disk
	rabbitmq.Main(m)
}
