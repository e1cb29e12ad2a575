package drift

import (
	"fmt"
	"strings"
	"time"

	"github.com/warren-mq/warren/topology"
)

// orphans lists the retry queues of this main queue that the plan does not have:
// those of an earlier policy.
func (c *comparison) orphans() {
	if c.broker.Why["retries"] != "" {
		c.unseen("queue", c.plan.Main.Name, "retry queues of earlier plans", "retries")
		return
	}
	for _, q := range c.broker.Retries {
		if _, ours := c.plan.Find(q.Name); ours || !IsRetryQueue(c.plan.Main.Name, q.Name) {
			continue
		}
		c.orphan(q)
	}
}

// IsRetryQueue says whether name is that of a retry queue of a main queue, with
// whatever wait.
func IsRetryQueue(main, name string) bool {
	wait, ok := strings.CutPrefix(name, main+".retry.")
	if !ok {
		return false
	}
	d, err := time.ParseDuration(wait)
	return err == nil && topology.RetryQueue(main, d) == name
}

func (c *comparison) orphan(q Queue) {
	d := Difference{Kind: KindOrphan, Weight: Note, Object: "queue", Name: q.Name}
	const remove = "when it is empty it can be deleted (rabbitmqctl delete_queue), once no consumer with the earlier plan runs any more"
	s := c.settings(q, q.Args)
	ttl, expires := number(s.value("message-ttl"))
	back := s.value("dead-letter-exchange") == "" && s.value("dead-letter-routing-key") == c.plan.Main.Name
	switch {
	case q.Messages != nil && *q.Messages == 0:
		d.Have, d.Breaks, d.Mend = "no messages", "nothing: it is left over from an earlier plan, and empty", remove
	case expires && back:
		d.Breaks = fmt.Sprintf("nothing: it is left over from an earlier plan, and its messages come back to %s by themselves, after %v at most",
			c.plan.Main.Name, time.Duration(ttl)*time.Millisecond)
		d.Mend = "wait; " + remove
	default:
		d.Weight = Failure
		d.Breaks = "it is left over from an earlier plan, and its messages do not come back: it has no time to live, or does not dead-letter to " +
			c.plan.Main.Name
		d.Mend = "move its messages to " + c.plan.Main.Name + " with a shovel; " + remove
	}
	if d.Have == "" {
		d.Have = "messages"
		if q.Messages != nil {
			d.Have = fmt.Sprintf("%d messages", *q.Messages)
		}
	}
	c.differs(d)
}
