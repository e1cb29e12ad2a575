package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// managementFlags say where the management API is.
type managementFlags struct{ address string }

func (m *managementFlags) add(f *pflag.FlagSet) {
	f.StringVar(&m.address, "management", "", "`URL` of the management API (default: port 15672 of the broker's host, or 15671 "+
		"with TLS; none: do without)")
}

// errUnwanted is that the management API shall not be asked.
var errUnwanted = errors.New("--management none")

// required says that there is no doing without it: someone has said where it is.
func (m *managementFlags) required() bool { return m.address != "" && m.address != "none" }

// client is for the management API that belongs to the broker of address. The user is the same.
func (m *managementFlags) client(address string) (c *management.Client, vhost string, err error) {
	uri, err := amqp.ParseURI(address)
	if err != nil { // it may quote a password
		return nil, "", usageError{errors.New("AMQP_URL is not one of RabbitMQ")}
	}
	at := m.address
	switch {
	case at == "none":
		return nil, uri.Vhost, errUnwanted
	case at == "" && uri.Scheme == "amqps":
		at = "https://" + net.JoinHostPort(uri.Host, "15671")
	case at == "":
		at = "http://" + net.JoinHostPort(uri.Host, "15672")
	}
	c, err = management.New(management.Config{URL: at, User: uri.Username, Password: uri.Password})
	if err != nil {
		return nil, "", usageError{err}
	}
	return c, uri.Vhost, nil
}

// sight is a broker as the management API shows it.
type sight struct {
	*management.Client
	vhost   string
	broker  drift.Broker
	details map[string]management.Queue // of the queues that are there
}

// look begins to look at a broker. An error is that the API cannot be used at all.
func look(ctx context.Context, c *management.Client, vhost string) (*sight, error) {
	overview, err := c.Overview(ctx)
	if err != nil {
		return nil, err
	}
	s := &sight{Client: c, vhost: vhost, details: map[string]management.Queue{}, broker: drift.Broker{
		Version:   overview.Version,
		Queues:    map[string]drift.Queue{},
		Exchanges: map[string]drift.Exchange{},
		Why:       map[string]string{},
	}}
	// Of a vhost that does not exist the API says that its queues do not exist.
	policies, err := c.Policies(ctx, vhost)
	switch {
	case errors.Is(err, management.ErrNotFound):
		return nil, fmt.Errorf("there is no virtual host %q, or it is not for this user", vhost)
	case err != nil:
		s.broker.Why["policies"] = err.Error()
	}
	operators, err := c.OperatorPolicies(ctx, vhost)
	if err != nil {
		s.broker.Why["policies"] = err.Error()
	}
	if s.broker.Why["policies"] == "" {
		s.broker.Policies = append(policiesOf(policies, false), policiesOf(operators, true)...)
	}
	s.broker.DefaultQueueType = overview.DefaultQueueType
	if v, err := c.VHost(ctx, vhost); err == nil && v.DefaultQueueType != "" && v.DefaultQueueType != "undefined" {
		s.broker.DefaultQueueType = v.DefaultQueueType
	}
	return s, nil
}

func policiesOf(list []management.Policy, operator bool) []drift.Policy {
	all := make([]drift.Policy, 0, len(list)) // not nil: none is known
	for _, p := range list {
		all = append(all, drift.Policy{
			Name: p.Name, Pattern: p.Pattern, ApplyTo: p.ApplyTo, Priority: p.Priority, Operator: operator, Definition: p.Definition,
		})
	}
	return all
}

