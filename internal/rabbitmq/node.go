package rabbitmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Node is one RabbitMQ node. Its methods may be called from several goroutines; those that start,
// stop or freeze it wait for one another.
//
// A node that is shared with other tests (see [Shared]) refuses what would disturb them: [ErrShared].
type Node struct {
	folder string
	facts  facts    // not changed after the first start
	owner  *os.File // held open while the folder is in use; nil where the system cannot lock it
	lent   bool     // belongs to someone else
	joined bool     // in the cluster of another node, whose epmd serves it

	turn   chan struct{} // holds one token: whoever puts it there may use what follows
	epmd   *process
	server *process
	closed bool
}

// URL is where the node serves AMQP, as its default user.
func (n *Node) URL() string { return "amqp://guest:guest@" + n.Address() + "/" }

// Address is its host and port.
func (n *Node) Address() string { return address(n.facts.Port) }

// ManagementURL is where the node serves the management API, to the same user. It is empty without
// [Options.Management].
func (n *Node) ManagementURL() string {
	if n.facts.ManagementPort == 0 {
		return ""
	}
	return "http://" + address(n.facts.ManagementPort)
}

// Version is the version of RabbitMQ: "3.10.8".
func (n *Node) Version() string { return n.facts.Version }

// Environ is what another process needs in its environment to find this node with [URL] and [Shared].
func (n *Node) Environ() []string {
	return []string{urlVariable + "=" + n.URL(), nodeVariable + "=" + n.folder}
}

// Ctl runs rabbitmqctl against the node and returns what it prints: the data, without headings. It works
// on shared nodes too. It takes about a third of a second.
func (n *Node) Ctl(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"--silent", "--node", n.facts.Name}, args...)
	cmd := exec.CommandContext(ctx, n.facts.Programs.Ctl, args...) //nolint:gosec // tests only: the caller's own command
	cmd.Env = n.environ()
	cmd.Dir = n.folder
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		said := strings.TrimSpace(stderr.String() + stdout.String())
		return stdout.String(), fmt.Errorf("rabbitmqctl %s: %w: %s", strings.Join(args[3:], " "), err, said)
	}
	return stdout.String(), nil
}

// Sync has the node write down which quorum queues it has. RabbitMQ does so by itself up to a second after
// a queue was declared. Killed before that, it takes the queue for a new one when it starts again, without
// the messages that it had confirmed; on 3.10.8 and 4.0.5 without a leader too, so that every use of it
// hangs, while on 4.3.6 it is just empty. A test that declares a queue and kills the node calls Sync in
// between, unless this is what it tests.
func (n *Node) Sync(ctx context.Context) error {
	_, err := n.Ctl(ctx, "eval", "[dets:sync(T) || T <- dets:all()].")
	return err
}

// Kill ends the node at once, as a power cut of its process would. Its data stays for [Node.Restart].
func (n *Node) Kill() error {
	if err := n.take(context.Background()); err != nil {
		return fmt.Errorf("kill the node: %w", err)
	}
	defer n.give()
	n.server.kill()
	return nil
}

// Stop stops the node in order, and returns when it is gone. Its data stays for [Node.Restart]. At the
// end of ctx it gives up, and the node goes on stopping.
func (n *Node) Stop(ctx context.Context) error {
	if err := n.take(ctx); err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	defer n.give()
	return n.stop(ctx)
}

// Restart starts the node again, on the same ports and data, and returns once it serves. A node that is
// still running is stopped first, in order. It takes as long as [Start].
func (n *Node) Restart(ctx context.Context) error {
	if err := n.take(ctx); err != nil {
		return fmt.Errorf("restart the node: %w", err)
	}
	defer n.give()
	if err := n.stop(ctx); err != nil {
		return err
	}
	if err := n.start(ctx); err != nil {
		return fmt.Errorf("restart the node: %w", err)
	}
	return nil
}

