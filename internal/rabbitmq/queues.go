package rabbitmq

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Name returns a name for a queue or an exchange of this test: the prefix, the test's name and a random
// part. No name ever comes twice, since the broker may outlive the test run. It has at most 120
// characters more than the prefix, so that there is room for ".retry.1m0s" and the like behind it.
func Name(tb testing.TB, prefix string) string {
	const most = 100
	test := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		default:
			return '-'
		}
	}, tb.Name())
	if len(test) > most {
		test = test[:most]
	}
	return prefix + "." + test + "." + strings.ToLower(rand.Text()[:12])
}

// Delete deletes these queues from the broker at url when the test ends. Queues that are not there then
// are no error.
func Delete(tb testing.TB, url string, queues ...string) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := remove(url, queues); err != nil {
			tb.Errorf("clean up: %v", err)
		}
	})
}

func remove(url string, queues []string) (err error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return fmt.Errorf("delete %s: %w", strings.Join(queues, ", "), err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("delete %s: %w", strings.Join(queues, ", "), err)
	}
	for _, q := range queues {
		const ifUnused, ifEmpty, noWait = false, false, false
		if _, err := ch.QueueDelete(q, ifUnused, ifEmpty, noWait); err != nil {
			return fmt.Errorf("delete %s: %w", q, err)
		}
	}
	return nil
}
