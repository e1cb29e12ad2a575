package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
)

// head has seen enough after a line: a replay goes on in order all the same, and does not die of it in the middle.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	url := start(t).amqp
	queue := rabbitmq.Name(t, "unread")
	entries(t, url, queue, 3)
	for _, args := range [][]string{{"ls", "--json"}, {"replay", "--all", "--yes"}} {
		r, w, err := os.Pipe()
		must(t, err)
		must(t, r.Close())
		cmd := command(t, append([]string{"errors", args[0], queue}, args[1:]...)...)
		cmd.Env = append(cmd.Env, "AMQP_URL="+url)
		stderr := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = w, stderr
		err = cmd.Run()
		must(t, w.Close())
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
			t.Errorf("%s: %v", args[0], err)
		}
		if strings.Contains(stderr.String(), "warren: ") {
			t.Errorf("%s says %q", args[0], stderr)
		}
	}
	if n := ready(t, url, queue); n != 3 {
		t.Errorf("%d entries were replayed", n)
	}
}

// onWrite is where a command prints, and somebody who does something meanwhile.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// What ls could see before a colleague took everything is not "empty".
func TestLsWhileOthersTake(t *testing.T) {
	t.Parallel()
	url := start(t).amqp
	queue := rabbitmq.Name(t, "taken")
	entries(t, url, queue, 5)
	conn, err := connection.Open(t.Context(), url, connection.Config{Monitor: monitoring.Discard{}})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	q, err := errorqueue.New(conn, queue, errorqueue.Config{})
	must(t, err)
	ch, err := conn.Channel(t.Context(), connection.Consume)
	must(t, err)

	l := lookFlags{limit: 1}
	l.form.json = true
	cmd, stderr := &cobra.Command{}, &bytes.Buffer{}
	cmd.SetErr(stderr)
	cmd.SetOut(onWrite(func() {
		_, err := ch.Consume(q.Name(), "", true, false, false, false, nil) // gets what is given back
		must(t, err)
	}))
	must(t, l.list(t.Context(), cmd, q, errorqueue.Filter{}, false))
	if text := stderr.String(); !strings.HasPrefix(text, "1 of 2 entries; ") {
		t.Errorf("it says %q", text)
	}
}
