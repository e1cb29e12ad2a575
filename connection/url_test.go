package connection_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/connection"
)

// Whatever is given for a URL, New takes it or says why not, and never quotes what may be the password; what it takes is
// dialled where the URL says.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"user:PASS@host/", "user:PASS@host:5672/vhost?heartbeat=5", "PASS", ":PASS@", "a:PASS@b@c/", "user:PASS", "user:PASS/@host",
		"user:PASS?@host/", "user:PASS#@host/", "user:%zz@host/", "user:PASS@[::1]:70000/", "user:PASS@host/?PASS=1", "user:PASS@:/%2f",
		"user:PASS@host:x/", "user:PASS@host/a/b", "user:PASS@host?heartbeat=PASS", "user:PASS@host/?channel_max=99999999999",
	} {
		f.Add("amqp://"+s, "host:5672")
	}
	f.Add("amqps://user:PASS@host\x00/", "[::1]")
	f.Add("amqp:user:PASS@host", "user:PASS@host")
	const secret = "secret-mY53Cr3t"
	f.Fuzz(func(t *testing.T, url, address string) {
		c, err := connection.New(strings.ReplaceAll(url, "PASS", secret), connection.Config{Addresses: []string{address}})
		if (c == nil) == (err == nil) {
			t.Fatalf("New returned %v, %v", c, err)
		}
		if err != nil {
			// In the query there is no password: its names and values may be told.
			authority, _, _ := strings.Cut(url, "?")
			if strings.Contains(err.Error(), secret) && strings.Contains(authority, "PASS") && !strings.Contains(url[len(authority):], "PASS") {
				t.Fatalf("it tells the password: %v", err)
			}
			return
		}
		nodes := c.Nodes()
		if len(nodes) < 1 || len(nodes) > 2 {
			t.Fatalf("%q has the nodes %q", url, nodes)
		}
		for _, n := range nodes {
			if strings.ContainsAny(n, "/@?# ") {
				t.Fatalf("%q has the node %q", url, n)
			}
		}
	})
}
