package topology

import "time"

const (
	// crashRoom is how many deliveries a main queue of RabbitMQ's own delayed
	// retry allows beyond the policy's, so that a consumer can move a message
	// that kills its process before the broker does, which says nothing.
	crashRoom = 20

	// crashWait is the wait of such a queue where the policy has no retries:
	// only deliveries that ended with a process or its connection have it.
	crashWait = time.Second

	mostDeliveries = 1_000_000_000_000_000_000
)

// Native returns the plan for a main queue that holds failed messages itself, as
// the quorum queues of RabbitMQ 4.3 and later do: after the n-th failed delivery
// for n times step, but at most for limit. Without retries, step and limit are
// 0. Waits of other lengths take the queues in Rungs.
//
// The waits are arguments of the main queue. To change step or limit is to
// declare another queue; and so it is with the number of retries, but only where
// it passes 80, 980, 9980 and so on.
func Native(queue string, step, limit time.Duration, retries int) Plan {
	p := Tiers(queue, Quorum, nil)
	p.Waiting = "native"
	if step == 0 {
		step, limit = crashWait, crashWait
	}
	p.Main.Args["x-delivery-limit"] = deliveryLimit(retries)
	p.Main.Args["x-delayed-retry-type"] = "failed"
	p.Main.Args["x-delayed-retry-min"] = step.Milliseconds()
	p.Main.Args["x-delayed-retry-max"] = limit.Milliseconds()
	return p
}

// deliveryLimit is the least power of ten, from CrashLimit on, that has room for
// the retries and some crashes: one that a changed policy rarely changes.
func deliveryLimit(retries int) int64 {
	n := int64(CrashLimit)
	for n < mostDeliveries && int64(retries) > n-crashRoom {
		n *= 10
	}
	return n
}
