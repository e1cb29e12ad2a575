package publisher_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/publisher"
)

// offline returns a connection that nobody has dialled.
func offline(tb testing.TB) *connection.Connection {
	tb.Helper()
	cfg := quiet()
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no network")
	}
	conn, err := connection.New("amqp://guest:secret@localhost:1/", cfg)
	must(tb, err)
	tb.Cleanup(func() { must(tb, conn.Close(context.Background())) })
	return conn
}

func TestNewRefusesNonsenseAndNamesTheField(t *testing.T) {
	for field, cfg := range map[string]publisher.Config{
		"Config.AppID":   {AppID: strings.Repeat("x", 256)},
		"Config.MaxBody": {MaxBody: -1},
		"MaxBody":        {MaxBody: 512<<20 + 1},
		"Config.Timeout": {Timeout: -1},
		"Config.Window":  {Window: -1},
		"Window":         {Window: 65537},
	} {
		p, err := publisher.New(offline(t), cfg)
		if err == nil || !strings.Contains(err.Error(), field) || p != nil {
			t.Errorf("%s: got %v, %v", field, p, err)
		}
	}
	if _, err := publisher.New(nil, publisher.Config{}); err == nil || !strings.Contains(err.Error(), "connection is nil") {
		t.Errorf("without a connection: %v", err)
	}
}

func TestNewTakesWhatIsAtTheBounds(t *testing.T) {
	for _, cfg := range []publisher.Config{
		{},
		{AppID: strings.Repeat("x", 255), MaxBody: 512 << 20, Window: 65536, Timeout: 1},
		{MaxBody: 1, Window: 1},
	} {
		newPublisher(t, offline(t), cfg)
	}
}

func TestNewDoesNoIO(t *testing.T) {
	cfg := quiet()
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled")
		return nil, errors.New("no")
	}
	conn, err := connection.New("amqp://localhost/", cfg)
	must(t, err)
	p, err := publisher.New(conn, publisher.Config{})
	must(t, err)
	// Nor does what needs no broker.
	must(t, p.Flush(t.Context()))
	for _, err := range publisher.All(t.Context(), p, "orders", repeat(1, 0)) {
		t.Errorf("a result of nothing: %v", err)
	}
	must(t, p.Close(t.Context()))
	must(t, conn.Close(t.Context()))
}

func TestTheAppIDIsTheProgramsNameByDefault(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		must(t, start(t, publisher.Config{}).Publish(t.Context(), queue, 1))
		must(t, start(t, publisher.Config{AppID: "billing"}).Publish(t.Context(), queue, 2))
		must(t, start(t, publisher.Config{AppID: "billing"}).Send(t.Context(), publisher.Message{Key: queue, Body: 3, AppID: "audit"}))
		for i, want := range []string{filepath.Base(os.Args[0]), "billing", "audit"} {
			if got := take1(t, queue).AppId; got != want {
				t.Errorf("message %d has the app id %q, want %q", i+1, got, want)
			}
		}
	})
}

func TestACallWithoutADeadlineEndsAfterTheTimeout(t *testing.T) {
	p := newPublisher(t, offline(t), publisher.Config{Timeout: 100 * time.Millisecond})
	ctx := context.WithoutCancel(t.Context())

	began := time.Now()
	err := p.Publish(ctx, "orders", 1)
	if took := time.Since(began); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Config.Timeout of 100ms") {
		t.Errorf("got %v", err)
	}
	if errors.Is(err, publisher.ErrUnknown) {
		t.Errorf("it cannot have been sent: %v", err)
	}
	// Why there is no connection is part of it, but not the password.
	if !strings.Contains(err.Error(), "there is no network") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}

	began = time.Now()
	n := 0
	for _, err := range publisher.All(ctx, p, "orders", repeat(1, 2)) {
		if n++; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, publisher.ErrUnknown) {
			t.Errorf("got %v", err)
		}
	}
	if took := time.Since(began); n != 2 || took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("%d results took %v", n, took)
	}
}

func TestTheDeadlineOfTheContextWins(t *testing.T) {
	p := newPublisher(t, offline(t), publisher.Config{Timeout: time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := p.Publish(ctx, "orders", 1)
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Config.Timeout") {
		t.Errorf("got %v", err)
	}
}
