package connection_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// as returns the broker as another user sees it, in a vhost.
func as(tb testing.TB, b brokers.Broker, user, password, vhost string) brokers.Broker {
	tb.Helper()
	u, err := url.Parse(b.URL)
	must(tb, err)
	u.User = url.UserPassword(user, password)
	u.Path, u.RawPath = "/"+vhost, "/"+strings.ReplaceAll(url.PathEscape(vhost), "@", "%40")
	b.URL = u.String()
	return b
}

// ctl runs rabbitmqctl, and another command at the end of the test.
func ctl(tb testing.TB, n *rabbitmq.Node, undo []string, args ...string) {
	tb.Helper()
	_, err := n.Ctl(tb.Context(), args...)
	must(tb, err)
	if undo != nil {
		tb.Cleanup(func() {
			if _, err := n.Ctl(context.Background(), undo...); err != nil {
				tb.Error(err)
			}
		})
	}
}

func TestNamesWithSpecialCharacters(t *testing.T) {
	const user, password, vhost = "us er/@:%?#ü", "pass/@:%?#[] wörd", "v/ho st@:%?#é"
	options := rabbittest.Options{
		Users: []rabbittest.User{{Name: user, Password: password}}, VHosts: []string{vhost},
	}
	brokers.EachWith(t, options, func(t *testing.T, b brokers.Broker) {
		if b.Test == nil {
			node := rabbitmq.Shared(t)
			ctl(t, node, []string{"delete_user", user}, "add_user", user, password)
			ctl(t, node, []string{"delete_vhost", vhost}, "add_vhost", vhost)
			ctl(t, node, nil, "set_permissions", "-p", vhost, user, ".*", ".*", ".*")
		}
		cfg := quick()
		cfg.Name = "näme/with: special"
		c := connectOn(t, as(t, b, user, password, vhost), cfg)
		session(t, c, connection.Consume)
		out := listConnections(t, b)
		for _, want := range []string{user, vhost, cfg.Name + "/publish", cfg.Name + "/consume", "Warren"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s is not in the list of connections:\n%s", want, out)
			}
		}
		// Without a name of its own it has that of the program.
		cfg.Name = ""
		connectOn(t, as(t, b, user, password, vhost), cfg)
		if out := listConnections(t, b); !strings.Contains(out, filepath.Base(os.Args[0])+"/publish") {
			t.Errorf("the program's name is not in\n%s", out)
		}
	})
}

// listConnections returns what the broker knows of its connections.
func listConnections(tb testing.TB, b brokers.Broker) string {
	tb.Helper()
	if b.Test != nil {
		return fmt.Sprint(b.Test.Connections())
	}
	out, err := rabbitmq.Shared(tb).Ctl(tb.Context(),
		"list_connections", "--formatter", "json", "user", "vhost", "timeout", "client_properties")
	must(tb, err)
	return out
}

func TestAMissingVhost(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		testRefusedVhost(t, as(t, b, "guest", "guest", "no/such"), "vhost no/such not found")
	})
}

// rabbittest has no users who may not enter.
func TestAForbiddenVhost(t *testing.T) {
	ctl(t, rabbitmq.Shared(t), []string{"delete_user", "nobody"}, "add_user", "nobody", "password")
	testRefusedVhost(t, as(t, brokers.RabbitMQ(t), "nobody", "password", "/"), "refused for user 'nobody'")
}

func testRefusedVhost(t *testing.T, b brokers.Broker, want string) {
	t.Helper()
	diary := newDiary()
	network := netproxy.New(b.Dial)
	cfg := quick()
	cfg.MaxRedial = time.Minute
	cfg.Monitor = diary
	cfg.Dial = network.Dial
	c := createOn(t, b, cfg)
	var refused *connection.RefusedError
	var reason *amqp.Error
	for range 2 { // it stands until the next dial says otherwise
		err := c.Connect(soon(t))
		if !errors.As(err, &refused) || !errors.As(err, &reason) || reason.Code != amqp.NotAllowed {
			t.Fatalf("Connect says %v", err)
		}
		if !strings.Contains(err.Error(), want) || refused.Address != c.Nodes()[0] {
			t.Errorf("Connect says %v", err)
		}
	}
	until(t, "the event", func() bool { return len(told[monitoring.DialFailed](diary)) > 0 })
	all := told[monitoring.DialFailed](diary)
	if len(all) != 1 || !all[0].Refused || all[0].Next < 30*time.Second || all[0].Tries != 1 {
		t.Errorf("told %+v", all)
	}
	if !strings.Contains(diary.text(), "level=ERROR") {
		t.Errorf("logged %s", diary.text())
	}
	// Others wait: it may be mended.
	_, err := c.Session(after(t, 50*time.Millisecond), connection.Publish)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &refused) {
		t.Errorf("Session says %v", err)
	}
	if err := c.Health(); !errors.Is(err, connection.ErrNotConnected) || !errors.As(err, &refused) {
		t.Errorf("Health says %v", err)
	}
	if n := network.Dials(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
	within(t, 5*time.Second, "Close", func() { must(t, c.Close(t.Context())) })
}

// RabbitMQ waits some seconds after a wrong password and hangs up without a
// word, as a broker does that dies.
func TestAWrongPasswordIsBelievedWhenSeenTwice(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		var mended atomic.Bool
		diary := newDiary()
		cfg := quick()
		cfg.Monitor = diary
		cfg.Credentials = func(context.Context) (string, string, error) {
			if mended.Load() {
				return "guest", "guest", nil
			}
			return "guest", "wrong", nil
		}
		c := createOn(t, b, cfg)
		var refused *connection.RefusedError
		err := c.Connect(soon(t))
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "username or password not allowed") {
			t.Fatalf("Connect says %v", err)
		}
		all := told[monitoring.DialFailed](diary)
		if len(all) != 2 || all[0].Refused || !all[1].Refused {
			t.Errorf("told %+v", all)
		}
		if errors.As(all[0].Err, &refused) {
			t.Errorf("the first says %v", all[0].Err)
		}
		mended.Store(true)
		session(t, c, connection.Publish)
		must(t, c.Connect(t.Context()))
		must(t, c.Health())
	})
}

// A limit of connections is a refusal that passes when another one goes.
func TestAConnectionLimit(t *testing.T) {
	node := rabbitmq.Shared(t)
	ctl(t, node, []string{"delete_user", "few"}, "add_user", "few", "few")
	ctl(t, node, nil, "set_permissions", "few", ".*", ".*", ".*")
	ctl(t, node, nil, "set_user_limits", "few", `{"max-connections":1}`)
	few := brokers.RabbitMQ(t).As("few")
	first := connectOn(t, few, quick())
	second := createOn(t, few, quick())
	var refused *connection.RefusedError
	var reason *amqp.Error
	err := second.Connect(soon(t))
	if !errors.As(err, &refused) || !errors.As(err, &reason) || reason.Code != amqp.NotAllowed {
		t.Fatalf("Connect says %v", err)
	}
	must(t, first.Close(t.Context()))
	session(t, second, connection.Publish)
}
