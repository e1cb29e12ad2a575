package management

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Table holds arguments, or what a policy defines. Numbers in it are
// json.Number, so that none loses digits.
type Table map[string]any

// UnmarshalJSON also takes the empty list, as which Erlang writes an empty table.
func (t *Table) UnmarshalJSON(data []byte) error {
	*t = nil
	if data = bytes.TrimSpace(data); bytes.Equal(data, []byte("[]")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one table")
	}
	*t = m
	return nil
}

// Overview is what a user who may use the API at all is told of the broker.
type Overview struct {
	Version          string `json:"rabbitmq_version"`
	Cluster          string `json:"cluster_name"`
	Node             string `json:"node"`
	DefaultQueueType string `json:"default_queue_type"` // of the node; since 3.13
}

// Overview asks for the overview.
func (c *Client) Overview(ctx context.Context) (o Overview, err error) {
	err = c.get(ctx, "overview", &o)
	return o, err
}

// Queue is a queue as the broker has it. The counters are nil until the broker
// has counted: for some seconds after the queue was declared.
type Queue struct {
	Name       string
	Type       string
	Durable    bool
	AutoDelete bool `json:"auto_delete"`
	Exclusive  bool
	Arguments  Table
	// Effective is what policies define for it, by the statistics.
	Effective     Table `json:"effective_policy_definition"`
	State         string
	Leader        string   // of a quorum queue
	Members       []string // of a quorum queue: the nodes that have it
	Online        []string // those of them that run
	Consumers     *int64
	Messages      *int64
	Ready         *int64 `json:"messages_ready"`
	Unacked       *int64 `json:"messages_unacknowledged"`
	DeadLetters   *int64 `json:"messages_dlx"` // not confirmed yet by where they go
	HeadTimestamp *int64 `json:"head_message_timestamp"`
}

// Queue asks for a queue. ErrNotFound: there is none.
func (c *Client) Queue(ctx context.Context, vhost, name string) (q Queue, err error) {
	err = c.get(ctx, path("queues", vhost, name), &q)
	return q, err
}

// QueuesNamed asks for the queues of a vhost with part in their names.
func (c *Client) QueuesNamed(ctx context.Context, vhost, part string) ([]Queue, error) {
	const perPage, mostPages = 500, 200
	var all []Queue
	for page := 1; page <= mostPages; page++ {
		query := url.Values{
			"name": {part}, "use_regex": {"false"}, "pagination": {"true"},
			"page": {strconv.Itoa(page)}, "page_size": {strconv.Itoa(perPage)},
		}
		var answer struct {
			Items []Queue
			Pages int `json:"page_count"`
		}
		if err := c.get(ctx, path("queues", vhost)+"?"+query.Encode(), &answer); err != nil {
			return nil, err
		}
		for _, q := range answer.Items {
			if strings.Contains(q.Name, part) { // the broker does not mind the case
				all = append(all, q)
			}
		}
		if page >= answer.Pages {
			return all, nil
		}
	}
	return nil, fmt.Errorf("management API: more than %d queues are called like %q", perPage*mostPages, part)
}

// Exchange is an exchange as the broker has it.
type Exchange struct {
	Name       string
	Type       string
	Durable    bool
	AutoDelete bool `json:"auto_delete"`
	Internal   bool
	Arguments  Table
}

// Exchange asks for an exchange other than the default one. ErrNotFound: there
// is none.
func (c *Client) Exchange(ctx context.Context, vhost, name string) (e Exchange, err error) {
	err = c.get(ctx, path("exchanges", vhost, name), &e)
	return e, err
}

// Binding binds what is called Destination to the exchange Source.
type Binding struct {
	Source          string
	Destination     string
	DestinationType string `json:"destination_type"` // queue or exchange
	Key             string `json:"routing_key"`
	Arguments       Table
}