// plan looks at what a plan is about.
func (s *sight) plan(ctx context.Context, p topology.Plan) {
	names := map[string]bool{}
	for _, q := range p.Queues() {
		names[q.Name] = true
	}
	for _, r := range p.Rungs {
		names[r.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		s.queue(ctx, name)
	}
	for _, e := range p.Exchanges {
		s.exchange(ctx, e.Name)
	}
	for _, b := range p.Bindings {
		s.exchange(ctx, b.Exchange)
	}
	// Where their dead letters go.
	for _, name := range slices.Sorted(maps.Keys(names)) {
		value, _ := s.broker.Settings(name)
		exchange, set := value("dead-letter-exchange").(string)
		switch key, hasKey := value("dead-letter-routing-key").(string); {
		case set && exchange != "":
			s.exchange(ctx, exchange)
		case set && hasKey:
			s.queue(ctx, key)
		}
	}
	s.retries(ctx, p.Main.Name)
}

// queue looks at a queue.
func (s *sight) queue(ctx context.Context, name string) {
	if _, seen := s.broker.Queues[name]; seen {
		return
	}
	q, err := s.Queue(ctx, s.vhost, name)
	switch {
	case errors.Is(err, management.ErrNotFound):
		s.broker.Queues[name] = drift.Queue{Name: name, Seen: drift.Missing}
		return
	case err != nil:
		s.broker.Why["queues"] = err.Error()
		return
	}
	s.details[name] = q
	seen := queueOf(q)
	if bindings, err := s.QueueBindings(ctx, s.vhost, name); err != nil {
		s.broker.Why["bindings"] = err.Error()
	} else {
		seen.Bindings = bindingsOf(bindings)
	}
	s.broker.Queues[name] = seen
}

func queueOf(q management.Queue) drift.Queue {
	args := map[string]any(q.Arguments)
	if args == nil {
		args = map[string]any{} // none is known
	}
	return drift.Queue{
		Name: q.Name, Seen: drift.Present, Type: q.Type,
		Transient: !q.Durable, AutoDelete: q.AutoDelete, Exclusive: q.Exclusive,
		Args: args, Effective: q.Effective, Messages: q.Messages,
	}
}

// bindingsOf leaves out those to the default exchange, which every queue has.
func bindingsOf(list []management.Binding) []drift.Binding {
	all := []drift.Binding{}
	for _, b := range list {
		if b.Source == "" {
			continue
		}
		binding := drift.Binding{Exchange: b.Source, Key: b.Key, Args: b.Arguments}
		if b.DestinationType == "queue" {
			binding.Queue = b.Destination
		} else {
			binding.ToExchange = b.Destination
		}
		all = append(all, binding)
	}
	return all
}

// exchange looks at an exchange.
func (s *sight) exchange(ctx context.Context, name string) {
	if _, seen := s.broker.Exchanges[name]; seen || name == "" {
		return
	}
	e, err := s.Exchange(ctx, s.vhost, name)
	switch {
	case errors.Is(err, management.ErrNotFound):
		s.broker.Exchanges[name] = drift.Exchange{Name: name, Seen: drift.Missing}
		return
	case err != nil:
		s.broker.Why["exchanges"] = err.Error()
		return
	}
	seen := drift.Exchange{
		Name: name, Seen: drift.Present, Kind: e.Type, Durable: e.Durable, AutoDelete: e.AutoDelete, Args: e.Arguments,
	}
	if bindings, err := s.Bindings(ctx, s.vhost, name); err != nil {
		s.broker.Why["bindings"] = err.Error()
	} else {
		seen.Bindings = bindingsOf(bindings)
	}
	s.broker.Exchanges[name] = seen
}

// retries looks for the retry queues of a main queue, whoever has planned them.
func (s *sight) retries(ctx context.Context, main string) {
	list, err := s.QueuesNamed(ctx, s.vhost, main+".retry.")
	if err != nil {
		s.broker.Why["retries"] = err.Error()
		return
	}
	for _, q := range list {
		known := slices.ContainsFunc(s.broker.Retries, func(r drift.Queue) bool { return r.Name == q.Name })
		if !known && drift.IsRetryQueue(main, q.Name) {
			s.details[q.Name] = q
			s.broker.Retries = append(s.broker.Retries, queueOf(q))
		}
	}
}
