package rabbittest_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

// A quorum queue whose process is dead. What RabbitMQ 3.10.8, 4.0.5 and 4.3.6 do was seen on a node whose ra server was
// killed until its supervisor gave up.
func TestACrashedQueue(t *testing.T) {
	for version, refusal := range map[string]string{
		"3.10": "INTERNAL_ERROR", "4.0": "INTERNAL_ERROR",
		"4.3": "INTERNAL_ERROR - failed consuming from quorum queue 'q' in vhost '/': noproc",
	} {
		inWith(t, rabbittest.Options{Version: version}, func(t *testing.T, b *rabbittest.Broker) {
			ch := channel(t, b)
			declare(t, ch, "q", amqp.Table{"x-queue-type": "quorum"})
			must(t, ch.Confirm(false))
			publish := func() bool {
				d, err := ch.PublishWithDeferredConfirm("", "q", true, false, amqp.Publishing{Body: []byte("x")})
				must(t, err)
				return d.Wait()
			}
			deliveries := consume(t, ch, "q")
			publish()
			held := <-deliveries
			q := b.Queue("q")
			q.Crash()
			if publish() {
				t.Error("a dead queue has taken a message")
			}
			for _, declare := range []func(string, bool, bool, bool, bool, amqp.Table) (amqp.Queue, error){ch.QueueDeclarePassive, ch.QueueDeclare} {
				if info, err := declare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil || info.Messages+info.Consumers > 0 {
					t.Errorf("it is declared as %+v, %v", info, err)
				}
			}
			must(t, held.Ack(false))
			for _, question := range []struct {
				answer string
				ask    func(*amqp.Channel) error
			}{
				{refusal, func(ch *amqp.Channel) error {
					_, err := ch.Consume("q", "", false, false, false, false, nil)
					return err
				}},
				{"INTERNAL_ERROR - Cannot get a message from queue 'queue 'q' in vhost '/'': noproc", func(ch *amqp.Channel) error {
					_, _, err := ch.Get("q", false)
					return err
				}},
				{"INTERNAL_ERROR", func(ch *amqp.Channel) error {
					_, err := ch.QueuePurge("q", false)
					return err
				}},
			} {
				conn := dial(t, b)
				other, err := conn.Channel()
				must(t, err)
				reason := new(amqp.Error)
				if err := question.ask(other); !errors.As(err, &reason) || reason.Code != amqp.InternalError || reason.Reason != question.answer || !conn.IsClosed() {
					t.Errorf("%v, and not %s", err, question.answer)
				}
			}
			select {
			case d := <-deliveries:
				t.Errorf("its consumer got %q", d.Body)
			case <-time.After(time.Hour):
			}
			q.Recover()
			publish()
			if d := <-deliveries; d.Redelivered {
				t.Error("the first one came again")
			}
			q.Crash()
			b.Restart()
			if n := q.Len(); n != 1 || q.Ready() != 1 {
				t.Errorf("after a restart it has %d messages", n)
			}
		})
	}
}

func TestForgottenAndStarvedConsumers(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "q", amqp.Table{"x-queue-type": "quorum"})
		told := ch.NotifyCancel(make(chan string, 1))
		first := consume(t, ch, "q")
		q := b.Queue("q")
		q.StarveConsumers()
		must(t, q.Publish(rabbittest.Message{Body: []byte("x")}))
		if n := len(q.Consumers()); n != 1 || q.Ready() != 1 {
			t.Errorf("%d consumers, %d messages", n, q.Ready())
		}
		q.ForgetConsumers()
		if n := len(q.Consumers()); n != 0 {
			t.Errorf("%d consumers are left", n)
		}
		<-consume(t, channel(t, b), "q")
		select {
		case tag := <-told:
			t.Errorf("%s was cancelled", tag)
		case d := <-first:
			t.Errorf("%s was delivered to it", d.Body)
		case <-time.After(time.Hour):
		}
	})
}

// From 4.3 on a passive declaration needs a permission, but any will do.
func TestAnyPermissionIsEnoughToLook(t *testing.T) {
	none, all := regexp.MustCompile(`^$`), regexp.MustCompile(``)
	for _, user := range []rabbittest.User{
		{Configure: all, Write: none, Read: none},
		{Configure: none, Write: all, Read: none},
		{Configure: none, Write: none, Read: all},
		{Configure: none, Write: none, Read: none},
	} {
		user.Name, user.Password = "peek", "peek"
		o := rabbittest.Options{Version: "4.3", Users: []rabbittest.User{{Name: "guest", Password: "guest"}, user}}
		inWith(t, o, func(t *testing.T, b *rabbittest.Broker) {
			declare(t, channel(t, b), "q", nil)
			conn, err := amqp.DialConfig(strings.Replace(b.URL(), "guest:guest", "peek:peek", 1), amqp.Config{Dial: b.Connect})
			must(t, err)
			defer func() { _ = conn.Close() }()
			ch, err := conn.Channel()
			must(t, err)
			_, err = ch.QueueDeclarePassive("q", true, false, false, false, nil)
			if refused := user.Configure == none && user.Write == none && user.Read == none; refused != (err != nil) {
				t.Errorf("%+v: %v", user, err)
			}
		})
	}
}
