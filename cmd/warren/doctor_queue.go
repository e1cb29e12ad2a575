package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// examine looks at the queues of one consumer. planned says that the plan comes from the consumer itself.
func (p *patient) examine(ctx context.Context, plan topology.Plan, planned bool) {
	broker, err := p.see(ctx, plan, planned)
	if err != nil {
		p.found("queues", plan.Main.Name, unchecked, err.Error(), "")
		return
	}
	if !planned && broker.Queues[plan.Main.Name].Seen == drift.Missing {
		p.found("queues", plan.Main.Name, fails, "there is no such queue", "check the name and the virtual host")
		return
	}
	p.checkPlan(drift.Compare(plan, broker, p.flags.options), planned)
	p.checkPermissions(plan)
	p.checkLimits(plan, broker)
	p.checkRetries(plan, broker)
	p.checkConsumerTimeout(plan, broker)
	p.checkConsumers(ctx, plan, broker)
	p.checkHeldUp(plan)
	p.checkMembers(plan)
}

// see returns what the broker has of a plan.
func (p *patient) see(ctx context.Context, plan topology.Plan, planned bool) (drift.Broker, error) {
	if p.sight != nil {
		p.sight.plan(ctx, plan)
		return p.sight.broker, nil
	}
	broker := drift.Broker{
		Version: p.version, Queues: map[string]drift.Queue{}, Exchanges: map[string]drift.Exchange{}, Why: map[string]string{},
	}
	if p.conn == nil {
		return broker, p.amqpErr
	}
	if planned {
		return broker, askPlan(ctx, p.conn, plan, p.flags.options.Own, &broker)
	}
	for _, kind := range []string{"arguments", "policies", "bindings", "retries"} {
		broker.Why[kind] = "AMQP does not tell; give --management"
	}
	for _, q := range plan.Queues() {
		seen, err := askQueue(ctx, p.conn, q, true, &broker)
		if err != nil {
			return broker, err
		}
		broker.Queues[q.Name] = seen
	}
	return broker, nil
}

// checks are the kinds of differences, as checks.
var checks = []struct {
	name  string
	kinds []drift.Kind
	fine  string
}{
	{"queues", []drift.Kind{drift.KindMissing}, "all are there"},
	{"arguments", []drift.Kind{drift.KindArgument, drift.KindProperty}, "as planned"},
	{"policies", []drift.Kind{drift.KindPolicy}, "none changes what the arguments say"},
	{"dead letters", []drift.Kind{drift.KindTarget}, "where they go is there"},
	{"orphans", []drift.Kind{drift.KindOrphan}, "no retry queue is left over from an earlier plan"},
}

// unseenBy is the check that something which was not seen belongs to.
func unseenBy(u drift.Unseen) string {
	switch u.What {
	case "existence":
		return "queues"
	case "arguments", "policies":
		return u.What
	case "retry queues of earlier plans":
		return "orphans"
	default:
		return "dead letters"
	}
}

// checkPlan makes findings of the differences. Without a plan there is nothing that arguments could differ from.
func (p *patient) checkPlan(r drift.Report, planned bool) {
	for _, check := range checks {
		if !planned && (check.name == "arguments" || check.name == "orphans") {
			continue
		}
		good := true
		for _, d := range r.Differences {
			if !slices.Contains(check.kinds, d.Kind) {
				continue
			}
			s := map[drift.Weight]status{drift.Failure: fails, drift.Warning: warns, drift.Note: fine}[d.Weight]
			good = good && s == fine
			does := d.Mend
			if s == fine {
				does = ""
			}
			p.found(check.name, r.Queue, s, sentence(d)+": "+d.Breaks, does)
			if d.Weight == drift.Note {
				good = false // it has been told what there is to tell
			}
		}
		var missed []drift.Unseen
		for _, u := range r.Unseen {
			if unseenBy(u) == check.name {
				missed = append(missed, u)
			}
		}
		for _, text := range together(missed) {
			p.found(check.name, r.Queue, unchecked, text, "")
			good = false
		}
		if good {
			p.found(check.name, r.Queue, fine, check.fine, "")
		}
	}
}

