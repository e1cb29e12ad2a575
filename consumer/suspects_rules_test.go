package consumer

import (
	"fmt"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Processes that die hand all that they have held to one another, as two do that share the load of a busy queue. No
// innocent message may go with the killer.
func TestNobodyStaysBehindTheKiller(t *testing.T) {
	for _, withIDs := range []bool{true, false} {
		for run := range 50 {
			var held []*delivery
			for i := range 101 {
				d := &delivery{crashes: suspectAt, Delivery: amqp.Delivery{Body: fmt.Appendf(nil, "body %d of run %d", i, run)}}
				if withIDs {
					d.MessageId = fmt.Sprintf("order-%d-%d", run, i)
				}
				held = append(held, d)
			}
			killer := held[50]
			for deaths := 0; len(held) > 1; deaths++ {
				if deaths == 2 {
					t.Fatalf("ids %v, run %d: after two deaths %d are still held with the killer", withIDs, run, len(held)-1)
				}
				for {
					i := first(held)
					if held[i] == killer {
						break
					}
					held = slices.Delete(held, i, i+1) // handled
				}
				for _, d := range held {
					d.crashes++
				}
			}
		}
	}
}

// Between two killers nobody is forgotten either, since the order becomes another one.
func TestNobodyStaysBetweenKillers(t *testing.T) {
	lost := 0
	for run := range 100 {
		var held []*delivery
		killers := map[*delivery]bool{}
		for i := range 42 {
			d := &delivery{crashes: suspectAt, Delivery: amqp.Delivery{MessageId: fmt.Sprintf("order-%d-%d", run, i)}}
			held = append(held, d)
			killers[d] = i < 2
		}
		for range maxCrashes - suspectAt {
			for {
				i := first(held)
				if killers[held[i]] {
					break
				}
				held = slices.Delete(held, i, i+1)
			}
			for _, d := range held {
				d.crashes++
			}
		}
		lost += len(held) - 2
	}
	if lost > 200 { // of 4,000: a third of those that are left each second time, four times
		t.Errorf("%d innocent messages went with two killers", lost)
	}
}

// Those that have failed less often than the killer are not in danger.
func TestWhoHasFailedLessComesFirst(t *testing.T) {
	held := []*delivery{{crashes: 7}, {crashes: 3}, {crashes: 5}}
	if i := first(held); i != 1 {
		t.Errorf("first comes that of %d crashes", held[i].crashes)
	}
}
