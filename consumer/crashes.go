package consumer

import (
	"strconv"
	"strings"

	"github.com/warren-mq/warren/internal/header"
)

// crashes returns how many deliveries of a message have failed, as far as that
// can be known. Anyone can put a count on a message, and it counts only where
// the broker has written over it:
//
//   - a classic queue never does
//   - a quorum queue does when it counts, which RabbitMQ 4.3 does not do for
//     what was handed back; but it counts every delivery in another header
//
// Where the main queue belongs to someone else it may be a classic one, and
// then a forged count is believed before 4.3.
func (tiers) crashes(d *delivery) int {
	if d.epoch.config.Classic {
		return 0
	}
	n := header.Crashes(d.Headers, d.Redelivered)
	if n > 0 && countsAcquired(d.epoch.version) {
		n = min(n, header.Acquired(d.Headers))
	}
	return n
}

// countsAcquired tells whether quorum queues of that RabbitMQ count every
// delivery: since 4.3.
func countsAcquired(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err := strconv.Atoi(major)
	if err != nil {
		return false
	}
	y, err := strconv.Atoi(minor)
	return x > 4 || x == 4 && err == nil && y >= 3
}