// checkLimits checks how often a message may be delivered.
func (p *patient) checkLimits(plan topology.Plan, broker drift.Broker) {
	const check = "delivery limits"
	major, _, _ := drift.Release(p.version)
	for _, q := range []topology.Queue{plan.Main, plan.Error} {
		seen := broker.Queues[q.Name]
		if seen.Seen == drift.Missing {
			continue // said already
		}
		value, known := broker.Settings(q.Name)
		if !known {
			p.found(check, plan.Main.Name, unchecked, "that of "+q.Name+" could not be seen", "")
			continue
		}
		if seen.Type != string(topology.Quorum) {
			p.found(check, plan.Main.Name, fine, q.Name+" is a "+seen.Type+" queue, which has none", "")
			continue
		}
		n, set := drift.Number(value("delivery-limit"))
		if !set && major >= 4 {
			n, set = 20, true // the broker's default
		}
		_, deadLetters := value("dead-letter-exchange").(string)
		switch isError := q.Name == plan.Error.Name; {
		case set && n < 0 && major < 4:
			p.found(check, plan.Main.Name, fails, q.Name+" has a negative one, which RabbitMQ 3 takes for: at the first look",
				"set a high one by policy")
		case !set || n < 0:
			p.found(check, plan.Main.Name, fine, q.Name+" has none", "")
		case isError && !deadLetters && n < 1000:
			p.found(check, plan.Main.Name, fails, fmt.Sprintf("RabbitMQ deletes an entry of %s once it was looked at %d times", q.Name, n),
				fmt.Sprintf("a policy can raise it if no argument sets it: rabbitmqctl set_policy -p %s keep %s '{\"delivery-limit\":1000000}' --apply-to queues",
					shellQuoted(p.vhost), shellQuoted("^"+regexp.QuoteMeta(q.Name)+"$")))
		case !isError && n < 11:
			p.found(check, plan.Main.Name, warns, fmt.Sprintf("RabbitMQ moves a message out of %s after %d failed deliveries, without a reason; "+
				"Warren does it after 10, with one", q.Name, n), "raise it to 100")
		default:
			p.found(check, plan.Main.Name, fine, fmt.Sprintf("%s has %d", q.Name, n), "")
		}
	}
}

// shellQuoted is a text as one word of a command that people copy: names may hold anything.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// checkRetries checks that what waits comes back.
func (p *patient) checkRetries(plan topology.Plan, broker drift.Broker) {
	const check = "retries"
	queue := plan.Main.Name
	there, good := 0, true
	for _, r := range slices.Concat(plan.Retry, plan.Rungs) {
		if broker.Queues[r.Name].Seen != drift.Present {
			continue
		}
		there++
		value, known := broker.Settings(r.Name)
		_, expires := drift.Number(value("message-ttl"))
		was := len(p.findings)
		switch {
		case !known:
			p.found(check, queue, unchecked, "the arguments or policies of "+r.Name+" could not be seen", "")
		case !expires || value("dead-letter-exchange") != "" || value("dead-letter-routing-key") != queue:
			p.found(check, queue, fails, "what is in "+r.Name+" does not come back to "+queue,
				"move its messages with a shovel, and declare it anew: docs/topology.md")
		case value("dead-letter-strategy") != "at-least-once" || value("overflow") != "reject-publish":
			p.found(check, queue, warns, r.Name+" puts messages back at most once: they are lost if the broker dies meanwhile",
				"it needs x-dead-letter-strategy at-least-once and x-overflow reject-publish on a quorum queue: docs/topology.md")
		}
		good = good && len(p.findings) == was
	}
	switch {
	case there == 0 && p.sight == nil && len(plan.Retry) == 0:
		p.found(check, queue, unchecked, errNoManagement.Error(), "")
	case good:
		p.found(check, queue, fine, "what waits in "+count(there, "retry queue", "retry queues")+" comes back", "")
	}
}

// checkConsumerTimeout compares the time that a handler has with that after which the broker takes its message back.
func (p *patient) checkConsumerTimeout(plan topology.Plan, broker drift.Broker) {
	const check = "consumer timeout"
	queue, handler := plan.Main.Name, p.flags.handlerTimeout
	major, minor, _ := drift.Release(p.version)
	if broker.Queues[queue].Type == string(topology.Classic) && (major > 4 || major == 4 && minor >= 3) {
		p.found(check, queue, fine, "RabbitMQ "+p.version+" has none for classic queues", "")
		return
	}
	limit, from := p.flags.consumerTimeout, "the broker's configuration, as you say"
	if value, known := broker.Settings(queue); known {
		if ms, set := drift.Number(value("consumer-timeout")); set {
			limit, from = time.Duration(ms)*time.Millisecond, "the queue's argument or policy"
		}
	}
	const spare = time.Minute // the broker looks once in a minute, and messages wait in the prefetch
	switch {
	case limit == 0 && handler+spare >= 30*time.Minute:
		p.found(check, queue, fails, fmt.Sprintf("a handler may take %v; unless configured otherwise RabbitMQ takes its message back after 30m0s, and hands it out again",
			handler), "raise consumer_timeout on the broker and set Config.ConsumerTimeout, or give --consumer-timeout if that is done")
	case limit == 0:
		p.found(check, queue, unchecked, fmt.Sprintf("no API tells the broker's; a handler may take %v, and RabbitMQ's default is 30m0s", handler),
			"give --consumer-timeout if the broker's is configured otherwise (rabbitmqctl environment)")
	case handler+spare >= limit:
		p.found(check, queue, fails, fmt.Sprintf("a handler may take %v, and RabbitMQ takes its message back after %v (%s), and hands it out again", handler, limit, from),
			"shorten Config.Timeout, or raise the broker's and set Config.ConsumerTimeout")
	default:
		p.found(check, queue, fine, fmt.Sprintf("a handler may take %v, and RabbitMQ waits for %v (%s)", handler, limit, from), "")
	}
}

