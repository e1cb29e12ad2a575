package conformance_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// patience is how long a row waits for what must come.
	patience = 15 * time.Second
	// quiet is how long nothing must come until a row believes that nothing will.
	quiet = 300 * time.Millisecond
)

// env is what a row works with. All that it makes is gone when the row ends.
type env struct {
	testing.TB
	broker    broker
	token     string                        // in every name that the row makes, and in no other's
	conns     []*amqp.Connection            // in the order in which they were opened
	first     *amqp.Connection              // what [env.conn] returns
	publisher *channel                      // what [env.put] publishes over
	sockets   map[*amqp.Connection]net.Conn // what connections run over, to drop them
	queues    []string                      // to delete
	exchanges []string                      // to delete
}

func newEnv(tb testing.TB, b broker) *env {
	e := &env{TB: tb, broker: b, sockets: map[*amqp.Connection]net.Conn{}, token: "-" + strings.ToLower(rand.Text()[:10])}
	tb.Cleanup(e.close)
	return e
}

// close takes away what the row has left.
func (e *env) close() {
	for _, c := range e.conns {
		_ = c.Close() // most rows break theirs
	}
	if len(e.queues)+len(e.exchanges) == 0 {
		return
	}
	conn, err := e.dial(amqp.Config{})
	if err != nil {
		e.Errorf("clean up: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		e.Errorf("clean up: %v", err)
		return
	}
	for _, name := range e.queues {
		if _, err := ch.QueueDelete(name, false, false, false); err != nil {
			e.Errorf("clean up: %v", err)
			return
		}
	}
	for _, name := range e.exchanges {
		if err := ch.ExchangeDelete(name, false, false); err != nil {
			e.Errorf("clean up: %v", err)
			return
		}
	}
}

// name returns a name that no other row has. What the row saw reads as if it were just this.
func (e *env) name(plain string) string { return plain + e.token }

// queue returns a name for a queue, which is deleted in the end. It is not declared.
func (e *env) queue(plain string) string {
	e.queues = append(e.queues, e.name(plain))
	return e.name(plain)
}

// exchange returns a name for an exchange, which is deleted in the end. It is not declared.
func (e *env) exchange(plain string) string {
	e.exchanges = append(e.exchanges, e.name(plain))
	return e.name(plain)
}

// generated are the names that brokers and clients make up.
var generated = regexp.MustCompile(`\b(amq\.gen|amq\.ctag|ctag)-[A-Za-z0-9_./-]+`)

// mask makes what was seen the same in every run, and one line.
func (e *env) mask(seen string) string {
	seen = strings.NewReplacer(e.token, "", "\n", `\n`).Replace(seen)
	return generated.ReplaceAllString(seen, "$1-…")
}

// must ends the row where something fails that it does not ask about.
func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("unexpected: %v", err)
	}
}

// sleep lets time pass.
func (e *env) sleep(d time.Duration) { time.Sleep(d) }

// dial opens a connection that the caller closes.
func (e *env) dial(c amqp.Config) (*amqp.Connection, error) {
	return e.dialAs("guest:guest", "%2f", c)
}

// dialAs opens a connection, as user:password and to an escaped vhost, that the caller closes.
func (e *env) dialAs(user, vhost string, c amqp.Config) (*amqp.Connection, error) {
	var socket net.Conn
	c.Dial = func(_, _ string) (net.Conn, error) {
		conn, err := e.broker.dial()
		if err != nil {
			return nil, err
		}
		socket = conn
		return conn, conn.SetDeadline(time.Now().Add(patience)) // the client takes it off when it is connected
	}
	// Heartbeats would keep time running in a bubble, and the URL alone can switch them off.
	conn, err := amqp.DialConfig("amqp://"+user+"@broker/"+vhost+"?heartbeat=0", c)
	e.sockets[conn] = socket
	return conn, err
}

// conn returns the row's first connection, which is opened when it is asked for.
func (e *env) conn() *amqp.Connection {
	e.Helper()
	if e.first == nil {
		e.first = e.connect()
	}
	return e.first
}

// connect opens one more connection.
func (e *env) connect() *amqp.Connection {
	e.Helper()
	conn, err := e.dial(amqp.Config{})
	e.must(err)
	e.conns = append(e.conns, conn)
	return conn
}

// channel opens a channel on the row's first connection.
func (e *env) channel() *channel {
	e.Helper()
	return e.channelOn(e.conn())
}

// channelOn opens a channel.
func (e *env) channelOn(conn *amqp.Connection) *channel {
	e.Helper()
	ch, err := conn.Channel()
	e.must(err)
	return &channel{
		Channel: ch,
		e:       e,
		conn:    conn,
		gone:    ch.NotifyClose(make(chan *amqp.Error, 1)),
	}
}

