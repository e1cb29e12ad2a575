package rabbittest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

// manage asks the management API, as guest unless edit changes that.
func manage(b *rabbittest.Broker, method, path string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.SetBasicAuth("guest", "guest")
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	b.Management().ServeHTTP(w, r)
	return w
}

// Observed on RabbitMQ 3.10.8 and 4.3 with the management plugin.
func TestManagementRefuses(t *testing.T) {
	const notFound = `{"error":"Object Not Found","reason":"Not Found"}`
	const realm = `Basic realm="RabbitMQ Management"`
	wrong := func(r *http.Request) { r.SetBasicAuth("guest", "wrong") }
	nobody := func(r *http.Request) { r.Header.Del("Authorization") }
	for _, c := range []struct {
		version, method, path string
		edit                  func(*http.Request)
		code                  int
		body, header, value   string
	}{
		{"", "GET", "/api/connections/nope", nil, 404, notFound, "Content-Type", "application/json"},
		{"", "DELETE", "/api/connections/nope", nil, 404, notFound, "Content-Type", "application/json"},
		{"", "GET", "/api/nope", nil, 404, notFound, "Content-Type", "application/json"},
		{"", "POST", "/api/connections/", nil, 405, "", "Allow", "HEAD, GET, OPTIONS"},
		{"", "PUT", "/api/connections/nope", nil, 405, "", "Allow", "HEAD, GET, DELETE, OPTIONS"},
		{"", "OPTIONS", "/api/connections/nope", nil, 200, "", "Allow", "HEAD, GET, DELETE, OPTIONS"},
		{"", "GET", "/api/connections", nobody, 401, "", "WWW-Authenticate", realm},
		{"3.10", "GET", "/api/connections", wrong, 401, `{"error":"not_authorized","reason":"Login failed"}`, "WWW-Authenticate", realm},
		{"4.3", "DELETE", "/api/connections/x", wrong, 401, `{"error":"not_authorized","reason":"Not_Authorized"}`, "WWW-Authenticate", ""},
		{"", "GET", "/api/connections", nil, 200, "[]", "Cache-Control", "no-cache"},
		{"", "GET", "/api/connections/", nil, 200, "[]", "Content-Type", "application/json"},
	} {
		t.Run(strings.Join([]string{c.version, c.method, c.path}, " "), func(t *testing.T) {
			b := rabbittest.NewWith(t, rabbittest.Options{Version: c.version})
			if c.edit == nil {
				c.edit = func(*http.Request) {}
			}
			w := manage(b, c.method, c.path, c.edit)
			if w.Code != c.code || w.Body.String() != c.body || w.Header().Get(c.header) != c.value {
				t.Errorf("the answer is %d %v %s", w.Code, w.Header(), w.Body)
			}
		})
	}
}

func TestManagementListsAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		conn, err := amqp.DialConfig(b.URL(), amqp.Config{
			Dial: b.Connect, Heartbeat: 30 * time.Second,
			Properties: amqp.Table{"connection_name": "mine", "since": time.Now(), "nested": amqp.Table{"list": []any{"a", int32(1)}}},
		})
		must(t, err)
		defer func() { _ = conn.Close() }()
		_, err = conn.Channel()
		must(t, err)
		closed := conn.NotifyClose(make(chan *amqp.Error, 1))

		var all []map[string]any
		must(t, json.Unmarshal(manage(b, "GET", "/api/connections/").Body.Bytes(), &all))
		if len(all) != 1 {
			t.Fatalf("there are %d connections", len(all))
		}
		for field, want := range map[string]any{
			"user_provided_name": "mine", "user": "guest", "vhost": "/", "state": "running", "channels": 1.0, "channel_max": 2047.0,
			"frame_max": 131072.0, "connected_at": float64(time.Now().UnixMilli()), "protocol": "AMQP 0-9-1",
			"host": "127.0.0.1", "port": 5672.0, "peer_host": "127.0.0.1",
		} {
			if all[0][field] != want {
				t.Errorf("%s is %v, want %v", field, all[0][field], want)
			}
		}
		if p := all[0]["client_properties"].(map[string]any); p["connection_name"] != "mine" || p["capabilities"] == nil {
			t.Errorf("client_properties are %v", p)
		}

		path := "/api/connections/" + url.PathEscape(all[0]["name"].(string))
		if w := manage(b, "GET", path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"mine"`) {
			t.Errorf("GET is answered with %d %s", w.Code, w.Body)
		}
		if w := manage(b, "DELETE", path); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
			t.Errorf("DELETE is answered with %d %s", w.Code, w.Body)
		}
		if err := <-closed; err == nil || err.Code != 320 || err.Reason != "CONNECTION_FORCED - Closed via management plugin" {
			t.Errorf("the client heard %v", err)
		}
		synctest.Wait()
		if w := manage(b, "DELETE", path); w.Code != http.StatusNotFound {
			t.Errorf("a second DELETE is answered with %d", w.Code)
		}
	})
}
