package conformance_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// How many scripts are tried, and how long one is.
const (
	scripts      = 150
	scriptLength = 30
)

// settled is how long nothing must happen until a script believes that a step has had all its effects.
const settled = 80 * time.Millisecond

// TestScripts does random things with RabbitMQ, and the same with rabbittest, and compares what both say after each.
// It looks for differences that nobody has thought of a row for. A script that finds one is a row to be.
func TestScripts(t *testing.T) {
	b := rabbitMQ(t)
	for seed := range scripts {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			want := play(t, b, uint64(seed))
			t.Run("rabbittest", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					compare(t, play(t, inProcess(t, b.version), uint64(seed)), want)
				})
			})
		})
	}
}

// compare shows the first difference, and what led to it.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range want {
		if i < len(got) && got[i] == want[i] {
			continue
		}
		other := "nothing"
		if i < len(got) {
			other = got[i]
		}
		t.Fatalf("after\n\t%s\n got: %s\nwant: %s", strings.Join(want[:i], "\n\t"), other, want[i])
	}
}

// A player does one thing after another.
type player struct {
	*env
	rand      *rand.Rand
	channels  [2]*channel
	returns   [2]chan amqp.Return
	held      [2][]held // what each channel has and has not settled
	consumers map[string]*consumer
	serial    int
}

// held is a delivery that is not settled. Two queues may deliver to one channel in either order, so what is done must not
// depend on delivery tags.
type held struct {
	body string
	tag  uint64
}

func (p *player) hold(i int, d amqp.Delivery) {
	p.held[i] = append(p.held[i], held{string(d.Body), d.DeliveryTag})
	slices.SortFunc(p.held[i], func(a, b held) int { return cmp.Or(cmp.Compare(a.body, b.body), cmp.Compare(a.tag, b.tag)) })
}

// A consumer is a subscription of a player.
type consumer struct {
	channel    int
	tag        string
	deliveries <-chan amqp.Delivery
	automatic  bool
}

// play returns what was done, and what came of it.
func play(t *testing.T, b broker, seed uint64) []string {
	t.Helper()
	e := newEnv(t, b)
	p := &player{env: e, rand: rand.New(rand.NewPCG(seed, 0)), consumers: map[string]*consumer{}}
	for i := range p.channels {
		p.reopen(i)
	}
	for _, name := range queueNames {
		e.queue(name)
	}
	for _, name := range exchangeNames {
		e.exchange(name)
	}
	var seen []string
	for range 6 { // something to begin with
		seen = append(seen, p.step(p.declareQueue), p.step(p.declareExchange), p.step(p.bind))
	}
	for range scriptLength {
		seen = append(seen, p.step(p.choose()))
	}
	for _, name := range queueNames { // what is left
		seen = append(seen, p.mask(name+": "+p.counts(p.name(name))))
	}
	return seen
}

