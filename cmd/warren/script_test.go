package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	testscript.Main(tests{m}, map[string]func(){
		"warren": main,
		"asks":   asks,
	})
}

// tests are run with a look at what they leave behind.
type tests struct{ m *testing.M }

func (t tests) Run() int { return rabbitmq.Run(t.m) }

// asks is a command that confirms and logs in, and does nothing else.
func asks() {
	var yes confirmFlags
	var broker accessFlags
	var form outputFlags
	cmd := &cobra.Command{
		Use: "asks", Long: helpAccess, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := yes.check(); err != nil {
				return err
			}
			if broker.user != "" {
				address, err := broker.url(cmd.Context())
				if err != nil {
					return err
				}
				if err := form.of(cmd).line("logs in at %s", address); err != nil {
					return err
				}
			}
			if yes.dryRun {
				return leftError{errors.New("3 entries would be discarded")}
			}
			if err := yes.confirm(cmd, "3 entries of orders.error will be discarded."); err != nil {
				return err
			}
			o := form.of(cmd)
			if !o.json {
				return o.line("done")
			}
			if err := o.value(map[string]int{"done": 3}); err != nil {
				return err
			}
			return o.jsonLine(map[string]int{"done": 3})
		},
	}
	form.add(cmd.Flags())
	broker.add(cmd.Flags())
	yes.add(cmd.Flags())
	os.Exit(execute(cmd, os.Args[1:], os.Stdout, os.Stderr))
}

// TestScripts runs the scripts of testdata/script, each on a warren broker, which is another process, and on RabbitMQ.
// In a script AMQP_URL names the broker, and $Q a queue of its own. There are these commands more:
//
//	seed QUEUE      six messages fail: see seed
//	queues NAME...  declares queues
//	hangup          the terminal of what runs in the background is gone
//	code N COMMAND  runs a command, which ends with that exit code
//	depth QUEUE N   the queue has so many messages that are ready, soon
func TestScripts(t *testing.T) {
	eachBroker(t, func(t *testing.T, url string) {
		testscript.Run(t, scripts(t, url, "testdata/script"))
	})
}

// eachBroker runs test on a warren broker and on the RabbitMQ that tests share.
func eachBroker(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("rabbittest", func(t *testing.T) {
		t.Parallel()
		var args []string
		if version := os.Getenv("WARREN_RABBITTEST"); version != "" {
			args = []string{"--version", version}
		}
		test(t, start(t, args...).amqp)
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, brokers.RabbitMQ(t).URL)
	})
}

// scripts are those of a folder, on the broker at url.
func scripts(t *testing.T, url, dir string) testscript.Params {
	var made deletions
	t.Cleanup(func() { made.delete(t, url) })
	return testscript.Params{
		Dir: dir, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			q := "script-" + rand.Text()[:10]
			made.add(queuesOf(q)...)
			env.Setenv("Q", q)
			env.Setenv("AMQP_URL", url)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each command
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"seed": func(ts *testscript.TestScript, _ bool, args []string) {
				made.add(queuesOf(args[0])...)
				ts.Check(seed(t.Context(), url, args[0]))
			},
			"queues": func(ts *testscript.TestScript, _ bool, args []string) {
				made.add(args...)
				ts.Check(declare(url, args...))
			},
			"hangup": func(ts *testscript.TestScript, _ bool, _ []string) {
				for _, cmd := range ts.BackgroundCmds() {
					ts.Check(cmd.Process.Signal(syscall.SIGHUP))
				}
			},
			"code": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got := 0
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					exit := new(exec.ExitError)
					if !errors.As(err, &exit) {
						ts.Fatalf("%v", err)
					}
					got = exit.ExitCode()
				}
				if got != want {
					ts.Fatalf("it ended with %d, want %d", got, want)
				}
			},
			"depth": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[1])
				ts.Check(err)
				ts.Check(depth(t.Context(), url, args[0], want))
			},
		},
	}
}

// deletions are queues to delete in the end.
type deletions struct {
	mu     sync.Mutex
	queues []string
}

func (d *deletions) add(queues ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queues = append(d.queues, queues...)
}

func (d *deletions) delete(t *testing.T, url string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	conn, err := amqp.Dial(url)
	if err != nil {
		return // it is gone, and they with it
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(t, err)
	for _, queue := range d.queues {
		_, err := ch.QueueDelete(queue, false, false, false)
		must(t, err)
	}
}

// declare makes queues that lose nothing.
func declare(url string, queues ...string) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	for _, queue := range queues {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			return err
		}
	}
	return nil
}

// depth waits until a queue has so many messages: a broker that has been told may take a moment.
func depth(ctx context.Context, url, queue string, want int) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			return err
		}
		if q.Messages == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has %d messages, want %d", queue, q.Messages, want)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
