package consumer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/netproxy"
)

// Messages that may be what kills its process come to a consumer that takes many ahead. Each runs when nothing of the
// others is in work or taken ahead, since whatever is would be counted with it, and would end in the error queue, too.
func TestSuspectsRunWhenNothingElseIsTaken(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		const window, suspects, innocents = 10, 2, 30
		release := make(chan struct{})
		var mu sync.Mutex
		handled := map[string]int{}
		died := ""         // the suspect that killed it
		var again []string // innocents that were taken when it died
		handle := func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			<-release
			suspect := string(m.Body) == "suspect"
			mu.Lock()
			handled[m.ID]++
			dies := suspect && died == ""
			if dies {
				died = m.ID
			}
			if _, is43 := m.Headers["x-acquired-count"]; is43 && suspect && m.ID != died && m.Headers["x-delivery-count"] != int64(2) {
				t.Errorf("%s was taken when %s ran: it has been delivered %v times", m.ID, died, m.Headers["x-delivery-count"])
			}
			if !suspect && m.Redelivered {
				again = append(again, m.ID)
			}
			mu.Unlock()
			if dies {
				nap(t.Context(), 500*time.Millisecond) // a cut can undo an ack that is under way
				n.Cut()                                // as its death would
			}
			return consumer.Ack()
		}
		c := newConsumer(k, handle, consumer.Config{Workers: 4, Prefetch: window})
		k.declarePlan(c.Plan())
		r := start(k, c)
		k.waitReady(r)
		// Its window is full, and one more from when the window was narrow: what follows waits in the queue.
		for i := range window + 1 {
			k.publish(text(fmt.Sprint("before", i), "x"))
		}
		eventually(t, "its window to fill", func() bool { return k.ready(k.queue) == 0 })
		for i := range suspects {
			k.publish(text(fmt.Sprint("suspect", i), "suspect"))
		}
		for range 2 { // deaths of someone else
			eventually(t, "the suspects to be there", func() bool { return k.ready(k.queue) == suspects })
			ch := k.channel()
			for range suspects {
				if _, ok, err := ch.Get(k.queue, false); err != nil || !ok {
					t.Fatalf("get: %v, %v", ok, err)
				}
			}
			must(t, ch.Close())
		}
		eventually(t, "the suspects to be there", func() bool { return k.ready(k.queue) == suspects })
		for i := range innocents {
			k.publish(text(fmt.Sprint("behind", i), "x"))
		}
		close(release)
		all := window + 1 + suspects + innocents
		eventually(t, "all to be handled", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(handled) == all
		})
		must(t, r.stop())
		mu.Lock()
		defer mu.Unlock()
		if len(again) > 0 {
			t.Errorf("taken when a suspect ran: %v", again)
		}
		if n := k.ready(k.queue); n > 0 {
			t.Errorf("%d are left", n)
		}
	})
}
