package avrocodec

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

const (
	defaultTimeout = 5 * time.Second
	defaultForget  = time.Minute
	defaultKept    = 10_000

	// maxMisses is how many ids that the registry does not have are remembered. A registry is not asked for more than
	// these within RegistryConfig.Forget, whatever ids the bodies name.
	maxMisses = 1000

	// maxRequests is how many schemas are fetched at a time.
	maxRequests = 8

	// pause is how long nothing is asked after the registry failed.
	pause = time.Second
)

// RegistryConfig holds what may be left out. Its zero value works.
type RegistryConfig struct {
	// Client sends the requests. Nil means one of its own, which keeps no connections open and follows no redirects.
	Client *http.Client

	// Forget is for how long it is remembered that the registry does not have a schema. 0 means a minute.
	Forget time.Duration

	// Header is added to every request, such as an Authorization with a token.
	Header http.Header

	// MaxSchemas is how many schemas are kept; beyond it any is dropped, and fetched again when needed. 0 means 10,000.
	MaxSchemas int

	// Timeout bounds one answer, with all schemas that a schema refers to. 0 means 5 s.
	Timeout time.Duration

	// Username and Password are for HTTP's basic authentication. They may stand in the URL instead.
	Username, Password string
}

// A Registry is a client of a schema registry with Confluent's HTTP interface. Each schema is fetched once, whoever
// asks for it at the same time, and kept. It is safe for concurrent use, shared by all codecs of a program, and needs
// no closing: it has no goroutine and, with its own client, no open connection when nobody waits for it.
//
// What bodies can make it do is bounded: ids that the registry does not have are remembered, at most eight requests are
// on their way, and after a failure nothing is asked for a second.
type Registry struct {
	base    string
	client  *http.Client
	header  http.Header
	config  RegistryConfig
	slots   chan struct{}
	mu      sync.Mutex
	found   map[string]found
	missed  map[string]missed
	flights map[string]*flight
	down    time.Time // nothing is asked before
	why     error
}

// A Reference names a schema that another one refers to, as the registry knows it.
type Reference struct {
	// Name is the name by which it is referred to: an Avro type's full name.
	Name string `json:"name"`
	// Subject and Version are where the registry has it.
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// NewRegistry returns a client of the registry at the URL, with http or https. It does no I/O.
func NewRegistry(rawURL string, cfg RegistryConfig) (*Registry, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, errors.New("schema registry: the URL cannot be parsed") // it may hold a password
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("schema registry: the URL is none of http or https with a host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("schema registry: the URL has a query or a fragment")
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("schema registry: Config.Timeout is negative: %v", cfg.Timeout)
	case cfg.Forget < 0:
		return nil, fmt.Errorf("schema registry: Config.Forget is negative: %v", cfg.Forget)
	case cfg.MaxSchemas < 0:
		return nil, fmt.Errorf("schema registry: Config.MaxSchemas is negative: %d", cfg.MaxSchemas)
	}
	if u.User != nil && cfg.Username == "" && cfg.Password == "" {
		cfg.Username = u.User.Username()
		cfg.Password, _ = u.User.Password()
	}
	u.User = nil
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Forget == 0 {
		cfg.Forget = defaultForget
	}
	if cfg.MaxSchemas == 0 {
		cfg.MaxSchemas = defaultKept
	}
	r := &Registry{
		base:    strings.TrimSuffix(u.String(), "/"),
		client:  cfg.Client,
		header:  cfg.Header.Clone(),
		config:  cfg,
		slots:   make(chan struct{}, maxRequests),
		found:   make(map[string]found),
		missed:  make(map[string]missed),
		flights: make(map[string]*flight),
	}
	if r.client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DisableKeepAlives = true // it is asked rarely; so there is nothing to close
		r.client = &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return r, nil
}

// Lookup returns the id under which the subject has the schema, with the schemas that it refers to. If it has not, the
// error wraps [ErrUnknownSchema]; if the registry does not answer, codec.ErrUnavailable. Either is remembered for a
// while. It blocks until ctx ends or the answer is there, at most RegistryConfig.Timeout.
func (r *Registry) Lookup(ctx context.Context, subject, schema string, references ...Reference) (uint32, error) {
	return r.id(ctx, "/subjects/"+url.PathEscape(subject), schema, references)
}

// Register adds the schema to the subject, unless it has it already, and returns its id. If the registry refuses it,
// since it does not fit those before it, or is none, the error is a [*RegistryError]. The rest is as with Lookup.
func (r *Registry) Register(ctx context.Context, subject, schema string, references ...Reference) (uint32, error) {
	return r.id(ctx, "/subjects/"+url.PathEscape(subject)+"/versions", schema, references)
}

func (r *Registry) id(ctx context.Context, path, schema string, references []Reference) (uint32, error) {
	key := fmt.Sprintf("%s %v %s", path, references, schema)
	f, err := r.once(ctx, key, func(ctx context.Context) (found, error) {
		id, err := r.postSchema(ctx, path, schema, references)
		return found{id: id}, err
	})
	return f.id, err
}

// schema returns the schema with an id, ready to read with.
func (r *Registry) schema(ctx context.Context, id uint32) (found, error) {
	return r.once(ctx, fmt.Sprintf("id %d", id), func(ctx context.Context) (found, error) {
		texts, err := r.getSchema(ctx, id)
		if err != nil {
			return found{}, err
		}
		last := len(texts) - 1
		parsed, err := guard.Parse(texts[last], texts[:last]...)
		if err != nil {
			return found{}, fmt.Errorf("%w: %w", ErrIncompatible, err)
		}
		return found{schema: parsed}, nil
	})
}
