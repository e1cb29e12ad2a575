// Package rabbitmq starts private RabbitMQ nodes for tests, and takes them away again.
//
// It is test support: no package that a user imports may import it.
//
// A test that only needs a broker asks for [URL]: the broker that AMQP_URL names, or a node that all
// tests of the binary share. Its queues get a [Name] of their own, since the broker's state is shared,
// and [Delete] takes them away at the end. A test that breaks things (kills, freezes, raises an alarm)
// asks for a node of its own, with [Private]. A package with such tests has
//
//	func TestMain(m *testing.M) { rabbitmq.Main(m) }
//
// which takes the shared node away and looks for goroutines that were left behind.
//
// Where no RabbitMQ is installed, such tests are skipped; WARREN_BROKER=none makes believe that there is
// none. With WARREN_REQUIRE_BROKER=1 they fail instead, so that a CI run cannot skip them in silence. The
// package in the folder tests-that-need-it says in one line of `go test ./...` whether they ran.
//
// WARREN_RABBITMQ names the folder of another installation to start, with its rabbitmq-server and
// rabbitmqctl: that is how tests run on a version that is not the system's. Either may be a script that
// runs the real one elsewhere, if it keeps the environment, becomes the node (exec) and sees the same
// files under TMPDIR.
//
// The command in the folder with starts one node for a whole `go test ./...`.
//
// A node listens on 127.0.0.1 only, on free ports, with a name, a cookie, an epmd and files of its own:
// it knows nothing of a node that the system runs, and needs no root. On Linux it dies with the process
// that started it, however that ends. It runs on Unix only; elsewhere the package compiles, and every
// start says [ErrNotInstalled].
package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

var (
	// ErrNotInstalled says that this machine has no RabbitMQ that could be started.
	ErrNotInstalled = errors.New("no rabbitmq-server is installed (looked on PATH and in /usr/lib/rabbitmq/bin)")

	// ErrShared says that a node serves other tests too, so that this one must not disturb it.
	ErrShared = errors.New("the node is shared with other tests; use Private")

	// ErrClosed says that a node is gone for good.
	ErrClosed = errors.New("the node is closed")

	// ErrNotRunning says that a node was killed or stopped, and not started again.
	ErrNotRunning = errors.New("the node is not running")
)

// startLimit bounds a start for callers whose context has no deadline. A start takes 5 to 6 seconds on
// two idle cores; the rest is for busy machines.
const startLimit = 2 * time.Minute

// Options say how a node differs from a plain one. The zero value is a plain one.
type Options struct {
	// Dir is the folder in which the node's own folder is made. Empty means os.TempDir.
	Dir string

	// Conf is the text of rabbitmq.conf. It must not set listeners.
	Conf string

	// Advanced is the text of advanced.config. Empty means that there is none.
	Advanced string

	// Name begins the node's name, for its log. Empty means "warren".
	Name string

	// Management makes the node serve the management API, at [Node.ManagementURL].
	// Such a node takes some seconds longer to start.
	Management bool

	// Plugins are further plugins that come with RabbitMQ, such as "rabbitmq_shovel".
	Plugins []string

	// first is the node whose cluster this one is to join. Its epmd and cookie serve both.
	first *Node
}

// Start starts a node, and returns once it serves. The caller owns it, and must call [Node.Close].
// It gives up at the end of ctx, or after two minutes, and leaves nothing behind then.
//
// The error is [ErrNotInstalled] where there is nothing to start.
func Start(ctx context.Context, o Options) (*Node, error) {
	bin, err := installed()
	if err != nil {
		return nil, fmt.Errorf("start a RabbitMQ node: %w", err)
	}
	sweep(os.TempDir())
	n, err := prepare(bin, o)
	if err != nil {
		return nil, fmt.Errorf("start a RabbitMQ node: %w", err)
	}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a RabbitMQ node: %w", err), n.Close())
	}
	return n, nil
}
