//go:build linux || darwin

package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
)

// What a child is told through its environment, besides AMQP_URL.
const (
	childQueue   = "WARREN_FAULTS_QUEUE"
	childDeath   = "WARREN_FAULTS_DEATH"
	childTimeout = "WARREN_FAULTS_TIMEOUT" // of its handlers
)

// death is where a consumer's process is killed, as by kill -9.
type death string

// The steps of settling a message. What comes before the handler is not among them: nothing has happened by then.
const (
	inHandler     death = "in the handler"
	beforePublish death = "before it publishes to a retry or error queue"
	afterPublish  death = "after it has published there"
	atConfirm     death = "when the confirm is there"
	beforeAck     death = "before it acks"
	afterAck      death = "after it has acked"
)

// deathAt is how often a child passes the step before it dies there.
const deathAt = 25

// How methods look on the wire: class and method.
var (
	basicPublish = []byte{0, 60, 0, 40}
	basicAck     = []byte{0, 60, 0, 80}
)

// consumeAsChild is a process that consumes until SIGTERM, or until it dies as it was told to.
func consumeAsChild() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // its parent has died
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	d := &dying{at: death(os.Getenv(childDeath))}
	conn, err := connection.Open(ctx, os.Getenv("AMQP_URL"), connection.Config{
		Name: "faults-child", Monitor: monitoring.Discard{}, Heartbeat: heartbeat, MaxRedial: time.Second,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			return dyingConn{c, d}, err
		},
	})
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	handle := handling(func(id string) { fmt.Println("handled", id) })
	c, err := consumer.New(conn, os.Getenv(childQueue), func(ctx context.Context, m consumer.Message[order]) consumer.Outcome {
		d.pass(inHandler)
		if n, ok := m.Headers["x-delivery-count"].(int64); ok && m.Redelivered && m.Body.Do != doStuck {
			fmt.Println("counted", n)
		}
		return handle(ctx, m)
	}, childConfig())
	if err != nil {
		fmt.Println("new:", err)
		return 1
	}
	err = c.Run(ctx)
	unfinished := errors.As(err, new(*consumer.DrainError))
	if err != nil && !unfinished {
		fmt.Println("run:", err)
		return 1
	}
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = conn.Close(closing) // a fault may be in the way of it
	if unfinished {
		return exitUnfinished
	}
	return 0
}

// childConfig takes a hundred messages ahead: what kills a process must be told from all of them.
func childConfig() consumer.Config {
	cfg := usualConfig()
	cfg.Prefetch = 100
	if d, err := time.ParseDuration(os.Getenv(childTimeout)); err == nil {
		cfg.Timeout = d
	}
	return cfg
}

// dying counts the steps of a process, and kills it at one.
type dying struct {
	at death

	mu     sync.Mutex
	passed int
}

func (d *dying) pass(step death) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if step != d.at {
		return
	}
	if d.passed++; d.passed == deathAt {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// dyingConn sees the steps go by.
type dyingConn struct {
	net.Conn
	*dying
}

func (c dyingConn) Write(b []byte) (int, error) {
	c.look(b, basicPublish, beforePublish)
	c.look(b, basicAck, beforeAck)
	n, err := c.Conn.Write(b)
	c.look(b, basicPublish, afterPublish)
	c.look(b, basicAck, afterAck)
	return n, err
}

func (c dyingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.look(b[:n], basicAck, atConfirm)
	return n, err
}

func (c dyingConn) look(b, method []byte, step death) {
	if bytes.Contains(b, method) {
		c.pass(step)
	}
}

// child is a process of consumeAsChild that is started again whenever it ends, until stop.
type child struct {
	bench  *bench
	ending chan struct{}
	ended  chan struct{}
	mu     sync.Mutex
	cmd    *exec.Cmd
	deaths int

	asked    time.Time     // when it was last asked to end, and another life shall follow; zero if it was not
	farewell chan farewell // has one when it has ended
}

// farewell is how a process ended that was asked to.
type farewell struct {
	took time.Duration
	code int // -1: it was killed
}

// startChild starts one, and lets its first life end at a step, if it is not empty.
func startChild(b *bench, first death) *child {
	c := &child{bench: b, ending: make(chan struct{}), ended: make(chan struct{}), farewell: make(chan farewell, 1)}
	go func() {
		defer close(c.ended)
		for c.live(first) {
			first = ""
		}
	}()
	b.t.Cleanup(func() { c.stop(b.t) })
	return c
}

// live runs one process, and says whether another shall follow.
func (c *child) live(d death) bool {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AMQP_URL="+c.bench.node.URL(), childQueue+"="+c.bench.queue, childDeath+"="+string(d),
		childTimeout+"="+c.bench.cfg.Timeout.String(), "GOCOVERDIR="+c.bench.t.TempDir())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		_, err = cmd.StdinPipe() // open for as long as we live
	}
	if err != nil {
		c.bench.t.Error(err)
		return false
	}
	c.mu.Lock()
	select {
	case <-c.ending:
		c.mu.Unlock()
		return false
	default:
	}
	c.cmd = cmd
	err = cmd.Start()
	c.mu.Unlock()
	if err != nil {
		c.bench.t.Error(err)
		return false
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "handled "); ok {
			c.bench.ledger.Handled(id, "", time.Now())
		} else if n, ok := strings.CutPrefix(lines.Text(), "counted "); ok {
			c.bench.count(n)
		} else if lines.Text() != "" {
			c.bench.t.Errorf("a child says %q", lines.Text())
		}
	}
	err = cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ending:
		if code := cmd.ProcessState.ExitCode(); err != nil && code != -1 && code != exitUnfinished {
			c.bench.t.Errorf("a child that was to stop: %v, %.500s", err, stderr.String())
		}
		return false
	default:
	}
	if !c.asked.IsZero() {
		c.farewell <- farewell{time.Since(c.asked), cmd.ProcessState.ExitCode()}
		c.asked = time.Time{}
		return true
	}
	killed := cmd.ProcessState.ExitCode() == -1 // by a signal
	poisoned := cmd.ProcessState.ExitCode() == exitPoisoned || strings.Contains(stderr.String(), eating)
	if !killed && !poisoned {
		c.bench.t.Errorf("a child ended by itself: %v, %.1000s", err, stderr.String())
		return false
	}
	c.deaths++
	return true
}

// died returns how many of its lives ended.
func (c *child) died() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deaths
}

// terminate asks it to end, as an orchestrator does, and to live again then. How it ended can be had from farewell.
func (c *child) terminate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.bench.t.Errorf("terminate: %v", err)
	}
}

// kill ends its life, as kill -9 does.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Process.Kill()
	}
}

// stop ends it in order, and returns when it is gone.
func (c *child) stop(tb testing.TB) {
	c.mu.Lock()
	select {
	case <-c.ending:
	default:
		close(c.ending)
		if c.cmd != nil && c.cmd.Process != nil {
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	c.mu.Unlock()
	select {
	case <-c.ended:
	case <-time.After(20 * time.Second):
		tb.Error("a child does not stop")
		c.kill()
		<-c.ended
	}
}