var (
	queueNames    = []string{"q1", "q2", "q3"}
	exchangeNames = []string{"x1", "x2"}
	routingKeys   = []string{"a", "a.b", "b.c.d", "q1", ""}
	patterns      = []string{"a", "a.*", "#", "*.#", "#.d", "q1", ""}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// choose picks a kind of step: those at the end are rarer.
func (p *player) choose() func() string {
	common := []func() string{p.publish, p.publish, p.publish, p.get, p.settle, p.settle, p.settle, p.subscribe}
	rare := []func() string{
		p.declareQueue, p.declareExchange, p.bind, p.unbind, p.cancel, p.purge, p.recover, p.deleteQueue,
		p.deleteExchange, p.closeChannel, p.qos, p.bindExchange,
	}
	if p.rand.IntN(3) == 0 {
		return pick(p.rand, rare)
	}
	return pick(p.rand, common)
}

// step does one thing, waits for its effects, and mends what it broke.
func (p *player) step(do func() string) string {
	did := do()
	for i, ch := range p.channels {
		fate := ch.fate()
		if fate == "no error" {
			continue
		}
		did += fmt.Sprintf(" [channel %d: %s]", i, fate)
		if p.conn().IsClosed() {
			p.first = nil
			p.reopen(0)
			p.reopen(1)
			break
		}
		p.reopen(i)
	}
	if came := p.collect(); came != "" {
		did += " → " + came
	}
	return p.mask(did)
}

// reopen opens a channel in the place of one that is closed, or was never open.
func (p *player) reopen(i int) {
	p.held[i] = nil
	maps.DeleteFunc(p.consumers, func(_ string, c *consumer) bool { return c.channel == i })
	p.channels[i] = p.channel()
	p.returns[i] = p.channels[i].NotifyReturn(make(chan amqp.Return, 1)) // one message after another
	p.must(p.channels[i].Confirm(false))
}

// collect lists the deliveries that come until nothing comes any more.
func (p *player) collect() string {
	var came []string
	for again := true; again; {
		again = false
		time.Sleep(settled)
		for _, tag := range slices.Sorted(maps.Keys(p.consumers)) {
			c := p.consumers[tag]
			for open := true; open; {
				select {
				case d, ok := <-c.deliveries:
					if !ok { // the broker has cancelled it
						came = append(came, tag+" ends")
						delete(p.consumers, tag)
						open = false
						break
					}
					again = true
					came = append(came, fmt.Sprintf("%s gets %s", tag, show(d)))
					if !c.automatic {
						p.hold(c.channel, d)
					}
				default:
					open = false
				}
			}
		}
	}
	return strings.Join(came, "; ")
}

func (p *player) someQueue() string    { return p.name(pick(p.rand, queueNames)) }
func (p *player) someExchange() string { return p.name(pick(p.rand, exchangeNames)) }

// queueArguments are some that go together, and some that do not.
var queueArguments = []amqp.Table{
	nil, nil, nil,
	{"x-queue-type": "quorum"},
	{"x-queue-type": "quorum", "x-delivery-limit": int32(2), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q2"},
	{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q3"},
	{"x-dead-letter-exchange": "x1"},
	{"x-max-length": int32(2), "x-dead-letter-exchange": "x1"},
	{"x-max-length": int32(2), "x-overflow": "reject-publish"},
	{"x-max-length": int32(2), "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q1"},
	{"x-max-priority": int32(5)},
	{"x-single-active-consumer": true},
	{"x-max-length-bytes": int32(10)},
}

func (p *player) declareQueue() string {
	q, i := p.someQueue(), p.rand.IntN(2)
	args := maps.Clone(pick(p.rand, queueArguments))
	for _, name := range []string{"x-dead-letter-exchange", "x-dead-letter-routing-key"} {
		if v, _ := args[name].(string); v != "" {
			args[name] = p.name(v)
		}
	}
	err := p.channels[i].declare(q, durable, args)
	return fmt.Sprintf("declare %s %s: %v", q, showHeaders(args), err)
}

func (p *player) declareExchange() string {
	x, kind, i := p.someExchange(), pick(p.rand, []string{"direct", "topic", "fanout", "topic"}), p.rand.IntN(2)
	var args amqp.Table
	if p.rand.IntN(4) == 0 {
		args = amqp.Table{"alternate-exchange": p.someExchange()}
	}
	f := durable
	if p.rand.IntN(5) == 0 {
		f |= autoDelete
	}
	err := p.channels[i].exchange(x, kind, f, args)
	return fmt.Sprintf("declare %s %s %d %s: %v", x, kind, f, showHeaders(args), err)
}

func (p *player) bind() string {
	q, x, key, i := p.someQueue(), p.someExchange(), pick(p.rand, patterns), p.rand.IntN(2)
	return fmt.Sprintf("bind %s to %s by %q: %v", q, x, key, p.channels[i].bind(q, x, key, nil))
}

func (p *player) unbind() string {
	q, x, key, i := p.someQueue(), p.someExchange(), pick(p.rand, patterns), p.rand.IntN(2)
	return fmt.Sprintf("unbind %s from %s by %q: %v", q, x, key, p.channels[i].QueueUnbind(q, key, x, nil))
}

func (p *player) bindExchange() string {
	to, x, key, i := p.someExchange(), p.someExchange(), pick(p.rand, patterns), p.rand.IntN(2)
	return fmt.Sprintf("bind %s to %s by %q: %v", to, x, key, p.channels[i].ExchangeBind(to, key, x, false, nil))
}

func (p *player) deleteQueue() string {
	q, i, unused, empty := p.someQueue(), p.rand.IntN(2), p.rand.IntN(2) == 0, p.rand.IntN(2) == 0
	n, err := p.channels[i].QueueDelete(q, unused, empty, false)
	return fmt.Sprintf("delete %s unused=%t empty=%t: %d %v", q, unused, empty, n, err)
}

func (p *player) deleteExchange() string {
	x, i, unused := p.someExchange(), p.rand.IntN(2), p.rand.IntN(2) == 0
	return fmt.Sprintf("delete %s unused=%t: %v", x, unused, p.channels[i].ExchangeDelete(x, unused, false))
}

func (p *player) purge() string {
	q, i := p.someQueue(), p.rand.IntN(2)
	n, err := p.channels[i].QueuePurge(q, false)
	return fmt.Sprintf("purge %s: %d %v", q, n, err)
}

func (p *player) qos() string {
	n, i := p.rand.IntN(4), p.rand.IntN(2)
	return fmt.Sprintf("qos %d on %d: %v", n, i, p.channels[i].Qos(n, 0, false))
}

func (p *player) publish() string {
	p.serial++
	i, x, key := p.rand.IntN(2), pick(p.rand, []string{"", p.name("x1"), p.name("x2")}), pick(p.rand, routingKeys)
	if x == "" {
		key = p.someQueue()
	}
	m := amqp.Publishing{Body: fmt.Append(nil, p.serial), Priority: uint8(p.rand.IntN(8))}
	if p.rand.IntN(5) == 0 {
		m.Headers = amqp.Table{"CC": []any{p.someQueue()}}
	}
	ch := p.channels[i]
	confirmation, err := ch.PublishWithDeferredConfirm(x, key, true, false, m)
	p.must(err)
	did := fmt.Sprintf("publish %d to %q by %q priority=%d %s:", p.serial, x, key, m.Priority, showHeaders(m.Headers))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	acked, err := confirmation.WaitContext(ctx)
	p.must(err)
	select {
	case r := <-p.returns[i]:
		did += " " + r.ReplyText
	default:
	}
	return did + fmt.Sprintf(" ack=%t", acked)
}

func (p *player) get() string {
	q, i, automatic := p.someQueue(), p.rand.IntN(2), p.rand.IntN(3) == 0
	d, ok, err := p.channels[i].Get(q, automatic)
	did := fmt.Sprintf("get from %s on %d automatic=%t:", q, i, automatic)
	if err != nil || !ok {
		return did + fmt.Sprintf(" none %v", err)
	}
	if !automatic {
		p.hold(i, d)
	}
	return did + fmt.Sprintf(" %s left=%d", show(d), d.MessageCount)
}

// settle acknowledges or hands back something, or everything, or what it does not have.
func (p *player) settle() string {
	i := p.rand.IntN(2)
	if len(p.held[i]) == 0 {
		return "nothing to settle"
	}
	all, requeue, how := p.rand.IntN(5) == 0, p.rand.IntN(2) == 0, p.rand.IntN(3)
	h := pick(p.rand, p.held[i])
	if p.rand.IntN(40) == 0 {
		h = held{"nothing", 99}
	}
	if all {
		h.tag = 0
		h.body = "all"
	}
	p.held[i] = slices.DeleteFunc(p.held[i], func(other held) bool { return all || other.tag == h.tag })
	ch := p.channels[i]
	switch {
	case how == 0:
		return fmt.Sprintf("ack %s on %d: %v", h.body, i, ch.Ack(h.tag, all))
	case how == 1 || all: // reject knows no multiple
		return fmt.Sprintf("nack %s on %d requeue=%t: %v", h.body, i, requeue, ch.Nack(h.tag, all, requeue))
	default:
		return fmt.Sprintf("reject %s on %d requeue=%t: %v", h.body, i, requeue, ch.Reject(h.tag, requeue))
	}
}

func (p *player) subscribe() string {
	p.serial++
	q, i, automatic := p.someQueue(), p.rand.IntN(2), p.rand.IntN(4) == 0
	exclusively, tag := p.rand.IntN(6) == 0, fmt.Sprintf("t%d", p.serial)
	var args amqp.Table
	if p.rand.IntN(4) == 0 {
		args = amqp.Table{"x-priority": int32(p.rand.IntN(3))}
	}
	did := fmt.Sprintf("consume %s on %d as %s automatic=%t exclusive=%t %s:", q, i, tag, automatic, exclusively, showHeaders(args))
	deliveries, err := p.channels[i].Consume(q, tag, automatic, exclusively, false, false, args)
	if err == nil {
		p.consumers[tag] = &consumer{channel: i, tag: tag, deliveries: deliveries, automatic: automatic}
	}
	return fmt.Sprintf("%s %v", did, err)
}

func (p *player) cancel() string {
	if len(p.consumers) == 0 {
		return "nothing to cancel"
	}
	c := p.consumers[pick(p.rand, slices.Sorted(maps.Keys(p.consumers)))]
	did := fmt.Sprintf("cancel %s: %v", c.tag, p.channels[c.channel].Cancel(c.tag, false))
	for d := range c.deliveries { // what was on its way
		did += " but it gets " + show(d)
		if !c.automatic {
			p.hold(c.channel, d)
		}
	}
	delete(p.consumers, c.tag)
	return did
}

// recover is by a method that is deprecated, and still there.
func (p *player) recover() string {
	i := p.rand.IntN(2)
	p.held[i] = nil
	return fmt.Sprintf("recover on %d: %v", i, p.channels[i].Recover(true)) //nolint:staticcheck // see above
}

func (p *player) closeChannel() string {
	i := p.rand.IntN(2)
	did := fmt.Sprintf("close channel %d: %v", i, p.channels[i].Close())
	p.reopen(i)
	return did
}
