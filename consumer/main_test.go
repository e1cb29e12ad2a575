package consumer_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// childVariable names the process that this binary shall be, instead of a test run. See children.
const childVariable = "WARREN_CONSUMER_TEST_CHILD"

// children are the processes that tests start of this binary, to kill them or to have several: each a function that
// does what the process is for and returns its exit code. Put new ones here.
var children = map[string]func() int{
	"consume": consumeInChild,
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
	// On a real broker most tests only wait: for the broker, for retries, for what must not happen. As many at once as
	// there are processors would take minutes.
	_ = flag.Set("test.parallel", "8")
	rabbitmq.Main(m)
}
