package engine

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// expiration is the message's own time to live.
func (m *Message) expiration() (time.Duration, bool) {
	s := m.Properties.Expiration
	if s == "" {
		return 0, false
	}
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, false
	}
	return milliseconds(ms), true
}

// longestExpiration is ten years, in milliseconds: rabbit_misc:check_expiry.
const longestExpiration = 315_360_000_000

// invalidExpiration says in RabbitMQ's words what is wrong with an expiration, or nothing.
func invalidExpiration(s string) string {
	prefix := "invalid expiration '" + s + "': "
	end := 0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		end = 1
	}
	digits := end
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	switch {
	case end == digits:
		return prefix + "no_integer"
	case end < len(s):
		return prefix + "{leftover_string," + strconv.Quote(s[end:]) + "}"
	}
	switch value, _ := new(big.Int).SetString(s, 10); {
	case value.Sign() < 0:
		return prefix + printed(len(prefix), "value_negative", value.String())
	case value.Cmp(big.NewInt(longestExpiration)) > 0:
		return prefix + printed(len(prefix), "value_too_large", value.String())
	}
	return ""
}

// printed is a pair as Erlang prints it from this column on: what does not fit into 80 goes to the next line.
func printed(column int, name, value string) string {
	if column+len("{,}")+len(name)+len(value) > 80 {
		return "{" + name + ",\n" + strings.Repeat(" ", column+1) + value + "}"
	}
	return "{" + name + "," + value + "}"
}

// canonicalNumber is a number without a plus or leading zeros.
func canonicalNumber(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return s
}

func milliseconds(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// heads are the entries that may expire: the next one, and where a quorum queue tells priorities apart strictly, the
// first one of each. What stands behind a longer-lived one waits, as in RabbitMQ.
// https://www.rabbitmq.com/docs/ttl#per-message-ttl-caveats
func (q *Queue) heads(yield func(e *entry, from *list) bool) {
	if e := q.returned.front(); e != nil {
		if !yield(e, &q.returned) || !q.expiresByLevel() {
			return
		}
	}
	if !q.expiresByLevel() {
		if at := q.nextLevel(); at >= 0 {
			yield(q.levels[at].front(), &q.levels[at])
		}
		return
	}
	for i := range q.levels {
		if e := q.levels[i].front(); e != nil && !yield(e, &q.levels[i]) {
			return
		}
	}
}

func (q *Queue) expiresByLevel() bool { return q.Quorum && q.node.profile.QuorumLevels > 2 }

// expire dead-letters what has outlived its time. An entry that nobody has looked at is left to a waiting consumer,
// even if its time is 0.
func (q *Queue) expire() {
	now := time.Now()
	for again := true; again; {
		again = false
		for e, from := range q.heads {
			if e.expires.IsZero() || e.expires.After(now) || e.fresh && !e.expires.Before(now) {
				continue
			}
			from.pop()
			if from != &q.returned {
				q.takeTurn()
			}
			q.bytes -= len(e.Body)
			q.deadLetter(e, reasonExpired)
			again = true
			break
		}
	}
}

// setExpiry has the queue looked at when the next head expires.
func (q *Queue) setExpiry() {
	var due time.Time
	for e := range q.heads {
		if !e.expires.IsZero() && (due.IsZero() || e.expires.Before(due)) {
			due = e.expires
		}
	}
	switch {
	case due.IsZero():
		q.expiry.Stop()
		q.expiry = nil
	case q.expiry == nil || !q.expiry.due.Equal(due):
		q.expiry.Stop()
		q.expiry = q.node.At(due, func() {
			q.expiry = nil
			q.node.touch(q)
		})
	}
}
