package consumer_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/topology"
)

// mortal is a process that consumes, as far as the broker can tell: when it dies its connections break, and nothing of
// what it knew is known to the next.
type mortal struct {
	net  *netproxy.Network
	conn *connection.Connection
	run  *running
	died chan struct{}
	once sync.Once
}

func newMortal(k *kit, handle func(context.Context, message, *mortal) consumer.Outcome, cfg consumer.Config) *mortal {
	k.Helper()
	p := &mortal{net: netproxy.New(k.broker.Dial), died: make(chan struct{})}
	p.conn = openOver(k, k.broker, p.net, newEvents())
	c, err := consumer.New(p.conn, k.queue, func(ctx context.Context, m message) consumer.Outcome { return handle(ctx, m, p) }, cfg)
	must(k, err)
	p.run = &running{Consumer: c, tb: k, done: make(chan struct{})}
	go func() {
		defer close(p.run.done)
		_ = c.Run(context.Background())
	}()
	return p
}

// die breaks what the broker sees of it.
func (p *mortal) die() {
	p.once.Do(func() {
		p.net.Unplug()
		close(p.died)
	})
}

// bury ends what is left of it.
func (p *mortal) bury() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = p.run.Stop(ctx)
	<-p.run.done
	_ = p.conn.Close(ctx)
}

// Several messages that kill come at once to several processes, each of which has room for all there are: so they come
// to hold many suspects together, and below 4.3 count them all when they die. Still none but the killers is given up.
func TestKillersAmongInnocents(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version            string
		killers, processes int
	}{
		"one on 3.10":  {"3.10", 1, 3},
		"many on 3.10": {"3.10", 10, 5},
		"many on 4.3":  {"4.3", 10, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokers.InBubble(t, rabbittest.Options{Version: test.version}, func(t *testing.T, b brokers.Broker) {
				testKillers(t, b, test.killers, test.processes)
			})
		})
	}
}

func testKillers(t *testing.T, b brokers.Broker, killers, processes int) {
	const all, prefetch = 200, 100
	const killer = "killer"
	k := &kit{TB: t, broker: b, queue: rabbitmq.Name(t, "c"), events: newEvents()}
	k.conn = open(t, b, k.events)
	k.declarePlan(newConsumer(k, done, consumer.Config{}).Plan())
	var mu sync.Mutex
	handled := map[string]bool{}
	handle := func(ctx context.Context, m message, p *mortal) consumer.Outcome {
		time.Sleep(time.Millisecond)
		if string(m.Body) == killer {
			p.die()
		}
		select {
		case <-p.died:
			<-ctx.Done()
		default:
			mu.Lock()
			handled[m.ID] = true
			mu.Unlock()
		}
		return consumer.Ack()
	}
	cfg := consumer.Config{Workers: 4, Prefetch: prefetch, Timeout: time.Second, Grace: time.Second}
	living := make([]*mortal, processes)
	for i := range living {
		living[i] = newMortal(k, handle, cfg)
	}
	queue, errors := b.Test.Queue(k.queue), b.Test.Queue(topology.ErrorQueue(k.queue))
	for range 20 * processes { // until each takes many ahead
		must(t, queue.Publish(rabbittest.Message{MessageID: "before"}))
		time.Sleep(50 * time.Millisecond)
	}
	list := texts(all)
	for i := range killers {
		list[20+i*(all-20)/killers].Body = []byte(killer)
	}
	k.publish(list...)
	deaths := 0
	for began := time.Now(); queue.Len() > 0 && time.Since(began) < time.Hour; time.Sleep(10 * time.Millisecond) {
		for i, p := range living {
			select {
			case <-p.died:
				deaths++
				p.bury()
				living[i] = newMortal(k, handle, cfg)
			default:
			}
		}
		if errors.Len() < killers { // as ever, so that each takes many ahead again
			must(t, queue.Publish(rabbittest.Message{MessageID: "beside"}))
		}
	}
	for _, p := range living {
		p.bury()
	}
	if n := queue.Len(); n > 0 {
		t.Errorf("%d messages are left", n)
	}
	if n := errors.Len(); n != killers || deaths > 11*killers {
		t.Errorf("%d messages are in the error queue, after %d deaths", n, deaths)
	}
	for _, m := range errors.Messages() {
		if string(m.Body) != killer {
			t.Errorf("%s went with the killers", m.MessageID)
		}
	}
	for _, m := range list {
		if string(m.Body) != killer && !handled[m.MessageId] {
			t.Errorf("%s was not handled", m.MessageId)
		}
	}
}
