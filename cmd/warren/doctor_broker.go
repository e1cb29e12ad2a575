package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// checkBroker checks what is not about one queue.
func (p *patient) checkBroker() {
	p.checkReach()
	p.checkVersion()
	p.checkNodes()
	p.checkFlags()
	p.checkAlarms()
}

func (p *patient) checkReach() {
	const check = "reachable"
	refused := &connection.RefusedError{}
	switch {
	case p.amqpErr == nil:
		p.found(check, "", fine, "AMQP answers at "+p.conn.String(), "")
	case errors.As(p.amqpErr, &refused):
		p.found(check, "", fails, p.amqpErr.Error(), "check user, password and virtual host of AMQP_URL, and what they may do")
	default:
		p.found(check, "", fails, p.amqpErr.Error(), "check the address, the network, and whether the node runs")
	}
	if p.sight == nil {
		p.found("management", "", unchecked, p.sightErr.Error(), "give --management URL, and a user with the tag monitoring: most checks need it")
		return
	}
	p.found("management", "", fine, "answers at "+p.sight.Address(), "")
}

func (p *patient) checkVersion() {
	const check = "version"
	major, minor, known := drift.Release(p.version)
	at := func(x, y int) bool { return major > x || major == x && minor >= y }
	switch {
	case !known:
		p.found(check, "", unchecked, "the broker did not say its version", "")
	case !at(3, 10):
		p.found(check, "", fails, "RabbitMQ "+p.version+" cannot expire messages of quorum queues, and moves dead letters at most once: they get lost",
			"upgrade to 3.12 or later, or use classic queues (Config.Classic) and mind what may be lost")
	case !at(3, 12):
		p.found(check, "", warns, "RabbitMQ "+p.version+" loses nothing, but in a cluster the death of a node can hold up retries for three minutes",
			"upgrade to 3.12 or later")
	case at(4, 3):
		p.found(check, "", fine, "RabbitMQ "+p.version+"; it can delay retries by itself (consumer.Native)", "")
	default:
		p.found(check, "", fine, "RabbitMQ "+p.version, "")
	}
}

func (p *patient) checkNodes() {
	const check = "nodes"
	if p.nodeErr != nil {
		p.found(check, "", unchecked, p.nodeErr.Error(), needs(p.nodeErr, "monitoring"))
		return
	}
	var versions, down, parted []string
	for _, n := range p.nodes {
		switch v := n.Version(); {
		case !n.Running:
			down = append(down, n.Name)
		case v != "" && !slices.Contains(versions, v):
			versions = append(versions, v)
		}
		if len(n.Partitions) > 0 {
			parted = append(parted, n.Name)
		}
	}
	was := len(p.findings)
	if len(parted) > 0 {
		p.found(check, "", fails, "the network between nodes is broken, as seen by "+strings.Join(parted, ", "), "see RabbitMQ's guide on partitions")
	}
	if len(down) > 0 {
		p.found(check, "", warns, "not running: "+strings.Join(down, ", "), "start it, or take it out of the cluster (rabbitmqctl forget_cluster_node)")
	}
	if len(versions) > 1 {
		p.found(check, "", warns, "they run different versions: "+strings.Join(versions, ", "), "finish the upgrade")
	}
	if len(p.findings) == was {
		p.found(check, "", fine, count(len(p.nodes), "node runs", "nodes run"), "")
	}
}

func (p *patient) checkFlags() {
	const check = "feature flags"
	if p.flagErr != nil {
		p.found(check, "", unchecked, p.flagErr.Error(), needs(p.flagErr, "administrator (monitoring from 4.0)"))
		return
	}
	var off []string
	for _, f := range p.flagList {
		if f.State == "enabled" || f.Stability == "experimental" {
			continue
		}
		if f.Name == "stream_queue" {
			p.found(check, "", fails, "stream_queue is "+f.State+": dead letters are moved at most once, without a word, and get lost when a node dies",
				"rabbitmqctl enable_feature_flag stream_queue; then queues that were declared before dead-letter at least once as well")
			continue
		}
		off = append(off, f.Name)
	}
	switch {
	case len(off) > 0:
		p.found(check, "", warns, "not enabled: "+strings.Join(off, ", "), "rabbitmqctl enable_feature_flag all; the next upgrade may demand it")
	case !slices.ContainsFunc(p.flagList, func(f management.FeatureFlag) bool { return f.Name == "stream_queue" && f.State != "enabled" }):
		p.found(check, "", fine, "all stable ones are enabled", "")
	}
}

