package warrenfx_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

// closer is a monitor whose Close takes a context, and which counts acks.
type closer struct {
	acked int
	close func(ctx context.Context) error
}

func (c *closer) Observe(_ context.Context, e monitoring.Event) {
	if _, is := e.(monitoring.Acked); is {
		c.acked++
	}
}

func (c *closer) Close(ctx context.Context) error { return c.close(ctx) }

// as makes a constructor of a monitor for the group.
func as(c *closer) fx.Option {
	return fx.Provide(warrenfx.AsMonitor(func() (*closer, error) { return c, nil }))
}

func TestEveryMonitorIsToldAndTheLogToo(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		fine := func(context.Context) error { return nil }
		one, two := &closer{close: fine}, &closer{close: fine}
		var log bytes.Buffer
		cfg := config(broker)
		cfg.Connection.Monitor = nil
		a := app(t, cfg,
			warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{Workers: 1}),
			as(one), as(two),
			fx.Provide(
				warrenfx.AsMonitor(func() *closer { return nil }),            // it is not configured
				warrenfx.AsMonitor(func() monitoring.Monitor { return nil }), // nor is this
			),
			fx.Supply(slog.New(slog.NewTextHandler(&log, nil))),
		).RequireStart()
		publish(t, broker.Queue("orders"), "7", "8")
		a.RequireStop()
		if one.acked != 2 || two.acked != 2 {
			t.Errorf("the monitors were told of %d and %d acks", one.acked, two.acked)
		}
		if !strings.Contains(log.String(), "consumer stopped") || strings.Contains(log.String(), "panicked") {
			t.Errorf("the log says:\n%s", &log)
		}
	})
}

func TestAMonitorOfTheConfigurationTakesThePlaceOfTheLog(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var log bytes.Buffer
		one := &closer{close: func(context.Context) error { return nil }}
		a := app(t, config(broker), // Discard
			warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{Workers: 1}),
			as(one),
			fx.Supply(slog.New(slog.NewTextHandler(&log, nil))),
		).RequireStart()
		publish(t, broker.Queue("orders"), "7")
		a.RequireStop()
		if log.Len() > 0 || one.acked != 1 {
			t.Errorf("%d acks; the log says:\n%s", one.acked, &log)
		}
	})
}

// One that fails, panics or hangs keeps no other from being closed.
func TestMonitorsAreClosedSideBySide(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var closed []string
		hang := make(chan struct{})
		errFlush := errors.New("the network is gone")
		a := app(t, config(broker),
			as(&closer{close: func(context.Context) error { return errFlush }}),
			as(&closer{close: func(context.Context) error { panic("at the disco") }}),
			as(&closer{close: func(context.Context) error { <-hang; return nil }}),
			as(&closer{close: func(ctx context.Context) error {
				time.Sleep(time.Second)
				if ctx.Err() == nil {
					closed = append(closed, "slow")
				}
				return nil
			}}),
		).RequireStart()
		took, err := stop(t, a)
		if took >= fx.DefaultTimeout || took < fx.DefaultTimeout-time.Second {
			t.Errorf("it took %v", took)
		}
		for _, want := range []string{"the network is gone", "it panicked: at the disco", "close monitor *warrenfx_test.closer: not within"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v, want %q in it", err, want)
			}
		}
		if !errors.Is(err, errFlush) || !slices.Equal(closed, []string{"slow"}) {
			t.Errorf("closed %q: %v", closed, err)
		}
		close(hang)
	})
}