// Bindings asks for what is bound to an exchange: nothing, if there is none.
func (c *Client) Bindings(ctx context.Context, vhost, exchange string) (b []Binding, err error) {
	err = c.get(ctx, path("exchanges", vhost, exchange, "bindings", "source"), &b)
	return b, err
}

// QueueBindings asks for the bindings of a queue, with that to the default
// exchange, whose name is empty. If there is no such queue the error is
// ErrNotFound, or, on RabbitMQ 3.10, there is that one binding.
func (c *Client) QueueBindings(ctx context.Context, vhost, queue string) (b []Binding, err error) {
	err = c.get(ctx, path("queues", vhost, queue, "bindings"), &b)
	return b, err
}

// Policy is a policy, or an operator policy. Of those that match a queue the
// one with the highest priority holds, and the operator's beside it.
type Policy struct {
	Name       string
	Pattern    string // Erlang's regular expressions
	ApplyTo    string `json:"apply-to"`
	Priority   int64
	Definition Table
}

// Policies asks for the policies of a vhost.
func (c *Client) Policies(ctx context.Context, vhost string) (p []Policy, err error) {
	err = c.get(ctx, path("policies", vhost), &p)
	return p, err
}

// OperatorPolicies asks for the operator policies of a vhost.
func (c *Client) OperatorPolicies(ctx context.Context, vhost string) (p []Policy, err error) {
	err = c.get(ctx, path("operator-policies", vhost), &p)
	return p, err
}

// FeatureFlag is a part of a release that is turned on after an upgrade.
type FeatureFlag struct {
	Name      string
	State     string // enabled, disabled, unsupported, state_changing
	Stability string // required, stable or experimental
}

// FeatureFlags asks for them all. Before 4.0 only an administrator may see them.
func (c *Client) FeatureFlags(ctx context.Context) (f []FeatureFlag, err error) {
	err = c.get(ctx, "feature-flags", &f)
	return f, err
}

// Alarm is a resource that a node is short of.
type Alarm struct {
	Node     string
	Resource string // memory, disk, file_descriptor_limit
}

// Alarms asks which alarms are in effect anywhere in the cluster.
func (c *Client) Alarms(ctx context.Context) ([]Alarm, error) {
	var answer struct{ Alarms []Alarm }
	err := c.get(ctx, "health/checks/alarms", &answer, http.StatusServiceUnavailable)
	return answer.Alarms, err
}

// Permissions are three regular expressions of Erlang. What matches one wholly
// or in part is allowed; the empty one allows nothing.
type Permissions struct {
	User      string
	VHost     string
	Configure string
	Write     string
	Read      string
}

// Permissions asks what a user may do in a vhost. Only an administrator may see
// it. ErrNotFound: nothing at all, or there is no such user or vhost.
func (c *Client) Permissions(ctx context.Context, vhost, user string) (p Permissions, err error) {
	err = c.get(ctx, path("permissions", vhost, user), &p)
	return p, err
}

// Node is a member of the cluster.
type Node struct {
	Name         string
	Running      bool
	Partitions   []string
	Applications []struct{ Name, Version string }
}

// Version is the version of RabbitMQ that the node runs; empty if it does not run.
func (n Node) Version() string {
	for _, a := range n.Applications {
		if a.Name == "rabbit" {
			return a.Version
		}
	}
	return ""
}

// Nodes asks for the members of the cluster. It needs the tag monitoring.
func (c *Client) Nodes(ctx context.Context) (n []Node, err error) {
	err = c.get(ctx, "nodes?columns=name,running,partitions,applications", &n)
	return n, err
}

// VHost is a virtual host.
type VHost struct {
	Name             string
	DefaultQueueType string `json:"default_queue_type"`
}

// VHost asks for a virtual host. Only an administrator may see it.
func (c *Client) VHost(ctx context.Context, name string) (v VHost, err error) {
	err = c.get(ctx, path("vhosts", name), &v)
	return v, err
}
