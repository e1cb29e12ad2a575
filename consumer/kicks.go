package consumer

import (
	"errors"
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/topology"
)

// kicks shares a queue with consumers of Kicks. A message is retried as those do
// it: rejected, so that the broker dead-letters it to the one retry queue, and
// counts. That count is all that Kicks reads, and nobody can write it.
//
// RetryAfter and Defer need another wait than the retry queue has. They go
// through queues of Warren's own, by which the broker's count is lost: ours
// keeps what had been counted before, and the broker's is added to it.
type kicks struct{ tiers }

// kicksWait is for how long Kicks' retry queue holds a message if nobody says
// otherwise.
const kicksWait = time.Minute

func (kicks) plan(queue string, cfg *Config) (topology.Plan, error) {
	ttl := kicksWait
	switch waits := cfg.Retry.Waits(); len(waits) {
	case 0:
	case 1:
		ttl = waits[0]
	default:
		n := cfg.Retry.Retries()
		middle, _ := cfg.Retry.Wait((n + 1) / 2)
		return topology.Plan{}, fmt.Errorf("Config.Retry has %d waits, but Kicks has one queue to wait in: "+
			"the nearest is retry.Fixed(%d, %v), if that is Kicks' retry_timeout", len(waits), n, middle)
	}
	p := topology.Kicks(queue, cfg.queueType(), ttl, cfg.Kicks)
	if cfg.Declare == DeclareAll && len(cfg.Bindings) == 0 && !cfg.KicksUnbound {
		p.Exchanges = append(p.Exchanges, topology.Exchange{Name: topology.KicksExchange, Kind: "direct", Durable: true})
		p.Bindings = append(p.Bindings, topology.Binding{Exchange: topology.KicksExchange, Queue: queue, Key: queue})
	}
	return p, p.CheckPeerNames()
}

// deadLetterExchange is the argument that makes a queue keep what is rejected.
const deadLetterExchange = "x-dead-letter-exchange"

// prove asks whether the main queue dead-letters to where messages wait. If it
// does not, as one of Bunnicula, whose queues have the same names, the broker
// would delete each message that is rejected. AMQP does not tell a queue's
// arguments; but it refuses to declare it with others, and names the first that
// differs. If that is another one, or if we may not ask, nothing is known.
func (kicks) prove(main topology.Queue) (step, bool) {
	s := declareQueue(main)
	s.verb = "check"
	declare := s.do
	s.do = func(ch *amqp.Channel) error {
		err := declare(ch)
		var d *DeclareError
		if errors.As(declareError(s, err), &d) && d.Argument != deadLetterExchange {
			return nil
		}
		return err
	}
	return s, true
}

// read adds the failures that the broker has counted to those before the message
// was last published.
func (kicks) read(d *delivery) (ignored []string) {
	k, ok := header.FailuresOfKicks(d.Headers, d.epoch.queue)
	if !ok {
		ignored = append(ignored, header.Deaths)
	}
	if k.Failures == 0 {
		return ignored
	}
	s := &d.state
	s.Attempt = min(s.Attempt, math.MaxInt32-k.Failures) + k.Failures
	if s.FirstFailure == "" && !k.First.IsZero() {
		s.FirstFailure = stamp(k.First)
	}
	if !s.Moved {
		s.OriginExchange, s.OriginKey = k.Exchange, k.Key
	}
	// Nobody notes when its last wait was over. At least what it waited for its
	// attempts is not taken for the queue's being slow.
	s.Due = time.Now()
	return ignored
}

// crashes knows nothing: the main queue is a classic one, which does not count.
func (kicks) crashes(*delivery) int { return 0 }

func (kicks) hold(d *delivery, v *verdict) holding {
	if v.composed {
		return holding{manner: published}
	}
	return holding{manner: deadLettered, to: d.epoch.plan.Peers[0].Name}
}

func (kicks) errorAddress(d *delivery) address {
	return address{exchange: d.epoch.plan.Error.Name, key: d.about.Key}
}

func (kicks) markError(d *delivery, _ *verdict, f *header.Failure, h amqp.Table) {
	k := header.NewKicksFailure(*f, d.state.Attempt, d.properties())
	h[header.RetryInfo] = k.JSON(d.Headers[header.RetryInfo])
}

// properties returns the properties that d came with, as Kicks names them.
func (d *delivery) properties() map[string]any {
	p := map[string]any{}
	for name, v := range map[string]string{
		"content_type": d.ContentType, "content_encoding": d.ContentEncoding, "correlation_id": d.CorrelationId,
		"reply_to": d.ReplyTo, "expiration": d.Expiration, "message_id": d.MessageId, "type": d.Type, "user_id": d.UserId,
		"app_id": d.AppId,
	} {
		if v != "" {
			p[name] = v
		}
	}
	if d.DeliveryMode != 0 {
		p["delivery_mode"] = d.DeliveryMode
	}
	if d.Priority != 0 {
		p["priority"] = d.Priority
	}
	if !d.Timestamp.IsZero() {
		p["timestamp"] = d.Timestamp
	}
	if len(d.Headers) > 0 {
		headers := make(map[string]any, len(d.Headers))
		for k, v := range d.Headers {
			if k != header.RetryInfo { // it is repeated already
				headers[k] = v
			}
		}
		p["headers"] = headers
	}
	return p
}
