package management_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

const secret = "s3cret%2F"

func TestMain(m *testing.M) { rabbitmq.Main(m) }

// serve returns a client of a server that answers like this.
func serve(t *testing.T, answer http.HandlerFunc) *management.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := management.New(management.Config{URL: s.URL, User: "me", Password: secret, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestNewRefusesWhatIsNoAddress(t *testing.T) {
	for _, address := range []string{
		"", "localhost:15672", "amqp://localhost", "http://", "http://me:" + secret + "@host",
		"http://me:" + secret + "@ho st", "http://host/?" + secret, "http://host/#x", "http://[::1",
	} {
		_, err := management.New(management.Config{URL: address})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error is %v", address, err)
		}
	}
	for address, want := range map[string]string{
		"http://host:15672":       "http://host:15672",
		"https://host/rabbit/mq/": "https://host/rabbit/mq",
		"http://[::1]:1/":         "http://[::1]:1",
	} {
		c, err := management.New(management.Config{URL: address})
		if err != nil || c.Address() != want {
			t.Errorf("%q: %v, %v", address, c, err)
		}
	}
}

func TestRequests(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodGet || user != "me" || password != secret {
			t.Errorf("%s as %s:%s", r.Method, user, password)
		}
		if want := "/api/queues/%2F/a%2Fb%20%3F%C3%B6"; r.URL.EscapedPath() != want {
			t.Errorf("asked for %s, not %s", r.URL.EscapedPath(), want)
		}
		_, _ = io.WriteString(w, `{"name":"a/b ?ö","exclusive":null,"arguments":[],"effective_policy_definition":{"max-length":9007199254740993}}`)
	})
	q, err := c.Queue(t.Context(), "/", "a/b ?ö")
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Arguments) != 0 || q.Effective["max-length"] != json.Number("9007199254740993") || q.Messages != nil {
		t.Errorf("%+v", q)
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		kind   error
		text   string
	}{
		{"missing", 404, `{"error":"Object Not Found","reason":"Not Found"}`, management.ErrNotFound, "overview: 404 Not Found"},
		{"a wrong password", 401, `{"error":"not_authorized","reason":"Login failed"}`, management.ErrLogin, "401 Login failed"},
		{"a wrong password, since 4.0", 401, `{"error":"not_authorized","reason":"Not_Authorized"}`, management.ErrLogin, "401 Not_Authorized"},
		{"not for this user", 401, `{"error":"not_authorised","reason":"Not administrator user"}`, management.ErrForbidden, "Not administrator user"},
		{"another virtual host", 401, `{"error":"not_authorised","reason":"User not authorised to access virtual host"}`, management.ErrForbidden, "virtual host"},
		{"forbidden", 403, `{}`, management.ErrForbidden, "overview: 403"},
		{"another server", 502, "<html>\x1b[31m", nil, "overview: 502"},
		{"a redirection", 302, "", nil, "overview: 302"},
		{"a long reason", 500, `{"reason":"` + strings.Repeat("ö", 5000) + `"}`, nil, "500 öö"},
		{"no JSON", 200, `<html>`, nil, "not what RabbitMQ answers"},
		{"other JSON", 200, `{"rabbitmq_version":[]}`, nil, "not what RabbitMQ answers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := c.Overview(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.text) || len(err.Error()) > 400 || strings.Contains(err.Error(), secret) {
				t.Fatalf("the error is %v, want one with %q", err, test.text)
			}
			for _, kind := range []error{management.ErrNotFound, management.ErrForbidden, management.ErrLogin} {
				if is := errors.Is(err, kind); is != errors.Is(test.kind, kind) {
					t.Errorf("errors.Is(%v, %v) is %v", err, kind, is)
				}
			}
		})
	}
}

func TestAnEndlessAnswerIsRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `"`)
		for chunk := strings.Repeat("x", 1<<20); ; {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	if _, err := c.Overview(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("the error is %v", err)
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	hold := make(chan struct{})
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	defer close(hold)
	if _, err := c.Overview(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("the error is %v", err)
	}
}

func TestQueuesNamedTurnsPages(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if got := r.URL.Query().Get("name"); got != "q.retry." {
			t.Errorf("asked for %q", got)
		}
		_, _ = fmt.Fprintf(w, `{"page_count":3,"items":[{"name":"q.retry.%d"},{"name":"Q.RETRY.%d"}]}`, page, page)
	})
	qs, err := c.QueuesNamed(t.Context(), "/", "q.retry.")
	if err != nil || len(qs) != 3 || qs[2].Name != "q.retry.3" {
		t.Errorf("%+v, %v", qs, err)
	}
}

func TestAlarmsInEffect(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"alarms":[{"node":"a@b","resource":"memory"}],"reason":"...","status":"failed"}`)
	})
	alarms, err := c.Alarms(t.Context())
	if err != nil || len(alarms) != 1 || alarms[0] != (management.Alarm{Node: "a@b", Resource: "memory"}) {
		t.Errorf("%+v, %v", alarms, err)
	}
}
