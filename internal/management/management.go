// Package management asks RabbitMQ's management API what AMQP does not tell:
// arguments, policies, permissions, alarms, feature flags. It only reads.
//
// What it returns is what the broker says, in the broker's words. A field that
// a release does not have is zero or nil. Counters are those of the broker's
// statistics, which lag behind by some seconds, also in what they say about the
// policy of a queue; names, arguments and policies themselves do not.
package management

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	defaultTimeout = 10 * time.Second

	// mostBytes bounds an answer. A page of 500 queues has about one megabyte.
	mostBytes = 16 << 20
	// mostReason bounds what an answer that is none of the broker's adds to an error.
	mostReason = 200
)

// Config says where the management API is, and who asks.
type Config struct {
	// URL is such as http://host:15672, or https://host/rabbitmq behind a
	// proxy. It must not have a user: that is the other fields' matter.
	URL string
	// User and Password are sent with every request.
	User, Password string
	// TLS is used for https. Nil means the system's certificates.
	TLS *tls.Config
	// Timeout bounds each request with its answer. 0 means 10 s.
	Timeout time.Duration
}

// Client asks one broker. It is safe for concurrent use.
type Client struct {
	base     string // without a slash at the end
	user     string
	password string
	http     *http.Client
}

// New returns a Client. It checks cfg and does no I/O. No error of this package
// holds the password, nor what a malformed URL says, since any part of that may
// be one.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return nil, errors.New("the address of the management API is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the address of the management API begins with neither http:// nor https://")
	case u.Host == "":
		return nil, errors.New("the address of the management API has no host")
	case u.User != nil:
		return nil, errors.New("the address of the management API has a user: it is that of AMQP_URL")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the address of the management API has more than a path")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	return &Client{
		base:     u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"),
		user:     cfg.User,
		password: cfg.Password,
		http: &http.Client{
			Timeout: cfg.Timeout,
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				TLSClientConfig:     cfg.TLS.Clone(),
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     cfg.Timeout,
			},
			// A redirection would carry the password somewhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Address is where the API is, for people.
func (c *Client) Address() string { return c.base }

// Close closes the connections that are kept for further requests.
func (c *Client) Close() { c.http.CloseIdleConnections() }

var (
	// ErrNotFound is an object that does not exist, or an API that this release
	// does not have.
	ErrNotFound = errors.New("not found")
	// ErrForbidden is something that this user may not see.
	ErrForbidden = errors.New("not for this user")
	// ErrLogin is a user or password that the broker does not accept.
	ErrLogin = errors.New("user or password refused")
)

// Error is an answer other than the one that was asked for.
type Error struct {
	Path   string // below /api/
	Status int
	Reason string // the broker's words, if it said any
	kind   error
}

// Error says all of it.
func (e *Error) Error() string {
	text := fmt.Sprintf("management API: %s: %d", e.Path, e.Status)
	if e.Reason != "" {
		text += " " + e.Reason
	}
	return text
}

// Unwrap returns ErrNotFound, ErrForbidden, ErrLogin or nil.
func (e *Error) Unwrap() error { return e.kind }

// path joins the parts of a path below /api/, each escaped by itself: a vhost
// is mostly called "/".
func path(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// get decodes the answer to GET /api/path into v. statuses lists what else than
// 200 is an answer of that form.
func (c *Client) get(ctx context.Context, path string, v any, statuses ...int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/"+path, nil)
	if err != nil {
		return fmt.Errorf("management API: %s: %w", path, err)
	}
	req.SetBasicAuth(c.user, c.password)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("management API: %w", err) // *url.Error names the address, which has no password
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes+1))
	if err != nil {
		return fmt.Errorf("management API: %s: %w", path, err)
	}
	if len(body) > mostBytes {
		return fmt.Errorf("management API: %s: the answer has more than %d MiB", path, mostBytes>>20)
	}
	ok := resp.StatusCode == http.StatusOK
	for _, s := range statuses {
		ok = ok || resp.StatusCode == s
	}
	if !ok {
		return refused(path, resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("management API: %s: not what RabbitMQ answers: %w", path, err)
	}
	return nil
}

// refused makes an error of an answer.
func refused(path string, status int, body []byte) *Error {
	e := &Error{Path: path, Status: status}
	var said struct{ Error, Reason any }
	if json.Unmarshal(body, &said) == nil && said.Reason != nil {
		e.Reason = fmt.Sprint(said.Reason)
	}
	e.Reason = strings.ToValidUTF8(e.Reason, "")
	if len(e.Reason) > mostReason {
		e.Reason = strings.ToValidUTF8(e.Reason[:mostReason], "")
	}
	switch status {
	case http.StatusNotFound:
		e.kind = ErrNotFound
	case http.StatusForbidden:
		e.kind = ErrForbidden
	case http.StatusUnauthorized:
		// Also what the broker says to a user who is known, but may not see this.
		// It spells the two in two ways.
		e.kind = ErrLogin
		if said.Error == "not_authorised" {
			e.kind = ErrForbidden
		}
	}
	return e
}
