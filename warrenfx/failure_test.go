package warrenfx_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

var errNowhere = errors.New("there is no such place")

// failingDialer dials nobody.
type failingDialer struct{}

func (*failingDialer) dial(context.Context, string, string) (net.Conn, error) { return nil, errNowhere }

func TestAConsumerThatFailsForGoodShutsDown(t *testing.T) {
	for name, c := range map[string]struct {
		code, want int
		fail       func(t *testing.T, broker *rabbittest.Broker, conn *connection.Connection)
		says       string
	}{
		"its queue is refused": {
			code: 3, want: 3, says: "PRECONDITION_FAILED",
			fail: func(_ *testing.T, broker *rabbittest.Broker, _ *connection.Connection) { broker.Boot() },
		},
		"someone closes the connection": {
			want: 1, says: connection.ErrClosed.Error(),
			fail: func(t *testing.T, _ *rabbittest.Broker, conn *connection.Connection) {
				must(t, conn.Close(t.Context()))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
				declareOther(t, broker, "orders")
				broker.Stop() // so that it fails after the start
				var conn *connection.Connection
				var log bytes.Buffer
				cfg := config(broker)
				cfg.StartWithoutBroker, cfg.ExitCode = true, c.code
				a := app(t, cfg,
					warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}),
					fx.Supply(slog.New(slog.NewTextHandler(&log, nil))),
					fx.Populate(&conn),
				).RequireStart()
				wait := a.Wait()
				c.fail(t, broker, conn)
				select {
				case signal := <-wait:
					if signal.ExitCode != c.want {
						t.Errorf("the exit code is %d, want %d", signal.ExitCode, c.want)
					}
				case <-time.After(time.Hour):
					t.Error("the application goes on")
				}
				a.RequireStop() // an error would take the place of the exit code
				for _, want := range []string{"shutting down, a consumer failed", c.says, `consumer of \"orders\"`} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log does not say %q:\n%s", want, &log)
					}
				}
			})
		})
	}
}

// Several that fail are one failure.
func TestManyThatFailShutDownOnce(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var conn *connection.Connection
		var log bytes.Buffer
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}),
			warrenfx.ConsumeFunc("refunds", sleeper(0), consumer.Config{}),
			fx.Supply(slog.New(slog.NewTextHandler(&log, nil))),
			fx.Populate(&conn),
		).RequireStart()
		wait := a.Wait()
		must(t, conn.Close(t.Context()))
		time.Sleep(time.Minute) // until each has tried, and failed
		if signal := <-wait; signal.ExitCode != 1 {
			t.Errorf("the exit code is %d", signal.ExitCode)
		}
		a.RequireStop()
		if n := strings.Count(log.String(), "shutting down"); n != 1 {
			t.Errorf("it was said %d times:\n%s", n, &log)
		}
	})
}

// Whoever stops one consumer by hand wants the others to go on.
func TestStoppingOneConsumerIsNoFailure(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var one *consumer.Consumer
		a := app(t, config(broker),
			fx.Provide(warrenfx.AsConsumer(func(conn *connection.Connection) (_ *consumer.Consumer, err error) {
				one, err = consumer.New(conn, "orders", sleeper(0), consumer.Config{})
				return one, err
			})),
			warrenfx.ConsumeFunc("refunds", sleeper(0), consumer.Config{}),
		).RequireStart()
		wait := a.Wait()
		must(t, one.Stop(t.Context()))
		time.Sleep(time.Hour)
		publish(t, broker.Queue("refunds"), "7")
		if len(wait) > 0 {
			t.Error("the application was shut down")
		}
		a.RequireStop()
		if n := acks(broker.Queue("refunds")); n != 1 {
			t.Errorf("%d messages were acked", n)
		}
	})
}

// Not even if not everything was settled. That is told when the application stops.
func TestStoppingOneConsumerWithoutPatienceIsNoFailure(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var one *consumer.Consumer
		a := app(t, config(broker),
			fx.Provide(warrenfx.AsConsumer(func(conn *connection.Connection) (_ *consumer.Consumer, err error) {
				one, err = consumer.New(conn, "orders", sleeper(time.Minute), consumer.Config{})
				return one, err
			})),
		).RequireStart()
		wait := a.Wait()
		publish(t, broker.Queue("orders"), "7")
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var undone *consumer.DrainError
		if err := one.Stop(soon); !errors.As(err, &undone) {
			t.Fatalf("it is stopped: %v", err)
		}
		time.Sleep(time.Hour)
		if len(wait) > 0 {
			t.Error("the application was shut down")
		}
		if _, err := stop(t, a); !errors.As(err, &undone) {
			t.Errorf("the application is stopped: %v", err)
		}
	})
}