func (p *patient) checkAlarms() {
	const check = "alarms"
	switch {
	case p.alarmErr != nil:
		p.found(check, "", unchecked, p.alarmErr.Error(), needs(p.alarmErr, "monitoring"))
	case len(p.alarms) == 0:
		p.found(check, "", fine, "none", "")
	}
	for _, a := range p.alarms {
		p.found(check, "", fails, fmt.Sprintf("%s is low on %s: no publisher in the cluster gets through, and so no retry either", a.Node, a.Resource),
			"free some, raise the limit, or let consumers catch up; acknowledging works meanwhile")
	}
}

// needs says what the user lacks to see something.
func needs(err error, tag string) string {
	if errors.Is(err, management.ErrForbidden) {
		return "a user with the tag " + tag + " may see it"
	}
	return ""
}

// need is one thing that a consumer must be allowed.
type need struct{ what, of, pattern, why string }

// needsOf lists what a consumer with that plan must be allowed.
func needsOf(plan topology.Plan, permission management.Permissions, own, guarded bool) (all []need) {
	add := func(what, of, why string) {
		pattern := map[string]string{"configure": permission.Configure, "write": permission.Write, "read": permission.Read}[what]
		all = append(all, need{what, of, pattern, why})
	}
	for _, q := range append(plan.Queues(), rungsOf(plan)...) {
		if own && q.Name == plan.Main.Name {
			if guarded {
				add("configure", q.Name, "to see that it is there, since RabbitMQ 4.3")
			}
			continue
		}
		add("configure", q.Name, "to declare it")
		exchange, set := q.Args["x-dead-letter-exchange"].(string)
		if set {
			add("read", q.Name, "to declare it with a dead-letter exchange")
			add("write", exchange, "to declare "+q.Name+" with it as dead-letter exchange")
		}
	}
	add("read", plan.Main.Name, "to consume")
	add("write", "", "to publish to retry and error queues")
	for _, e := range plan.Exchanges {
		add("configure", e.Name, "to declare it")
	}
	for _, b := range plan.Bindings {
		add("write", b.Queue, "to bind it")
		add("read", b.Exchange, "to bind to it")
	}
	return all
}

// allowed says whether a pattern of permissions takes a name. The default exchange is called amq.default here, and an
// empty pattern takes nothing.
func (n need) allowed() (bool, error) {
	if n.pattern == "" {
		return false, nil
	}
	pattern, err := regexp.Compile(n.pattern)
	if err != nil {
		return false, fmt.Errorf("the pattern %s can be read by Erlang only", n.pattern)
	}
	return pattern.MatchString(n.name()), nil
}

func (n need) name() string {
	if n.of == "" {
		return "amq.default"
	}
	return n.of
}

// checkPermissions checks what the user may do.
func (p *patient) checkPermissions(plan topology.Plan) {
	const check = "permissions"
	queue := plan.Main.Name
	if errors.Is(p.permitErr, management.ErrNotFound) {
		p.found(check, queue, fails, fmt.Sprintf("user %s may do nothing in virtual host %s, or does not exist", p.user, p.vhost),
			fmt.Sprintf("rabbitmqctl set_permissions -p %s %s CONFIGURE WRITE READ", shellQuoted(p.vhost), shellQuoted(p.user)))
		return
	}
	if p.permitErr != nil {
		p.found(check, queue, unchecked, p.permitErr.Error(), needs(p.permitErr, "administrator"))
		return
	}
	lacks := map[string][]string{}
	why := map[string]string{}
	major, minor, _ := drift.Release(p.version)
	guarded := major > 4 || major == 4 && minor >= 3 // passive declarations need permission
	for _, n := range needsOf(plan, p.permission, p.flags.options.Own, guarded) {
		may, err := n.allowed()
		switch {
		case err != nil:
			p.found(check, queue, unchecked, err.Error(), "")
			return
		case !may && !slices.Contains(lacks[n.what], n.name()):
			lacks[n.what] = append(lacks[n.what], n.name())
			why[n.what] = n.why
		}
	}
	for _, what := range []string{"configure", "write", "read"} {
		if len(lacks[what]) > 0 {
			p.found(check, queue, fails, fmt.Sprintf("user %s may not %s %s: it is needed %s", p.user, what, strings.Join(lacks[what], ", "), why[what]),
				fmt.Sprintf("rabbitmqctl set_permissions -p %s %s CONFIGURE WRITE READ; the pattern for %s is now %q",
					shellQuoted(p.vhost), shellQuoted(p.user), what, patternFor(p.permission, what)))
		}
	}
	if len(lacks) == 0 {
		p.found(check, queue, fine, "user "+p.user+" may do what is needed", "")
	}
}

func patternFor(p management.Permissions, what string) string {
	switch what {
	case "configure":
		return p.Configure
	case "write":
		return p.Write
	default:
		return p.Read
	}
}
