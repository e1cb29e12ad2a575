package topology_test

import (
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
)

var dutyWaits = []time.Duration{time.Second, 4 * time.Second, 16 * time.Second, time.Minute, time.Hour}

// Once for each consumer, and for each connection that is lost.
func BenchmarkDutyPlan(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p := topology.Tiers("orders", topology.Quorum, dutyWaits)
		if len(p.Declarations()) == 0 {
			b.Fatal("nothing is declared")
		}
	}
}

// Once for each message that is retried: which queue holds it.
func BenchmarkDutyRetryQueue(b *testing.B) {
	p := topology.Tiers("orders", topology.Quorum, dutyWaits)
	b.Run("wait=of-the-policy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := p.Exactly(time.Minute); !ok {
				b.Fatal("there is none")
			}
		}
	})
	b.Run("wait=any", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if q := p.Compose(90*time.Second, topology.Slack(90*time.Second)); q.Name == "" {
				b.Fatal("there is none")
			}
		}
	})
}

func TestChoosingARetryQueueAllocatesNothing(t *testing.T) {
	p := topology.Tiers("orders", topology.Quorum, dutyWaits)
	if n := testing.AllocsPerRun(100, func() {
		p.Exactly(time.Minute)
		p.Compose(90*time.Second, topology.Slack(90*time.Second))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
