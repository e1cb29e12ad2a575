package consumer

import (
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
	if n > 0 && delaysRetries(d.epoch.version) {
		n = min(n, header.Acquired(d.Headers))
	}
	return n
}
