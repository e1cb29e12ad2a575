package warrenfx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

// monitors are those of the group.
type monitors []monitoring.Monitor

type monitorParams struct {
	fx.In
	Lifecycle fx.Lifecycle
	Group     []monitoring.Monitor `group:"warren.monitors"`
}

// newMonitors is the first constructor, so that its hook is the last to stop.
func newMonitors(p monitorParams) monitors {
	all := slices.DeleteFunc(p.Group, isNil)
	p.Lifecycle.Append(fx.Hook{OnStop: monitors(all).close})
	return all
}

// isNil also finds the nil that a constructor of a *statsdmonitor.Monitor has returned.
func isNil(m monitoring.Monitor) bool {
	v := reflect.ValueOf(m)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// close closes all monitors side by side, until ctx ends: what a monitor has left goes over a network.
func (all monitors) close(ctx context.Context) error {
	ctx, cancel := leave(ctx, 1)
	defer cancel()
	ended := make([]chan error, len(all))
	for i, m := range all {
		ended[i] = make(chan error, 1)
		go func() { ended[i] <- closeMonitor(ctx, m) }()
	}
	errs := make([]error, len(all))
	for i, m := range all {
		if err := await(ctx, ended[i]); err != nil {
			errs[i] = fmt.Errorf("close monitor %T: %w", m, err)
		}
	}
	return errors.Join(errs...)
}

// await waits for a Close until ctx ends. One that takes no context, or does not obey it, is left to the end of the
// process.
func await(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended: // long ago, while another one was waited for
		return err
	default:
		return context.Cause(ctx)
	}
}

func closeMonitor(ctx context.Context, m monitoring.Monitor) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked: %v", v)
		}
	}()
	switch m := m.(type) {
	case interface {
		Close(ctx context.Context) error
	}:
		return m.Close(ctx)
	case interface{ Close() error }:
		return m.Close()
	}
	return nil
}

type connectionParams struct {
	fx.In
	Lifecycle fx.Lifecycle
	Config    Config
	Monitors  monitors
	Logger    *slog.Logger `optional:"true"`
}

func newConnection(p connectionParams) (*connection.Connection, error) {
	if p.Config.URL == "" {
		return nil, errors.New("warrenfx: Config.URL is empty")
	}
	cfg := p.Config.Connection
	if cfg.Monitor == nil {
		cfg.Monitor = monitoring.Log(p.Logger)
	}
	cfg.Monitor = monitoring.All(append(monitors{cfg.Monitor}, p.Monitors...)...)
	conn, err := connection.New(p.Config.URL, cfg)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.Hook{
		OnStart: func(ctx context.Context) error { return connect(ctx, conn, p.Config) },
		OnStop: func(ctx context.Context) error {
			ctx, cancel := leave(ctx, 2)
			defer cancel()
			return conn.Close(ctx)
		},
	})
	return conn, nil
}

// connect waits for the broker, if the application does.
func connect(ctx context.Context, conn *connection.Connection, cfg Config) error {
	if err := conn.Health(); errors.Is(err, connection.ErrClosed) {
		return fmt.Errorf("an application that was stopped cannot be started again: %w", err)
	}
	if cfg.StartWithoutBroker {
		return nil
	}
	soon, cancel := starting(ctx)
	defer cancel()
	err := conn.Connect(soon)
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(soon), context.DeadlineExceeded) {
		err = fmt.Errorf("%w; raise fx.StartTimeout to wait longer, or set StartWithoutBroker of warrenfx.Config", err)
	}
	// Fx does not stop what has not started.
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

func newPublisher(lifecycle fx.Lifecycle, cfg Config, conn *connection.Connection) (*publisher.Publisher, error) {
	p, err := publisher.New(conn, cfg.Publisher)
	if err != nil {
		return nil, err
	}
	lifecycle.Append(fx.StopHook(func(ctx context.Context) error {
		ctx, cancel := leave(ctx, 3)
		defer cancel()
		return p.Close(ctx)
	}))
	return p, nil
}
