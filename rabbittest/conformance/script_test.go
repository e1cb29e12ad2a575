package conformance_test

import (
	"cmp"
	"context"
	"flag"
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

// scripts is how many are tried. A script takes some four seconds, most of which it waits.
var scripts = flag.Int("scripts", 16, "how many random scripts TestScripts compares")

// scriptLength is how much a script does.
const scriptLength = 30

// settled is how long nothing must happen until a script believes that a step has had all its effects.
const settled = 80 * time.Millisecond

// TestScripts does random things with RabbitMQ, and the same with rabbittest, and compares what both say after each.
// It looks for differences that nobody has thought of a row for. A script that finds one is a row to be.
func TestScripts(t *testing.T) {
	b := rabbitMQ(t)
	for seed := range *scripts {
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

// An actor does one thing after another.
type actor struct {
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
	what string // the body, and the queue that it is from
	tag  uint64
}

func (a *actor) hold(i int, queue string, d amqp.Delivery) {
	a.held[i] = append(a.held[i], held{string(d.Body) + " of " + queue, d.DeliveryTag})
	slices.SortFunc(a.held[i], func(a, b held) int { return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.tag, b.tag)) })
}

// A consumer is a subscription of an actor.
type consumer struct {
	channel    int
	queue, tag string
	deliveries <-chan amqp.Delivery
	automatic  bool
}

// play returns what was done, and what came of it.
func play(t *testing.T, b broker, seed uint64) []string {
	t.Helper()
	e := newEnv(t, b)
	a := &actor{env: e, rand: rand.New(rand.NewPCG(seed, 0)), consumers: map[string]*consumer{}}
	for i := range a.channels {
		a.reopen(i)
	}
	for _, name := range queueNames {
		e.queue(name)
	}
	for _, name := range exchangeNames {
		e.exchange(name)
	}
	var seen []string
	for range 6 { // something to begin with
		seen = append(seen, a.step(a.declareQueue), a.step(a.declareExchange), a.step(a.bind))
	}
	for range scriptLength {
		seen = append(seen, a.step(a.choose()))
	}
	for _, name := range queueNames { // what is left
		seen = append(seen, a.mask(name+": "+a.counts(a.name(name))))
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
func (a *actor) choose() func() string {
	common := []func() string{a.publish, a.publish, a.publish, a.get, a.settle, a.settle, a.settle, a.subscribe}
	rare := []func() string{
		a.declareQueue, a.declareExchange, a.bind, a.unbind, a.cancel, a.purge, a.recover, a.deleteQueue,
		a.deleteExchange, a.closeChannel, a.qos, a.bindExchange,
	}
	if a.rand.IntN(3) == 0 {
		return pick(a.rand, rare)
	}
	return pick(a.rand, common)
}

// step does one thing, waits for its effects, and mends what it broke.
func (a *actor) step(do func() string) string {
	did, began := do(), time.Now()
	for i, ch := range a.channels {
		fate := ch.fate()
		if fate == "no error" {
			continue
		}
		did += fmt.Sprintf(" [channel %d: %s]", i, fate)
		if a.conn().IsClosed() {
			a.first = nil
			a.reopen(0)
			a.reopen(1)
			break
		}
		a.reopen(i)
	}
	// Two answers have come, and on a busy machine they took their time. So may what a quiet one would have sent by now.
	if came := a.collect(settled + min(10*time.Since(began), time.Second)); came != "" {
		did += " → " + came
	}
	return a.mask(did)
}

// reopen opens a channel in the place of one that is closed, or was never open.
func (a *actor) reopen(i int) {
	a.held[i] = nil
	maps.DeleteFunc(a.consumers, func(_ string, c *consumer) bool { return c.channel == i })
	a.channels[i] = a.channel()
	a.returns[i] = a.channels[i].NotifyReturn(make(chan amqp.Return, 1)) // one message after another
	a.must(a.channels[i].Confirm(false))
}

// collect lists the deliveries that come until nothing comes for so long.
func (a *actor) collect(quiet time.Duration) string {
	var came []string
	for again := true; again; {
		again = false
		time.Sleep(quiet)
		for _, tag := range slices.Sorted(maps.Keys(a.consumers)) {
			c := a.consumers[tag]
			for open := true; open; {
				select {
				case d, ok := <-c.deliveries:
					if !ok { // the broker has cancelled it
						came = append(came, tag+" ends")
						delete(a.consumers, tag)
						open = false
						break
					}
					again = true
					came = append(came, fmt.Sprintf("%s gets %s", tag, show(d)))
					if !c.automatic {
						a.hold(c.channel, c.queue, d)
					}
				default:
					open = false
				}
			}
		}
	}
	return strings.Join(came, "; ")
}

func (a *actor) someQueue() string    { return a.name(pick(a.rand, queueNames)) }
func (a *actor) someExchange() string { return a.name(pick(a.rand, exchangeNames)) }

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

func (a *actor) declareQueue() string {
	q, i := a.someQueue(), a.rand.IntN(2)
	args := maps.Clone(pick(a.rand, queueArguments))
	for _, name := range []string{"x-dead-letter-exchange", "x-dead-letter-routing-key"} {
		if v, _ := args[name].(string); v != "" {
			args[name] = a.name(v)
		}
	}
	err := a.channels[i].declare(q, durable, args)
	return fmt.Sprintf("declare %s %s: %v", q, showHeaders(args), err)
}

func (a *actor) declareExchange() string {
	x, kind, i := a.someExchange(), pick(a.rand, []string{"direct", "topic", "fanout", "topic"}), a.rand.IntN(2)
	var args amqp.Table
	if a.rand.IntN(4) == 0 {
		args = amqp.Table{"alternate-exchange": a.someExchange()}
	}
	f := durable
	if a.rand.IntN(5) == 0 {
		f |= autoDelete
	}
	err := a.channels[i].exchange(x, kind, f, args)
	return fmt.Sprintf("declare %s %s %d %s: %v", x, kind, f, showHeaders(args), err)
}

func (a *actor) bind() string {
	q, x, key, i := a.someQueue(), a.someExchange(), pick(a.rand, patterns), a.rand.IntN(2)
	return fmt.Sprintf("bind %s to %s by %q: %v", q, x, key, a.channels[i].bind(q, x, key, nil))
}

func (a *actor) unbind() string {
	q, x, key, i := a.someQueue(), a.someExchange(), pick(a.rand, patterns), a.rand.IntN(2)
	return fmt.Sprintf("unbind %s from %s by %q: %v", q, x, key, a.channels[i].QueueUnbind(q, key, x, nil))
}

func (a *actor) bindExchange() string {
	to, x, key, i := a.someExchange(), a.someExchange(), pick(a.rand, patterns), a.rand.IntN(2)
	return fmt.Sprintf("bind %s to %s by %q: %v", to, x, key, a.channels[i].ExchangeBind(to, key, x, false, nil))
}

func (a *actor) deleteQueue() string {
	q, i, unused, empty := a.someQueue(), a.rand.IntN(2), a.rand.IntN(2) == 0, a.rand.IntN(2) == 0
	n, err := a.channels[i].QueueDelete(q, unused, empty, false)
	return fmt.Sprintf("delete %s unused=%t empty=%t: %d %v", q, unused, empty, n, err)
}

func (a *actor) deleteExchange() string {
	x, i, unused := a.someExchange(), a.rand.IntN(2), a.rand.IntN(2) == 0
	return fmt.Sprintf("delete %s unused=%t: %v", x, unused, a.channels[i].ExchangeDelete(x, unused, false))
}

func (a *actor) purge() string {
	q, i := a.someQueue(), a.rand.IntN(2)
	n, err := a.channels[i].QueuePurge(q, false)
	return fmt.Sprintf("purge %s: %d %v", q, n, err)
}

func (a *actor) qos() string {
	n, i := a.rand.IntN(4), a.rand.IntN(2)
	return fmt.Sprintf("qos %d on %d: %v", n, i, a.channels[i].Qos(n, 0, false))
}

func (a *actor) publish() string {
	a.serial++
	i, x, key := a.rand.IntN(2), pick(a.rand, []string{"", a.name("x1"), a.name("x2")}), pick(a.rand, routingKeys)
	if x == "" {
		key = a.someQueue()
	}
	m := amqp.Publishing{Body: fmt.Append(nil, a.serial), Priority: uint8(a.rand.IntN(8))}
	if a.rand.IntN(5) == 0 {
		m.Headers = amqp.Table{"CC": []any{a.someQueue()}}
	}
	ch := a.channels[i]
	confirmation, err := ch.PublishWithDeferredConfirm(x, key, true, false, m)
	a.must(err)
	did := fmt.Sprintf("publish %d to %q by %q priority=%d %s:", a.serial, x, key, m.Priority, showHeaders(m.Headers))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	acked, err := confirmation.WaitContext(ctx)
	a.must(err)
	select {
	case r := <-a.returns[i]:
		did += " " + r.ReplyText
	default:
	}
	return did + fmt.Sprintf(" ack=%t", acked)
}

func (a *actor) get() string {
	q, i, automatic := a.someQueue(), a.rand.IntN(2), a.rand.IntN(3) == 0
	d, ok, err := a.channels[i].Get(q, automatic)
	did := fmt.Sprintf("get from %s on %d automatic=%t:", q, i, automatic)
	if err != nil || !ok {
		return did + fmt.Sprintf(" none %v", err)
	}
	if !automatic {
		a.hold(i, q, d)
	}
	return did + fmt.Sprintf(" %s left=%d", show(d), d.MessageCount)
}

// settle acknowledges or hands back something, or everything, or what it does not have.
func (a *actor) settle() string {
	i := a.rand.IntN(2)
	if len(a.held[i]) == 0 {
		return "nothing to settle"
	}
	all, requeue, how := a.rand.IntN(5) == 0, a.rand.IntN(2) == 0, a.rand.IntN(3)
	h := pick(a.rand, a.held[i])
	if a.rand.IntN(40) == 0 {
		h = held{"nothing", 99}
	}
	if all {
		h.tag = 0
		h.what = "all"
	}
	a.held[i] = slices.DeleteFunc(a.held[i], func(other held) bool { return all || other.tag == h.tag })
	ch := a.channels[i]
	switch {
	case how == 0:
		return fmt.Sprintf("ack %s on %d: %v", h.what, i, ch.Ack(h.tag, all))
	case how == 1 || all: // reject knows no multiple
		return fmt.Sprintf("nack %s on %d requeue=%t: %v", h.what, i, requeue, ch.Nack(h.tag, all, requeue))
	default:
		return fmt.Sprintf("reject %s on %d requeue=%t: %v", h.what, i, requeue, ch.Reject(h.tag, requeue))
	}
}

func (a *actor) subscribe() string {
	a.serial++
	q, i, automatic := a.someQueue(), a.rand.IntN(2), a.rand.IntN(4) == 0
	exclusively, tag := a.rand.IntN(6) == 0, fmt.Sprintf("t%d", a.serial)
	var args amqp.Table
	if a.rand.IntN(4) == 0 {
		args = amqp.Table{"x-priority": int32(a.rand.IntN(3))}
	}
	did := fmt.Sprintf("consume %s on %d as %s automatic=%t exclusive=%t %s:", q, i, tag, automatic, exclusively, showHeaders(args))
	deliveries, err := a.channels[i].Consume(q, tag, automatic, exclusively, false, false, args)
	if err == nil {
		a.consumers[tag] = &consumer{channel: i, queue: q, tag: tag, deliveries: deliveries, automatic: automatic}
	}
	return fmt.Sprintf("%s %v", did, err)
}

func (a *actor) cancel() string {
	if len(a.consumers) == 0 {
		return "nothing to cancel"
	}
	c := a.consumers[pick(a.rand, slices.Sorted(maps.Keys(a.consumers)))]
	did := fmt.Sprintf("cancel %s: %v", c.tag, a.channels[c.channel].Cancel(c.tag, false))
	for d := range c.deliveries { // what was on its way
		did += " but it gets " + show(d)
		if !c.automatic {
			a.hold(c.channel, c.queue, d)
		}
	}
	delete(a.consumers, c.tag)
	return did
}

// recover is by a method that is deprecated, and still there.
func (a *actor) recover() string {
	i := a.rand.IntN(2)
	a.held[i] = nil
	return fmt.Sprintf("recover on %d: %v", i, a.channels[i].Recover(true)) //nolint:staticcheck // see above
}

func (a *actor) closeChannel() string {
	i := a.rand.IntN(2)
	did := fmt.Sprintf("close channel %d: %v", i, a.channels[i].Close())
	a.reopen(i)
	return did
}