// checkConsumers looks for messages that nobody handles.
func (p *patient) checkConsumers(ctx context.Context, plan topology.Plan, broker drift.Broker) {
	const check = "consumers"
	queue := plan.Main.Name
	if broker.Queues[queue].Seen == drift.Missing {
		return
	}
	ready, consumers, known := p.counts(ctx, queue)
	age := ""
	if at := p.detail(queue).HeadTimestamp; at != nil && *at > 0 {
		age = fmt.Sprintf(", the first of them since %v", time.Since(time.Unix(*at, 0)).Round(time.Second))
	}
	const old = time.Hour
	switch {
	case !known:
		p.found(check, queue, unchecked, "the messages and consumers of "+queue+" could not be counted", "")
	case consumers == 0 && ready > 0:
		p.found(check, queue, warns, fmt.Sprintf("nobody consumes, and %s%s", count(int(ready), "message waits", "messages wait"), age), "start a consumer")
	case consumers == 0:
		p.found(check, queue, fine, "nobody consumes, and nothing waits", "")
	case age != "" && ready > 0 && time.Since(time.Unix(*p.detail(queue).HeadTimestamp, 0)) > old:
		p.found(check, queue, warns, fmt.Sprintf("%s, but %s%s", count(int(consumers), "consumer", "consumers"), count(int(ready), "message waits", "messages wait"), age),
			"consumers are too slow, or hang: look at their health and metrics")
	default:
		p.found(check, queue, fine, fmt.Sprintf("%s, %s", count(int(consumers), "consumer", "consumers"), count(int(ready), "message waits", "messages wait")), "")
	}
	if n, _, known := p.counts(ctx, plan.Error.Name); known && n > 0 {
		p.found("error queue", queue, fine, count(int(n), "entry waits", "entries wait")+" for a person: warren errors ls "+queue, "")
	}
}

// detail is what the management API tells of a queue, or nothing.
func (p *patient) detail(name string) (q management.Queue) {
	if p.sight != nil {
		q = p.sight.details[name]
	}
	return q
}

// counts returns how many messages of a queue are ready, and how many consume. AMQP knows it best: the statistics of the
// management API are some seconds old.
func (p *patient) counts(ctx context.Context, name string) (ready, consumers int64, known bool) {
	if p.conn != nil {
		var q amqp.Queue
		said, err := askBroker(ctx, p.conn, func(ch *amqp.Channel) (err error) {
			q, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
			return err
		})
		if said == nil && err == nil {
			return int64(q.Messages), int64(q.Consumers), true
		}
	}
	if q := p.detail(name); q.Ready != nil && q.Consumers != nil {
		return *q.Ready, *q.Consumers, true
	}
	return 0, 0, false
}

// checkHeldUp looks for dead letters that do not get through. The broker has 32 of them on the way at a time.
func (p *patient) checkHeldUp(plan topology.Plan) {
	const check, most = "held up", 32
	good, seen := true, false
	for _, q := range append(plan.Queues(), rungsOf(plan)...) {
		d := p.detail(q.Name)
		if d.DeadLetters == nil {
			continue
		}
		seen = true
		if *d.DeadLetters >= most {
			good = false
			p.found(check, plan.Main.Name, warns, fmt.Sprintf("%s of %s are on their way and not confirmed", count(int(*d.DeadLetters), "dead letter", "dead letters"), q.Name),
				"look again in a minute. If there are not fewer: is the queue that they go to full or without a quorum? A broker before 3.12 tries again after three minutes")
		}
	}
	switch {
	case !seen && p.sight == nil:
		p.found(check, plan.Main.Name, unchecked, errNoManagement.Error(), "")
	case !seen:
		p.found(check, plan.Main.Name, unchecked, "the broker has not counted dead letters yet, or these are classic queues", "")
	case good:
		p.found(check, plan.Main.Name, fine, "dead letters get through", "")
	}
}

// checkMembers looks at the nodes that have a quorum queue.
func (p *patient) checkMembers(plan topology.Plan) {
	const check = "quorum"
	good, seen := true, false
	for _, q := range append(plan.Queues(), rungsOf(plan)...) {
		d := p.detail(q.Name)
		if d.Type != string(topology.Quorum) || len(d.Members) == 0 {
			continue
		}
		seen = true
		members, online := len(d.Members), len(d.Online)
		was := len(p.findings)
		switch {
		case online <= members/2:
			p.found(check, plan.Main.Name, fails, fmt.Sprintf("%d of the %d members of %s run: it takes and gives no messages", online, members, q.Name), "start the nodes that are down")
		case online < members:
			p.found(check, plan.Main.Name, warns, fmt.Sprintf("%d of the %d members of %s run", online, members, q.Name), "start the nodes that are down, before another one fails")
		case members == 1 && len(p.nodes) > 1:
			p.found(check, plan.Main.Name, warns, fmt.Sprintf("%s is on one of %d nodes only", q.Name, len(p.nodes)), "rabbitmq-queues grow NODE all")
		}
		good = good && len(p.findings) == was
	}
	switch {
	case !seen && p.sight == nil:
		p.found(check, plan.Main.Name, unchecked, errNoManagement.Error(), "")
	case !seen:
		p.found(check, plan.Main.Name, fine, "none of the queues is a quorum queue", "")
	case good:
		p.found(check, plan.Main.Name, fine, "all members run", "")
	}
}
