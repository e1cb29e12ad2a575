package engine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// client is a Peer that notes what it is told, one word or two for each.
type client struct {
	*Channel
	heard []string
}

func (c *client) Deliver(_ string, d Delivery) {
	mark := ""
	if d.Redelivered {
		mark = "(r)"
	}
	c.heard = append(c.heard, string(d.Body)+mark)
}
func (c *client) Return(code uint16, _ string, m *Message) { c.note("return %d %s", code, m.Body) }
func (c *client) Confirm(tag uint64, ack bool)             { c.note("confirm %d %v", tag, ack) }
func (c *client) Cancel(tag string)                        { c.note("cancel %s", tag) }
func (c *client) Close(err *Error)                         { c.note("close %v", err) }
func (c *client) note(format string, args ...any) {
	c.heard = append(c.heard, fmt.Sprintf(format, args...))
}

// said returns what was heard since the last time.
func (c *client) said() (s string) {
	c.node.Do(func() {
		s = strings.Join(c.heard, ", ")
		c.heard = nil
	})
	return s
}

type kit struct {
	*testing.T
	node *Node
}

// inBubble runs a test with a node of a version, in virtual time.
func inBubble(t *testing.T, version string, f func(k *kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, err := ProfileOf(version)
		if err != nil {
			t.Fatal(err)
		}
		k := &kit{T: t, node: New(Config{Profile: p}, "/")}
		f(k)
		k.node.Close()
	})
}

func (k *kit) channel() *client {
	c := &client{}
	k.node.Do(func() {
		conn, err := k.node.Connect("/", "guest")
		if err != nil {
			k.Fatal(err)
		}
		c.Channel = conn.Channel(1, c)
	})
	return c
}

func (k *kit) do(f func() *Error) {
	k.Helper()
	var err *Error
	k.node.Do(func() { err = f() })
	if err != nil {
		k.Fatal(err)
	}
}

func (k *kit) declare(c *client, name string, args wire.Table) {
	k.Helper()
	k.do(func() *Error {
		_, err := c.QueueDeclare(QueueSpec{Name: name, Durable: true, Arguments: args})
		return err
	})
}

func (k *kit) publish(c *client, key string, bodies ...string) {
	k.Helper()
	for _, b := range bodies {
		k.do(func() *Error { return c.Publish(Publishing{Key: key, Body: []byte(b)}) })
	}
}

func (k *kit) consume(c *client, queue string) {
	k.Helper()
	k.do(func() *Error {
		_, err := c.Consume(Subscription{Queue: queue, Tag: queue})
		return err
	})
}

func (k *kit) hears(c *client, want string) {
	k.Helper()
	if got := c.said(); got != want {
		k.Errorf("heard %q, want %q", got, want)
	}
}

func TestAMessageGoesRoundThroughARetryQueue(t *testing.T) {
	for _, version := range Versions() {
		t.Run(version, func(t *testing.T) {
			inBubble(t, version, func(k *kit) {
				c := k.channel()
				quorum := wire.Field{Name: "x-queue-type", Value: "quorum"}
				k.declare(c, "main", wire.Table{
					quorum, {Name: "x-dead-letter-exchange", Value: ""}, {Name: "x-dead-letter-routing-key", Value: "retry"},
				})
				k.declare(c, "retry", wire.Table{
					quorum,
					{Name: "x-message-ttl", Value: int32(60000)},
					{Name: "x-dead-letter-exchange", Value: ""},
					{Name: "x-dead-letter-routing-key", Value: "main"},
					{Name: "x-dead-letter-strategy", Value: "at-least-once"},
					{Name: "x-overflow", Value: "reject-publish"},
				})
				k.consume(c, "main")
				k.publish(c, "main", "x")
				for tag := range uint64(3) {
					if c.said() == "" {
						k.Fatalf("round %d: nothing came back", tag)
					}
					k.do(func() *Error { return c.Reject(tag+1, false) })
					time.Sleep(time.Minute)
					synctest.Wait()
				}
				k.node.Do(func() {
					state, _ := k.node.Queue("/", "main")
					if state.Unacked != 1 || len(c.Unsettled("/", "main")) != 1 {
						k.Fatalf("main has %+v", state)
					}
					m := c.Unsettled("/", "main")[0]
					deaths, _ := m.Properties.Headers.Get("x-death")
					if list := deaths.(wire.Array); len(list) != 2 || text(list[0].(wire.Table), "reason") != "expired" {
						k.Errorf("x-death is %v", deaths)
					}
				})
				if start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); time.Since(start) != 3*time.Minute {
					k.Errorf("it took %v", time.Since(start))
				}
			})
		})
	}
}

func TestRequeuedMessagesKeepTheirPlace(t *testing.T) {
	inBubble(t, "3.10", func(k *kit) {
		c := k.channel()
		k.declare(c, "q", nil)
		k.publish(c, "q", "1", "2", "3", "4")
		k.do(func() *Error { return c.Qos(0, 3, false) })
		k.consume(c, "q")
		k.hears(c, "1, 2, 3")
		k.do(func() *Error { return c.Nack(2, false, true) })
		k.hears(c, "2(r)")
		k.do(func() *Error { return c.Ack(4, true) })
		k.hears(c, "4")
	})
}
