package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Sweep is for the tests outside.
func Sweep(dir string) { sweep(dir) }

// A verdict is a test that notes how it was ended.
type verdict struct {
	testing.TB
	fatal, skipped string
}

func (v *verdict) Helper()                   {}
func (v *verdict) Context() context.Context  { return context.Background() }
func (v *verdict) Fatal(args ...any)         { v.fatal = fmt.Sprint(args...); panic(v) }
func (v *verdict) Fatalf(f string, a ...any) { v.fatal = fmt.Sprintf(f, a...); panic(v) }
func (v *verdict) Skip(args ...any)          { v.skipped = fmt.Sprint(args...); panic(v) }
func (v *verdict) Skipf(f string, a ...any)  { v.skipped = fmt.Sprintf(f, a...); panic(v) }

// verdictOf runs f as a test.
func verdictOf(f func(tb testing.TB)) (v *verdict) {
	v = new(verdict)
	defer func() {
		if r := recover(); r != nil && r != v {
			panic(r)
		}
	}()
	f(v)
	return v
}

func TestTestsWithoutABroker(t *testing.T) {
	for name, ask := range map[string]func(testing.TB){
		"Private": func(tb testing.TB) { Private(tb, Options{}) },
		"lacking": func(tb testing.TB) { lacking(tb, ErrNotInstalled) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			t.Setenv(requireVariable, "")
			if v := verdictOf(ask); !strings.Contains(v.skipped, "NOT TESTED") || v.fatal != "" {
				t.Errorf("%+v, want it skipped, loudly", v)
			}
			t.Setenv(requireVariable, "1")
			if v := verdictOf(ask); !strings.Contains(v.fatal, requireVariable) || v.skipped != "" {
				t.Errorf("%+v, want it to fail where a broker is required", v)
			}
		})
	}
	t.Run("a node that does not start is no reason to skip", func(t *testing.T) {
		if v := verdictOf(func(tb testing.TB) { lacking(tb, errors.New("boom")) }); v.fatal != "boom" {
			t.Errorf("%+v, want it to fail", v)
		}
	})
}

func TestABrokerOfSomeoneElse(t *testing.T) {
	t.Setenv(urlVariable, "amqp://someone:secret@192.0.2.1/")
	t.Setenv(nodeVariable, "")
	if got := URL(t); got != "amqp://someone:secret@192.0.2.1/" {
		t.Errorf("URL = %s, want what AMQP_URL says", got)
	}
	v := verdictOf(func(tb testing.TB) { Shared(tb) })
	if v.skipped == "" || strings.Contains(v.skipped, "secret") {
		t.Errorf("%+v, want it skipped without the password", v)
	}
}

func TestABrokerOfAnotherProcess(t *testing.T) {
	n := &Node{folder: t.TempDir(), facts: facts{Name: "x@localhost", Port: 12345, Version: "9.9"}}
	if err := n.writeFacts(); err != nil {
		t.Fatal(err)
	}
	for _, v := range n.Environ() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	got := Shared(t)
	if got.URL() != n.URL() || got.Version() != "9.9" || got.folder != n.folder {
		t.Errorf("Shared = %+v, want the node %+v", got, n)
	}
	if err := got.Kill(); !errors.Is(err, ErrShared) {
		t.Errorf("Kill = %v, want ErrShared", err)
	}
}

func TestANamedInstallation(t *testing.T) {
	if !supported {
		t.Skip("SKIPPED: no nodes on this system")
	}
	folder := t.TempDir()
	t.Setenv(brokerVariable, "")
	t.Setenv(installationVariable, folder)
	// Nothing else is taken instead, and no test is skipped: somebody asked for it.
	if err := Available(); err == nil || errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), folder) {
		t.Errorf("with nothing there: %v, want an error that names the folder", err)
	}
	for _, name := range []string{"rabbitmq-server", "rabbitmqctl", "epmd"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	p, err := installed()
	if err != nil || filepath.Dir(p.Server) != folder || filepath.Dir(p.Ctl) != folder {
		t.Errorf("installed() = %+v, %v, want those in %s", p, err, folder)
	}
}

