package consumer_test

import (
	"bufio"
	"context"
	"fmt"
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
	"github.com/warren-mq/warren/retry"
)

// What a child is told through its environment, besides AMQP_URL.
const (
	childQueue = "WARREN_CONSUMER_TEST_QUEUE"
	childDrain = "WARREN_CONSUMER_TEST_DRAIN"
	// childNative is the policy of one that leaves the waiting to the broker.
	childNative = "WARREN_CONSUMER_TEST_NATIVE"
)

// consumeInChild is a process that consumes until SIGTERM. A message's body says what its handler does.
func consumeInChild() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	conn, err := connection.Open(ctx, os.Getenv("AMQP_URL"), connection.Config{Monitor: silence})
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	drain, err := time.ParseDuration(os.Getenv(childDrain))
	if err != nil {
		fmt.Println("drain:", err)
		return 1
	}
	cfg := consumer.Config{Workers: 4, Prefetch: 100, Drain: drain, Retry: retry.Fixed(1, time.Hour), ConsumerTimeout: 2 * time.Hour}
	if text := os.Getenv(childNative); text != "" {
		cfg.Waiting = consumer.Native
		if cfg.Retry, err = retry.Parse(text); err != nil {
			fmt.Println("policy:", err)
			return 1
		}
	}
	c, err := consumer.New(conn, os.Getenv(childQueue), func(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		fmt.Println("began", m.ID)
		switch string(m.Body) {
		case "slow":
			time.Sleep(5 * time.Second)
		case "polite":
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		case "stuck":
			select {}
		case "fatal":
			os.Exit(3)
		case "greedy":
			exhaust()
		case "killed":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		default:
			time.Sleep(time.Millisecond)
		}
		fmt.Println("done", m.ID)
		return consumer.Ack()
	}, cfg)
	if err != nil {
		fmt.Println("new:", err)
		return 1
	}
	if err := c.Run(ctx); err != nil {
		fmt.Println("run:", err)
		return 1
	}
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := conn.Close(closing); err != nil {
		fmt.Println("close:", err)
		return 1
	}
	return 0
}

// child is a process of consumeInChild.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}

	mu    sync.Mutex
	lines []string

	last strings.Builder // what it wrote to standard error; read after exited
}

func startChild(k *kit, drain time.Duration, env ...string) *child {
	k.Helper()
	c := &child{exited: make(chan struct{})}
	c.cmd = exec.CommandContext(k.Context(), os.Args[0])
	c.cmd.Env = append(os.Environ(), childVariable+"=consume", "AMQP_URL="+k.broker.URL,
		childQueue+"="+k.queue, childDrain+"="+drain.String(), "GOCOVERDIR="+k.TempDir())
	c.cmd.Env = append(c.cmd.Env, env...)
	c.cmd.Stderr = &c.last
	out, err := c.cmd.StdoutPipe()
	must(k, err)
	must(k, c.cmd.Start())
	go func() {
		defer close(c.exited)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, lines.Text())
			c.mu.Unlock()
		}
		_ = c.cmd.Wait()
	}()
	k.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
		if last := c.last.String(); k.Failed() && last != "" {
			k.Logf("a child's standard error begins with %.2000s", last)
		}
	})
	return c
}

// said returns what follows a word in the child's lines.
func (c *child) said(word string) (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.lines {
		if rest, ok := strings.CutPrefix(line, word+" "); ok {
			list = append(list, rest)
		}
	}
	return list
}

// terminate sends SIGTERM, and returns how long the child took and its exit code.
func (c *child) terminate(tb testing.TB) (took time.Duration, code int) {
	tb.Helper()
	began := time.Now()
	must(tb, c.cmd.Process.Signal(syscall.SIGTERM))
	receive(tb, "the child's exit", c.exited)
	return time.Since(began), c.cmd.ProcessState.ExitCode()
}
