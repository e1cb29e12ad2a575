package connection

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// errMalformed is all that is said of a URL that makes no sense. Any part of it
// may hold the password, if a reserved character in that was not encoded, so
// none is quoted.
var errMalformed = errors.New("the URL is not of the form amqp://user:password@host:port/vhost; " +
	"is every reserved character in user name, password and vhost percent-encoded?")

// readURL takes over what the URL says, where Config says nothing.
func (s *settings) readURL(raw string) error {
	if raw == "" {
		return errors.New("the URL is empty")
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.ContainsAny(scheme, ":/?#@") {
		return errMalformed
	}
	// A "/", "?" or "#" in the password that was not encoded ends the host too
	// early: the first half of the password is then taken for a port, and the
	// second for a vhost. The "@" behind it shows that.
	if i := strings.IndexAny(rest, "/?#"); i >= 0 && strings.ContainsAny(rest[i:], "@#") {
		return errMalformed
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errMalformed
	}
	if p := u.Port(); p != "" && !isPort(p) {
		return errors.New("the URL's port is not a number from 1 to 65535")
	}
	uri, err := amqp.ParseURI(raw)
	if err != nil {
		// By now, what its errors quote is a value of the query, at most.
		return fmt.Errorf("the URL is not one of RabbitMQ: %w", err)
	}
	s.tls = uri.Scheme == "amqps"
	s.vhost, s.user, s.pass = uri.Vhost, uri.Username, uri.Password
	s.channelMax = uri.ChannelMax
	if len(s.vhost) > math.MaxUint8 {
		return fmt.Errorf("the URL's vhost has %d bytes, at most 255 are possible", len(s.vhost))
	}
	if err := s.readQuery(u.Query(), &uri); err != nil {
		return err
	}
	s.nodes, err = nodes(&uri, s.Addresses)
	return err
}

// readQuery takes over what the URL's query says.
func (s *settings) readQuery(q url.Values, uri *amqp.URI) error {
	for name := range q {
		switch value := q.Get(name); name {
		case "channel_max": // in uri
		case "heartbeat":
			if s.Heartbeat != 0 {
				continue
			}
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("the URL's heartbeat is not a number of seconds: %q", value)
			}
			if s.Heartbeat = time.Duration(n) * time.Second; n == 0 {
				s.Heartbeat = noHeartbeat
			}
		case "connection_timeout":
			if uri.ConnectionTimeout < 0 {
				return fmt.Errorf("the URL's connection_timeout is negative: %d", uri.ConnectionTimeout)
			}
			if s.DialTimeout == 0 {
				s.DialTimeout = time.Duration(uri.ConnectionTimeout) * time.Millisecond
			}
		case "auth_mechanism":
			switch strings.ToLower(value) {
			case "plain":
			case "external":
				s.external = true
			default:
				return fmt.Errorf("the URL's auth_mechanism is neither plain nor external: %q", value)
			}
		default:
			return fmt.Errorf("the URL has an unknown parameter %q; certificates go into Config.TLS", name)
		}
	}
	return nil
}

// nodes returns each node's host and port once, in random order.
func nodes(uri *amqp.URI, more []string) ([]string, error) {
	port := strconv.Itoa(uri.Port)
	all := []string{net.JoinHostPort(uri.Host, port)}
	for i, a := range more {
		host, p, err := net.SplitHostPort(a)
		if err != nil { // no port
			host, p = strings.TrimSuffix(strings.TrimPrefix(a, "["), "]"), port
		}
		// Perhaps someone put a whole URL here, or a part of one, with its
		// password: so it is not quoted.
		if host == "" || strings.ContainsAny(host, "/@?#[] ") || !isPort(p) {
			return nil, fmt.Errorf("Config.Addresses[%d] is not of the form host or host:port", i)
		}
		if a := net.JoinHostPort(host, p); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
