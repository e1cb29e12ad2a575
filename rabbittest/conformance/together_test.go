package conformance_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	programs  = flag.Int("programs", 8, "how many random programs TestTogether compares")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first of them")
)

// TestTogether runs random programs on rabbittest and on RabbitMQ, and compares what they see step by step: three
// clients and all that they can do to the messages of one queue of any kind, where TestScripts has many queues and
// exchanges, and does less to each. A difference that it finds becomes a row.
func TestTogether(t *testing.T) {
	b := rabbitMQ(t)
	for seed := *firstSeed; seed < *firstSeed+uint64(*programs); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			var ours string
			synctest.Test(t, func(t *testing.T) {
				ours = program(newEnv(t, inProcess(t, b.version)), seed, quiet)
			})
			theirs := ""
			for _, pace := range []time.Duration{quiet / 2, 3 * quiet} { // a busy machine may need the second
				if theirs = program(newEnv(t, b), seed, pace); theirs == ours {
					return
				}
			}
			t.Errorf("on %s, seed %d:\n%s", b.version, seed, sideBySide(ours, theirs))
		})
	}
}

// sideBySide shows two traces up to where they part.
func sideBySide(ours, theirs string) string {
	a, b := strings.Split(ours, "\n"), strings.Split(theirs, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return strings.Join(a[:i], "\n") + "\n rabbittest: " + a[i] + "\n   RabbitMQ: " + b[i]
		}
	}
	return fmt.Sprintf("%d and %d steps", len(a), len(b))
}

// program does what the seed says, a step at each pace, and returns what it saw.
func program(e *env, seed uint64, pace time.Duration) string {
	p := &player{env: e, pace: pace, random: rand.New(rand.NewPCG(seed, 0))}
	p.setUp()
	for range 25 {
		p.step()
	}
	for i, line := range p.trace {
		p.trace[i] = e.mask(line)
	}
	return strings.Join(p.trace, "\n")
}

// A player runs one random program.
type player struct {
	*env
	random *rand.Rand
	pace   time.Duration
	q, dlq string
	seats  [3]*seat
	sent   int
	trace  []string
}

// A seat is a channel with what it consumes and holds.
type seat struct {
	*channel
	deliveries <-chan amqp.Delivery
	held       []amqp.Delivery
}

func (p *player) one(of ...string) string { return of[p.random.IntN(len(of))] }
func (p *player) often(percent int) bool  { return p.random.IntN(100) < percent }

// setUp declares a queue with random arguments, and another one for its dead.
func (p *player) setUp() {
	args, isQuorum := amqp.Table{}, p.often(50)
	if p.often(70) {
		args = p.toDLQ()
	}
	if p.often(30) {
		args["x-max-length"] = 1 + p.random.IntN(3)
	}
	if p.often(25) {
		args["x-single-active-consumer"] = true
	}
	switch {
	case isQuorum && p.often(50):
		args["x-delivery-limit"] = p.random.IntN(3)
	case !isQuorum && p.often(40):
		args["x-overflow"] = p.one("drop-head", "reject-publish", "reject-publish-dlx")
	}
	if !isQuorum && p.often(40) {
		args["x-max-priority"] = 3
	}
	if !isQuorum && args["x-overflow"] == "reject-publish-dlx" && args["x-dead-letter-exchange"] == nil {
		delete(args, "x-overflow")
	}
	p.dlq = p.classic("dlq", nil)
	if isQuorum {
		args["x-queue-type"] = "quorum"
	}
	p.q = p.classic("q", args)
	p.trace = append(p.trace, fmt.Sprint(showValue(args)))
	for i := range p.seats {
		p.sit(i)
	}
}

// sit opens a channel on a connection of its own.
func (p *player) sit(i int) {
	s := &seat{channel: p.channelOn(p.connect())}
	p.must(s.Qos(p.random.IntN(4), 0, false))
	p.seats[i] = s
}