// Freeze halts the node as it stands: its connections stay open, and nothing answers on them.
func (n *Node) Freeze() error {
	if err := n.signal(freezeSignal); err != nil {
		return fmt.Errorf("freeze the node: %w", err)
	}
	return nil
}

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error {
	if err := n.signal(thawSignal); err != nil {
		return fmt.Errorf("thaw the node: %w", err)
	}
	return nil
}

// Close ends the node and deletes its data. It may be called more than once. A shared node stays.
func (n *Node) Close() error {
	err := n.take(context.Background())
	if errors.Is(err, ErrClosed) || errors.Is(err, ErrShared) {
		return nil
	}
	defer n.give()
	n.closed = true
	for _, p := range []*process{n.server, n.epmd} {
		if p != nil {
			p.kill()
		}
	}
	err = os.RemoveAll(n.folder)
	if n.owner != nil {
		err = errors.Join(err, n.owner.Close())
	}
	if err != nil {
		return fmt.Errorf("close the node: %w", err)
	}
	return nil
}

// take waits until it is the caller's turn to change the node. The caller must give it back.
func (n *Node) take(ctx context.Context) error {
	if n.lent {
		return ErrShared
	}
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if n.closed {
		n.give()
		return ErrClosed
	}
	return nil
}

func (n *Node) give() { <-n.turn }

func (n *Node) signal(sig syscall.Signal) error {
	if err := n.take(context.Background()); err != nil {
		return err
	}
	defer n.give()
	return n.server.signal(sig)
}

func (n *Node) stop(ctx context.Context) error {
	if n.server.ended() {
		return nil
	}
	if err := n.server.signal(syscall.SIGTERM); err != nil && !errors.Is(err, ErrNotRunning) {
		return fmt.Errorf("stop the node: %w", err)
	}
	select {
	case <-n.server.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the node: %w", context.Cause(ctx))
	}
}

// start starts what the node is made of, and waits until it serves.
func (n *Node) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it did not serve within %v", startLimit))
	defer cancel()

	// Left alone, the node would start an epmd that outlives it and serves strangers.
	if !n.joined && (n.epmd == nil || n.epmd.ended()) {
		epmd, err := n.spawn(n.facts.Programs.Epmd)
		if err != nil {
			return err
		}
		n.epmd = epmd
		err = n.await(ctx, epmd, func(ctx context.Context) error { return reach(ctx, n.facts.EpmdPort) })
		if err != nil {
			return fmt.Errorf("start epmd: %w", err)
		}
	}

	server, err := n.spawn(n.facts.Programs.Server)
	if err != nil {
		return err
	}
	n.server = server
	var version string
	err = n.await(ctx, server, func(ctx context.Context) (err error) {
		version, err = greet(ctx, address(n.facts.Port))
		return err
	})
	if err == nil {
		_, err = n.Ctl(ctx, "await_startup")
	}
	if err == nil && n.facts.Version == "" {
		n.facts.Version = version
		err = n.writeFacts()
	}
	if err != nil {
		server.kill()
		return fmt.Errorf("%w; the node's last words:\n%s", err, n.logTail())
	}
	return nil
}

// spawn starts a program as the node's own.
func (n *Node) spawn(program string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(n.folder, "out"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the child has its own
	cmd := exec.Command(program)       //nolint:noctx // it lives until Close
	cmd.Stdout, cmd.Stderr = out, out  // a file, so that no goroutine copies
	cmd.Dir, cmd.Env = n.folder, n.environ()
	return spawn(cmd)
}

// await asks until the answer is nil, or p or ctx has ended.
func (n *Node) await(ctx context.Context, p *process, ask func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended by itself (%v)", filepath.Base(p.cmd.Path), p.err) //nolint:errorlint // nil is possible
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		}
	}
}

// reach says whether something listens on a port of this machine.
func reach(ctx context.Context, port int) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(port))
	if err != nil {
		return err
	}
	return conn.Close()
}