// try opens a channel of its own, does something with it, and returns [channel.fate]. An error of the client itself
// goes before.
func (e *env) try(do func(ch *channel) error) string {
	e.Helper()
	return e.tryOn(e.conn(), do)
}

// tryOn is [env.try] on another connection.
func (e *env) tryOn(conn *amqp.Connection, do func(ch *channel) error) string {
	e.Helper()
	ch := e.channelOn(conn)
	if err := do(ch); err != nil && !errors.As(err, new(*amqp.Error)) {
		return err.Error()
	}
	return ch.fate()
}

// put publishes bodies and waits until the broker has them, so that what the row does next finds them in their
// queues. It has a channel of its own.
func (e *env) put(exchange, key string, bodies ...string) {
	e.Helper()
	for _, body := range bodies {
		e.publish(exchange, key, amqp.Publishing{Body: []byte(body)})
	}
}

// publish publishes one message and waits until the broker has it, as [env.put] does.
func (e *env) publish(exchange, key string, p amqp.Publishing) {
	e.Helper()
	if e.publisher == nil {
		ch := e.channelOn(e.connect()) // of its own, which no row breaks
		e.must(ch.Confirm(false))
		e.publisher = ch
	}
	if confirmed := e.publisher.confirmed(exchange, key, p); confirmed != "ack" {
		e.Fatalf("publish to %q, %q: %s", exchange, key, e.mask(confirmed))
	}
}

// get takes a message from a queue and acknowledges it.
func (e *env) get(queue string) (amqp.Delivery, bool) {
	e.Helper()
	ch := e.channel()
	defer func() { _ = ch.Close() }()
	d, ok, err := ch.Get(queue, true)
	e.must(err)
	return d, ok
}

// taken takes a message from a queue and shows it, or "none".
func (e *env) taken(queue string) string {
	e.Helper()
	d, ok := e.get(queue)
	if !ok {
		return "none"
	}
	return show(d)
}

// drain takes all messages that are ready in a queue and lists them as [list] does.
func (e *env) drain(queue string) string {
	e.Helper()
	var all []amqp.Delivery
	for {
		d, ok := e.get(queue)
		if !ok {
			return list(all)
		}
		all = append(all, d)
	}
}

// next returns the next delivery, which must come.
func (e *env) next(from <-chan amqp.Delivery) amqp.Delivery {
	e.Helper()
	select {
	case d, ok := <-from:
		if !ok {
			e.Fatal("the deliveries have ended")
		}
		return d
	case <-time.After(patience):
		e.Fatal("no delivery has come")
	}
	panic("unreachable")
}

// receive lists the next n deliveries as [list] does. They must come.
func (e *env) receive(from <-chan amqp.Delivery, n int) string {
	e.Helper()
	all := make([]amqp.Delivery, 0, n)
	for range n {
		all = append(all, e.next(from))
	}
	return list(all)
}

// rest lists the deliveries that come until nothing comes for a while: "1,2,-". A closed channel ends with "closed".
func (e *env) rest(from <-chan amqp.Delivery) string {
	e.Helper()
	var all []amqp.Delivery
	for listen := e.listening(); ; {
		select {
		case d, ok := <-from:
			if !ok {
				return join(list(all), "closed")
			}
			all = append(all, d)
		case <-time.After(quiet):
			if !listen() {
				return join(list(all), "-")
			}
		}
	}
}

// listening returns a function that tells, after a quiet time, whether to listen on. What is quick on an idle machine
// takes long on a busy one, and so does a dial, by which that shows.
func (e *env) listening() func() bool {
	const most = 5
	rounds := 0
	return func() bool {
		e.Helper()
		began := time.Now()
		conn, err := e.dial(amqp.Config{})
		e.must(err)
		e.must(conn.Close())
		rounds++
		return time.Since(began) > quiet/3 && rounds < most
	}
}

// join puts an end to a list that may be empty.
func join(list, end string) string {
	if list == "none" {
		return end
	}
	return list + "," + end
}

// counts is a queue as queue.declare-ok shows it.
func (e *env) counts(queue string) string {
	e.Helper()
	ch := e.channel()
	defer func() { _ = ch.Close() }()
	q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	if err != nil {
		return ch.fate()
	}
	return fmt.Sprintf("messages=%d consumers=%d", q.Messages, q.Consumers)
}

// until waits for what a row cannot be told of. It asks again and again, and returns what it saw last.
func (e *env) until(want string, ask func() string) string {
	deadline := time.Now().Add(patience)
	for {
		got := ask()
		if got == want || time.Now().After(deadline) {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
}
