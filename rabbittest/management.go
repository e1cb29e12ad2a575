package rabbittest

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Management answers two requests of RabbitMQ's management API, which test suites use to make trouble:
//
//	GET /api/connections/          lists the connections
//	GET /api/connections/NAME      tells of one
//	DELETE /api/connections/NAME   closes one: the client gets 320 CONNECTION_FORCED, with the text of the header X-Reason
//
// NAME is percent-encoded. Requests must carry a user of [Options] by basic authentication. Unlike RabbitMQ's, which
// come up to five seconds late, the answers are always of this moment.
// https://www.rabbitmq.com/docs/http-api-reference
func (b *Broker) Management() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/connections", b.managed(b.listConnections, "HEAD", "GET"))
	mux.Handle("/api/connections/{$}", b.managed(b.listConnections, "HEAD", "GET"))
	mux.Handle("/api/connections/{name}", b.managed(b.oneConnection, "HEAD", "GET", "DELETE"))
	mux.Handle("/", b.managed(notFound, "HEAD", "GET", "DELETE", "PUT", "POST"))
	return mux
}

// managed answers what every resource has in common: RabbitMQ looks at the method first, and then at who asks.
func (b *Broker) managed(next http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(append(methods, "OPTIONS"), ", "))
			if r.Method != http.MethodOptions {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return
		}
		name, password, given := r.BasicAuth()
		user, known := b.settings.users[name]
		switch {
		case !given:
			w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
			w.WriteHeader(http.StatusUnauthorized)
		case !known || user.Password != password:
			text := "Not_Authorized"
			if b.settings.Version == V3_10 {
				text = "Login failed"
				w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
			}
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "not_authorized", "reason": text})
		default:
			next(w, r)
		}
	})
}

func (b *Broker) listConnections(w http.ResponseWriter, _ *http.Request) {
	all := []managedConnection{} // never null
	for _, c := range b.Connections() {
		if c.established() {
			all = append(all, c.managed())
		}
	}
	writeJSON(w, http.StatusOK, all)
}

func (b *Broker) oneConnection(w http.ResponseWriter, r *http.Request) {
	all := b.Connections()
	i := slices.IndexFunc(all, func(c Connection) bool { return c.Name == r.PathValue("name") && c.established() })
	switch {
	case i < 0:
		notFound(w, r)
	case r.Method == http.MethodDelete:
		reason := r.Header.Get("X-Reason")
		if reason == "" {
			reason = "Closed via management plugin"
		}
		forced := engine.ConnectionFault(wire.ConnectionForced, "%s", reason)
		all[i].Close(int(forced.Code), forced.Text)
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, all[i].managed())
	}
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusNotFound, map[string]string{"error": "Object Not Found", "reason": "Not Found"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a client has told of itself what JSON cannot say, such as NaN
		status, body = http.StatusInternalServerError, []byte(`{"error":"internal_error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// established tells whether the management API knows the connection: it hears of one when the handshake is over.
func (c Connection) established() bool {
	return c.State == open.String() || c.State == closing.String()
}

// managedConnection is a connection as the management API tells it, without what concerns Erlang, TLS and statistics.
type managedConnection struct {
	Name             string         `json:"name"`
	UserProvidedName string         `json:"user_provided_name,omitempty"`
	ClientProperties map[string]any `json:"client_properties"`
	User             string         `json:"user"`
	UserWhoPerformed string         `json:"user_who_performed_action"`
	VHost            string         `json:"vhost"`
	State            string         `json:"state"`
	Channels         int            `json:"channels"`
	ChannelMax       int            `json:"channel_max"`
	FrameMax         int            `json:"frame_max"`
	Timeout          int            `json:"timeout"`      // the heartbeat, in seconds
	ConnectedAt      int64          `json:"connected_at"` // in milliseconds since 1970
	Protocol         string         `json:"protocol"`
	Type             string         `json:"type"`
	TLS              bool           `json:"ssl"`
	Node             string         `json:"node"`
	Host             string         `json:"host"`
	Port             int            `json:"port"`
	PeerHost         string         `json:"peer_host"`
	PeerPort         int            `json:"peer_port"`
}

func (c Connection) managed() managedConnection {
	m := managedConnection{
		Name: c.Name, UserProvidedName: c.ClientName, ClientProperties: c.Properties,
		User: c.User, UserWhoPerformed: c.User, VHost: c.VHost, State: c.State,
		Channels: len(c.Channels), ChannelMax: c.ChannelMax, FrameMax: c.FrameMax,
		Timeout: int(c.Heartbeat.Seconds()), ConnectedAt: c.Since.UnixMilli(),
		Protocol: "AMQP 0-9-1", Type: "network", Node: "rabbit@rabbittest",
	}
	if m.ClientProperties == nil {
		m.ClientProperties = map[string]any{}
	}
	peer, here, _ := strings.Cut(c.Name, " -> ")
	m.PeerHost, m.PeerPort = hostPort(peer)
	m.Host, m.Port = hostPort(here)
	return m
}

func hostPort(address string) (string, int) {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return host, n
}