func TestFind(t *testing.T) {
	if !supported {
		t.Skip("SKIPPED: no nodes on this system")
	}
	program := func(folder, name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	erlang, wrapper, genuine := t.TempDir(), t.TempDir(), t.TempDir()
	program(wrapper, "rabbitmq-server")
	program(wrapper, "rabbitmqctl")
	program(genuine, "rabbitmq-server")
	program(genuine, "rabbitmqctl")
	program(genuine, "rabbitmq-env")

	t.Setenv("PATH", erlang)
	if _, err := find([]string{wrapper, genuine}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("without Erlang: %v, want ErrNotInstalled", err)
	}
	program(erlang, "epmd")
	p, err := find([]string{wrapper, genuine})
	if err != nil || p.Server != filepath.Join(genuine, "rabbitmq-server") || p.Epmd != filepath.Join(erlang, "epmd") {
		t.Errorf("found %+v, %v, want the one that is not Debian's wrapper", p, err)
	}
	if _, err := find([]string{wrapper}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("a wrapper alone: %v, want ErrNotInstalled", err)
	}
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	bin, err := installed()
	if err != nil {
		lacking(t, err)
	}
	dir := t.TempDir()
	bin.Server = "/bin/false"
	n, err := prepare(bin, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.start(t.Context()); err == nil || !strings.Contains(err.Error(), "false ended by itself") {
		t.Errorf("start = %v, want what ended", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want context.Canceled", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestName(t *testing.T) {
	t.Run("with spaces/and more, "+strings.Repeat("x", 300), func(t *testing.T) {
		a, b := Name(t, "orders"), Name(t, "orders")
		if a == b {
			t.Error("a name came twice")
		}
		if !strings.HasPrefix(a, "orders.TestName-with_spaces-and_more-") || len(a) > len("orders")+120 {
			t.Errorf("name %q", a)
		}
	})
}

func TestLeftovers(t *testing.T) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		<-stop
	}()
	left := strings.Join(leftovers(time.Millisecond), "\n\n")
	if !strings.Contains(left, "TestLeftovers.func1") {
		t.Errorf("a goroutine that was left is not among:\n%s", left)
	}
	close(stop)
	<-stopped
	eventually := strings.Join(leftovers(time.Second), "\n\n")
	if strings.Contains(eventually, "TestLeftovers.func1") {
		t.Errorf("a goroutine that has ended is among:\n%s", eventually)
	}
}

func TestGreet(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"a broker":              {start("\x07versionS\x00\x00\x00\x053.9.1"), "3.9.1"},
		"one without a version": {start("\x04nameS\x00\x00\x00\x01x"), "did not say its version"},
		"a version cut short":   {start("\x07versionS\x00\x00\x00\x053.9"), "cut short"},
		"another protocol":      {"HTTP/1.1 400 Bad Request\r\n", "not an AMQP 0-9-1 broker"},
		"another method":        {"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0b\xce", "did not begin with connection.start"},
		"nobody":                {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var broker sync.WaitGroup
			defer broker.Wait()
			defer func() { _ = l.Close() }()
			broker.Go(func() {
				if conn, err := l.Accept(); err == nil {
					_, _ = conn.Read(make([]byte, 8))
					_, _ = conn.Write([]byte(test.answer))
					_ = conn.Close()
				}
			})
			got, err := greet(t.Context(), l.Addr().String())
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("greet: %s, want %s", got, test.want)
			}
		})
	}
}

// start is a connection.start frame with these properties.
func start(properties string) string {
	method := "\x00\x0a\x00\x0a\x00\x09" + "\x00\x00\x00" + string(rune(len(properties))) + properties
	return "\x01\x00\x00\x00\x00\x00" + string(rune(len(method))) + method + "\xce"
}
