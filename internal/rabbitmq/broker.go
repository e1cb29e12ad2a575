package rabbitmq

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

// The environment through which the processes of one test run find the same broker.
const (
	urlVariable     = "AMQP_URL"              // the broker to use, whoever runs it
	nodeVariable    = "WARREN_NODE"           // the folder of the node behind AMQP_URL, if it is one of ours
	requireVariable = "WARREN_REQUIRE_BROKER" // 1: fail where a test would be skipped for want of a broker
	brokerVariable  = "WARREN_BROKER"         // none: use none, not even that of AMQP_URL
	noBroker        = "none"

	installationVariable = "WARREN_RABBITMQ" // the folder of the rabbitmq-server to start, instead of the installed one
)

// own is the node that the tests of this binary share. It is started by the first that asks.
var own struct {
	sync.Mutex
	asked bool
	node  *Node
	err   error
}

// URL returns the URL of a broker that this test shares with others: the one that AMQP_URL names, else
// the test binary's own, started at first use. Where there is none, the test is skipped, loudly.
func URL(tb testing.TB) string {
	tb.Helper()
	if url := os.Getenv(urlVariable); url != "" && !unwanted() {
		return url
	}
	return Shared(tb).URL()
}

// Shared returns the node behind [URL], for [Node.Ctl]. It refuses to be killed, stopped or frozen.
// The test is skipped where AMQP_URL names a broker that is not a node of this package.
func Shared(tb testing.TB) *Node {
	tb.Helper()
	if url := os.Getenv(urlVariable); url != "" && !unwanted() {
		n, err := attach(os.Getenv(nodeVariable))
		if err != nil || n.URL() != url {
			leaveOut(tb)
			tb.Skip("SKIPPED: this test runs rabbitmqctl, and the broker at AMQP_URL is not a node of ours")
		}
		return n
	}
	n, err := startOwn()
	if err != nil {
		lacking(tb, err)
	}
	return n
}

// Private starts a node that this test alone uses, and may do anything to. It is closed when the test
// ends. Where there is none to start, the test is skipped, loudly.
func Private(tb testing.TB, o Options) *Node {
	tb.Helper()
	n, err := Start(tb.Context(), o)
	if err != nil {
		lacking(tb, err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the private node's last words:\n%s", n.logTail())
		}
		if err := n.Close(); err != nil {
			tb.Errorf("private node: %v", err)
		}
	})
	return n
}

// Expected says whether tests are to find a broker: because there is one, or because they must.
func Expected() bool {
	return os.Getenv(requireVariable) == "1" || os.Getenv(urlVariable) != "" && !unwanted() || Available() == nil
}

// Installed skips the test, as [Private] would, where no node can be started.
func Installed(tb testing.TB) {
	tb.Helper()
	if err := Available(); err != nil {
		lacking(tb, err)
	}
}

// lacking ends a test that has no broker.
func lacking(tb testing.TB, err error) {
	tb.Helper()
	if !errors.Is(err, ErrNotInstalled) {
		tb.Fatal(err)
	}
	if os.Getenv(requireVariable) == "1" {
		tb.Fatalf("%v; %s=1 forbids to skip this test", err, requireVariable)
	}
	leaveOut(tb)
	tb.Skipf("SKIPPED, NOT TESTED: %v. Run `make test`, which installs one, or set %s", err, urlVariable)
}

// startOwn returns the binary's own node, as the tests may use it.
func startOwn() (*Node, error) {
	own.Lock() // the others have nothing to do but wait
	defer own.Unlock()
	if !own.asked {
		own.asked = true
		own.node, own.err = Start(context.Background(), Options{Name: "shared"})
	}
	if own.err != nil {
		return nil, own.err
	}
	return &Node{folder: own.node.folder, facts: own.node.facts, lent: true}, nil
}

// closeOwn takes the binary's own node away.
func closeOwn() error {
	own.Lock()
	defer own.Unlock()
	if own.node == nil {
		return nil
	}
	return own.node.Close()
}
