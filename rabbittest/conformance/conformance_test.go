package conformance_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/rabbittest"
)

// versions are the profiles of RabbitMQ that the rows tell apart.
var versions = []string{"3.10", "4.0", "4.3"}

// A row is one thing that a broker does.
type row struct {
	name string              // what is done, in words: "redeclare with another x-message-ttl"
	want string              // what is seen, on every version that on does not name
	on   map[string]string   // what is seen where a version differs: "4.3" is one version, "4" is 4.0 and 4.3
	not  map[string]string   // why the row makes no sense on a version, by the same keys
	run  func(e *env) string // does it, and returns what it saw
}

// wanted returns what the row expects of a version.
func (r row) wanted(version string) string {
	if want, ok := of(r.on, version); ok {
		return want
	}
	return r.want
}

// of looks a version up: its own key goes before that of its series.
func of(by map[string]string, version string) (string, bool) {
	series, _, _ := strings.Cut(version, ".")
	for _, key := range []string{version, series} {
		if value, ok := by[key]; ok {
			return value, true
		}
	}
	return "", false
}

// A section is the rows about one subject.
type section struct {
	name string
	rows []row
}

// sections is the whole table.
var sections = slices.Concat(commands, messages)

// commands are about what a broker is asked to do, and its answers.
var commands = []section{
	declaring,
	redeclaring,
	typed,
	others,
	exchanges,
	inUse,
	binding,
	routing,
	headers,
	publishing,
	deleting,
	exclusives,
	channelModes,
	acknowledging,
	consuming,
	login,
	frames,
	sessions,
	found,
}

// A broker is what rows run on.
type broker struct {
	version string                   // one of versions
	dial    func() (net.Conn, error) // connects to it
}

func TestMain(m *testing.M) {
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel { // the rows wait more than they work
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	rabbitmq.Main(m)
}

// TestRabbitMQ runs the rows on a real RabbitMQ: they say what it does.
func TestRabbitMQ(t *testing.T) {
	b := rabbitMQ(t)
	t.Logf("this is RabbitMQ %s", b.version)
	for _, s := range sections {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range s.rows {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					check(t, b, r)
				})
			}
		})
	}
}

// TestRabbittest runs the rows on rabbittest as each version, each in a bubble of its own.
func TestRabbittest(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			for _, s := range sections {
				t.Run(s.name, func(t *testing.T) {
					for _, r := range s.rows {
						t.Run(r.name, func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) { check(t, inProcess(t, version), r) })
						})
					}
				})
			}
		})
	}
}

// inProcess starts a rabbittest.
func inProcess(t *testing.T, version string) broker {
	t.Helper()
	b, err := rabbittest.Start(rabbittest.Options{Version: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return broker{
		version: version,
		dial:    func() (net.Conn, error) { return b.Dial(context.Background(), "tcp", "broker:5672") },
	}
}

// check runs a row and compares.
func check(t *testing.T, b broker, r row) {
	t.Helper()
	if why, ok := of(r.not, b.version); ok {
		t.Skipf("not on %s: %s", b.version, why)
	}
	e := newEnv(t, b)
	got := e.mask(r.run(e))
	if want := r.wanted(b.version); got != want {
		t.Errorf("on %s\n got: %s\nwant: %s", b.version, got, want)
	}
}

// rabbitMQ finds the broker at AMQP_URL, or starts one where RabbitMQ is installed.
func rabbitMQ(t *testing.T) broker {
	t.Helper()
	raw := rabbitmq.URL(t)
	uri, err := amqp.ParseURI(raw)
	if err != nil {
		t.Fatalf("AMQP_URL: %v", err)
	}
	if uri.Username != "guest" || uri.Password != "guest" || uri.Vhost != "/" || uri.Scheme != "amqp" {
		t.Skip("SKIPPED: the rows expect guest:guest and the vhost /, without TLS")
	}
	conn, err := amqp.Dial(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	full, _ := conn.Properties["version"].(string)
	b := broker{
		version: profile(full),
		dial:    func() (net.Conn, error) { return net.Dial("tcp", net.JoinHostPort(uri.Host, fmt.Sprint(uri.Port))) },
	}
	if b.version == "" {
		t.Skipf("SKIPPED: the broker is RabbitMQ %s, and the rows know %s", full, strings.Join(versions, ", "))
	}
	return b
}

// profile cuts a full version, such as 4.0.5, to one of versions, or to nothing.
func profile(full string) string {
	parts := strings.SplitN(full, ".", 3)
	if len(parts) < 2 || !slices.Contains(versions, parts[0]+"."+parts[1]) {
		return ""
	}
	return parts[0] + "." + parts[1]
}

// TestNames guards against two rows of one name: one of them would be hard to find.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sections {
		for _, r := range s.rows {
			if name := s.name + "/" + r.name; seen[name] {
				t.Errorf("two rows are named %s", name)
			} else {
				seen[name] = true
			}
			for key := range r.on {
				if !known(key) {
					t.Errorf("%s/%s: there is no version %s", s.name, r.name, key)
				}
			}
			for key := range r.not {
				if !known(key) {
					t.Errorf("%s/%s: there is no version %s", s.name, r.name, key)
				}
			}
		}
	}
}

// known says whether a key of a row's maps means some version.
func known(key string) bool {
	return slices.ContainsFunc(versions, func(v string) bool {
		_, ok := of(map[string]string{key: ""}, v)
		return ok
	})
}
