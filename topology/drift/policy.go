package drift

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/warren-mq/warren/topology"
)

// policies looks for policies that change what the queue's arguments say.
func (c *comparison) policies(p planned, q Queue) {
	args := q.Args
	if args == nil {
		args = p.Args // as far as is known
	}
	s := c.settings(q, args)
	if s.unknown != "" {
		u := Unseen{Object: "queue", Name: p.Name, What: "policies", Why: s.unknown}
		c.report.Unseen = append(c.report.Unseen, u)
		return
	}
	plain := settings{kind: s.kind, args: args}
	for _, key := range slices.Sorted(maps.Keys(s.policy)) {
		now := s.value(key)
		if same(now, plain.value(key)) {
			continue // the argument wins, or says the same
		}
		weight, breaks := c.bites(p, s, key)
		if weight == "" {
			continue
		}
		c.differs(Difference{
			Kind: KindPolicy, Weight: weight, Object: "queue", Name: p.Name, Argument: key, Policy: s.by[key],
			Want: text(plain.value(key)), Have: text(now), Breaks: breaks,
			Mend: fmt.Sprintf("take %s out of %s, or let its pattern not match %s", key, s.by[key], p.Name),
		})
	}
}

// maxCrashes is how many failed deliveries of one message a consumer takes for
// accidents; it says what is wrong at the next.
const maxCrashes = 10

// fewLooks is a delivery limit of an error queue that people may reach.
const fewLooks = 1000

// bites says what a policy's key does to a queue, and how bad that is: "" if it
// does not matter.
func (c *comparison) bites(p planned, s settings, key string) (weight Weight, breaks string) {
	value := s.value(key)
	n, _ := number(value)
	forTime := (time.Duration(n) * time.Millisecond).String()
	_, deadLetters := s.value("dead-letter-exchange").(string)
	switch key {
	case "message-ttl":
		switch {
		case p.role == retryQueue:
			return Warning, "messages come back after " + forTime + " instead of " + c.waitOf(p.Name)
		case !deadLetters:
			return Failure, "messages that are older than " + forTime + " are deleted, without a word"
		default:
			return Warning, "a message that waits for longer than " + forTime + " goes to the error queue without having been handled"
		}
	case "max-length", "max-length-bytes":
		return c.full(p, s, deadLetters)
	case "overflow":
		return c.overflow(p, s, deadLetters)
	case "expires":
		return Failure, "the queue is deleted, with every message in it, when nothing has consumed from it for " + forTime +
			": that messages are published to it does not count"
	case "delivery-limit":
		return c.limit(p, n, deadLetters)
	case "dead-letter-exchange", "dead-letter-routing-key":
		return Note, "what is rejected from it, expires or is too much goes to " + text(s.value("dead-letter-exchange")) +
			" with key " + text(s.value("dead-letter-routing-key"))
	case "dead-letter-strategy":
		return Note, "dead letters are moved " + text(value)
	case "consumer-timeout":
		if p.role != mainQueue {
			return "", ""
		}
		return Note, "a message that a handler keeps for longer than " + forTime + " is taken away from it: compare Config.ConsumerTimeout"
	case "delayed-retry-type", "delayed-retry-min", "delayed-retry-max":
		if p.role != mainQueue {
			return "", ""
		}
		return Warning, "RabbitMQ 4.3 delays what a consumer gives back, other than planned"
	}
	return "", "" // where it lives, how it is stored, who mirrors it
}

// full is a bound on the queue's length.
func (c *comparison) full(p planned, s settings, deadLetters bool) (Weight, string) {
	switch overflow := s.value("overflow"); {
	case overflow == "reject-publish" && p.role == mainQueue:
		return Warning, "when it is full, publishers are refused, and retries wait in their queues until there is room"
	case overflow == "reject-publish":
		return Warning, "when it is full, what should go there stays in the main queue, unacknowledged, and holds up the consumer"
	case !deadLetters:
		return Failure, "when it is full, the oldest messages are deleted, without a word"
	default:
		return Failure, "when it is full, the oldest messages go where dead letters go without having been handled, " +
			"and are lost if the broker dies meanwhile"
	}
}

// overflow is what becomes of a queue that is full.
func (c *comparison) overflow(p planned, s settings, deadLetters bool) (Weight, string) {
	bounded := s.value("max-length") != nil || s.value("max-length-bytes") != nil
	wanted := s.kind == string(topology.Quorum) && s.value("dead-letter-strategy") == "at-least-once"
	switch {
	case wanted && !s.atLeastOnce():
		return Failure, "at-least-once dead-lettering needs reject-publish. Without it, the broker falls back to at-most-once " +
			"without a word: confirmed messages are lost when it dies while it moves them"
	case bounded:
		return c.full(p, s, deadLetters)
	}
	return "", ""
}

// limit is a delivery limit below the planned one.
func (c *comparison) limit(p planned, n int64, deadLetters bool) (Weight, string) {
	switch {
	case p.role == errorQueue && n < fewLooks && !deadLetters:
		return Failure, fmt.Sprintf("an entry is deleted, without a word, once it was looked at %d times", n)
	case p.role == mainQueue && n <= maxCrashes:
		return Warning, fmt.Sprintf("after %d failed deliveries the broker itself moves a message away, without a reason; "+
			"Warren does that after %d, with one", n, maxCrashes)
	case p.role == mainQueue && c.plan.Waiting == "native":
		return Warning, fmt.Sprintf("retries count as deliveries here: after %d of them the broker itself moves the message away, without a reason", n)
	case p.role == mainQueue || p.role == errorQueue:
		return Note, fmt.Sprintf("the broker itself moves a message away after %d failed deliveries", n)
	}
	return "", ""
}
