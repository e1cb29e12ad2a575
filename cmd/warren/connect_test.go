package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/connection"
)

// access parses flags.
func access(t *testing.T, args ...string) *accessFlags {
	t.Helper()
	var a accessFlags
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	a.add(f)
	must(t, f.Parse(args))
	return &a
}

func TestTheBrokerIsThatOfTheEnvironment(t *testing.T) {
	if isTerminal(os.Stdin) || isTerminal(os.Stderr) {
		t.Skip("a terminal would be asked")
	}
	const env = "amqp://shop:s%40cret@rabbit:5673/a%2Fb?heartbeat=7"
	for _, c := range []struct {
		env   string
		args  []string
		want  string
		wrong string
	}{
		{env, nil, env, ""},
		{env, []string{"--vhost", "c/d"}, "amqp://shop:s%40cret@rabbit:5673/c%2Fd?heartbeat=7", ""},
		{"amqps://shop:secret@rabbit", []string{"--vhost", "/"}, "amqps://shop:secret@rabbit/%2F", ""},
		{"", nil, "", "Set AMQP_URL"},
		{env, []string{"--tls"}, "", "--tls goes with"},
		{env, []string{"--host", "other"}, "", "--host needs --user"},
		{env, []string{"--user", "jo"}, "", "no terminal to ask on for the password"},
		{"amqp://shop:s%zzcret@rabbit/", []string{"--vhost", "/"}, "", "AMQP_URL is no URL"},
	} {
		t.Setenv(urlVariable, c.env)
		got, err := access(t, c.args...).url(t.Context())
		if c.wrong == "" {
			if err != nil || got != c.want {
				t.Errorf("%q %q: %q, %v", c.env, c.args, got, err)
			}
			continue
		}
		wrong := usageError{}
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q %q: %v", c.env, c.args, err)
		}
	}
}

func TestConnectingTellsWhyNot(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := free.Addr().String()
	must(t, free.Close())

	cmd := &cobra.Command{Use: "test"}
	cmd.SetContext(t.Context())
	t.Setenv(urlVariable, "amqp://guest:topsecret@"+nobody+"/")
	if _, err := access(t, "--connect-timeout", "50ms").connect(cmd); err == nil ||
		!strings.Contains(err.Error(), "refused") || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("nobody listens: %v", err)
	}
	t.Setenv(urlVariable, "amqp://guest:top secret@"+nobody+"/")
	if _, err := access(t).connect(cmd); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no URL: %v", err)
	}

	p := start(t)
	t.Setenv(urlVariable, p.amqp)
	conn, err := access(t).connect(cmd)
	must(t, err)
	must(t, conn.Health())
	hangUp(conn)
	if err := conn.Health(); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("it is still open: %v", err)
	}

	t.Setenv(urlVariable, strings.Replace(p.amqp, "amqp://", "amqp://guest:wrong@", 1))
	began := time.Now()
	refused := &connection.RefusedError{}
	if _, err := access(t).connect(cmd); !errors.As(err, &refused) || strings.Contains(err.Error(), "wrong@") {
		t.Errorf("a wrong password: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the refusal took %v", took)
	}
}