// step does one thing, waits until nothing more comes of it, and notes what has.
func (p *player) step() {
	i := p.random.IntN(len(p.seats))
	s := p.seats[i]
	did := p.act(i, s)
	p.sleep(p.pace)
	line := fmt.Sprintf("%d %s", i, did)
	for n, s := range p.seats {
		for open := true; open; {
			select {
			case d, ok := <-s.deliveries:
				if !ok {
					s.deliveries = nil
					break
				}
				s.held = append(s.held, d)
				line += fmt.Sprintf("; %d gets %s tag=%d %s", n, d.Body, d.DeliveryTag, counted(d))
			case <-time.After(20 * time.Millisecond): // the client hands them over one by one
				open = false
			}
		}
	}
	p.trace = append(p.trace, line+"; "+p.counts(p.q)+" / "+p.counts(p.dlq))
}

func (p *player) act(i int, s *seat) string {
	switch action := p.one("publish", "publish", "publish", "publish", "get", "consume", "settle", "settle", "settle", "settle all", "close", "cancel", "purge", "dead"); action {
	case "publish":
		return p.send()
	case "get":
		d, ok, err := s.Get(p.q, false)
		if err != nil {
			fate := s.fate()
			p.sit(i)
			return "get " + fate
		}
		if !ok {
			return "get nothing"
		}
		s.held = append(s.held, d)
		return fmt.Sprintf("get %s tag=%d %s left=%d", d.Body, d.DeliveryTag, counted(d), d.MessageCount)
	case "consume":
		if s.deliveries != nil {
			return "consumes already"
		}
		args := amqp.Table{}
		if p.often(30) {
			args["x-priority"] = p.random.IntN(3)
		}
		s.deliveries = s.consume(p.q, fmt.Sprintf("c%d", i), args)
		return "consume " + showValue(args)
	case "cancel":
		p.must(s.Cancel(fmt.Sprintf("c%d", i), false))
		return action
	case "settle":
		if len(s.held) == 0 {
			return "nothing to settle"
		}
		at := p.random.IntN(len(s.held))
		d := s.held[at]
		s.held = append(s.held[:at:at], s.held[at+1:]...)
		return p.settle(d)
	case "settle all":
		if len(s.held) == 0 {
			return "nothing to settle"
		}
		highest := s.held[0]
		for _, d := range s.held {
			if d.DeliveryTag > highest.DeliveryTag {
				highest = d
			}
		}
		s.held = nil
		requeue := p.often(60)
		p.must(highest.Nack(true, requeue))
		return fmt.Sprintf("nack all, requeue=%t", requeue)
	case "close":
		how := p.one("channel", "connection", "drop")
		switch how {
		case "channel":
			p.must(s.Close())
		case "connection":
			p.must(s.conn.Close())
		default:
			p.must(p.sockets[s.conn].Close())
		}
		p.sit(i)
		return "close " + how
	case "purge":
		n, err := s.QueuePurge(p.q, false)
		p.must(err)
		return fmt.Sprintf("purge %d", n)
	default:
		return "dead: " + p.taken(p.dlq)
	}
}

func (p *player) settle(d amqp.Delivery) string {
	switch p.random.IntN(5) {
	case 0:
		p.must(d.Ack(false))
		return fmt.Sprintf("ack %d", d.DeliveryTag)
	case 1:
		p.must(d.Nack(false, true))
		return fmt.Sprintf("nack %d, requeue", d.DeliveryTag)
	case 2:
		p.must(d.Nack(false, false))
		return fmt.Sprintf("nack %d", d.DeliveryTag)
	case 3:
		p.must(d.Reject(true))
		return fmt.Sprintf("reject %d, requeue", d.DeliveryTag)
	default:
		p.must(d.Reject(false))
		return fmt.Sprintf("reject %d", d.DeliveryTag)
	}
}

func (p *player) send() string {
	ch := p.channel()
	defer func() { _ = ch.Close() }()
	p.must(ch.Confirm(false))
	p.sent++
	m := say(fmt.Sprint("m", p.sent))
	if p.often(40) {
		m.Priority = uint8(p.random.IntN(9))
	}
	return fmt.Sprintf("publish %s p%d: %s", m.Body, m.Priority, ch.confirmed("", p.q, m))
}
