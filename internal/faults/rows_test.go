//go:build linux || darwin

package faults_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// required is every fault that the bench was asked for, and where it is: rows of the table, and tests of other packages for
// what has no messages in flight or needs no broker. The first 24 are the matrix that the project began with, in its order.
var required = []struct {
	what string
	rows []string
	// tests are "folder.TestName".
	tests []string
}{
	{what: "1 broker killed while it is published, consumed and retried", rows: []string{"broker killed", flooding, "broker killed twice, the second time as soon as it serves"}},
	{what: "2 broker frozen", rows: []string{"broker frozen"}},
	{what: "3 graceful restart", rows: []string{"broker restarted in order"}},
	{what: "4 connections closed by an operator", rows: []string{"connections closed by an operator", "channels crash in the broker"}},
	{
		what: "5 reset, black hole, latency, bandwidth, limited data", rows: []string{
			"connections reset", "network unplugged", "black hole", "black hole from the broker only", "black hole to the broker only",
			"latency", "narrow bandwidth", "cut after so many bytes",
		},
	},
	{
		what: "6 cut after so many bytes between confirm and ack",
		rows: []string{"cut between confirm and ack", "cut when something was published", "cut when something was acked"},
	},
	{
		what: "7 a leader killed: of main, of retry, of both", rows: []string{
			"cluster: leader of the main queue killed", "cluster: leader of a retry queue killed",
			"cluster: leader of the main queue and of all retry queues killed",
		},
	},
	{what: "8 lost quorum", rows: []string{"cluster: two of three nodes killed", "cluster: all three nodes killed"}},
	{
		what: "9 queue deleted, or unreachable", rows: []string{
			"main queue deleted", "error queue deleted", "retry queues deleted", "main queue's process crashes", "main queue down until it is started again",
			"main queue's process dead until the node is restarted",
		},
	},
	{what: "10 memory alarm", rows: []string{"memory alarm"}},
	{what: "11 disk alarm", rows: []string{"disk alarm"}},
	{
		what: "12 consumer killed, in the handler and at each step of settling", rows: []string{
			"a consumer's process killed, again and again", "a consumer's process killed " + string(inHandler),
			"a consumer's process killed " + string(beforePublish), "a consumer's process killed " + string(afterPublish),
			"a consumer's process killed " + string(atConfirm), "a consumer's process killed " + string(beforeAck),
			"a consumer's process killed " + string(afterAck),
		},
	},
	{
		what: "13 wrong password, vhost or permission", rows: []string{
			"password changed", "permissions revoked", "permissions revoked, and connections closed",
		},
		tests: []string{"connection.TestAMissingVhost", "connection.TestAForbiddenVhost", "connection.TestAWrongPasswordIsBelievedWhenSeenTwice"},
	},
	{what: "14 precondition failed", rows: []string{"a consumer of other queues' arguments is refused"}},
	{
		what: "15 poison: panics, fails, exits, eats memory", rows: []string{
			"messages whose handler always panics", "a message that exits its process", "a message that eats the memory of its process",
		},
	},
	{what: "16 oversize bodies", rows: []string{"bodies that are too large", "bodies of a mebibyte"}},
	{what: "17 garbage", rows: []string{"bodies of garbage"}},
	{
		what: "18 corrupt headers, and headers as large as a frame", rows: []string{
			"corrupt headers", "headers as large as a frame", headerFault.name,
		},
		tests: []string{"consumer.TestUnreadableAmongNeighbours"}, // no client could look into the error queue
	},
	{what: "19 error queue full, or missing", rows: []string{"error queue full until its limit is lifted", "error queue deleted"}},
	{what: "20 retry queue full, or missing", rows: []string{"a retry queue full until its limit is lifted", "retry queues deleted"}},
	{
		what: "21 broker restarted during a shutdown",
		rows: []string{"broker killed while the consumer stops", "SIGTERM, and the broker killed just after", "SIGTERM with the broker killed"},
	},
	{what: "22 consumer timeout", rows: []string{"consumer timeout"}},
	{what: "23 quorum not up yet", rows: []string{"cluster: a consumer starts while one of three nodes is up"}},
	{
		what: "24 DNS, TLS, a limit of connections; not a clock that jumps, as the page says", rows: []string{
			"DNS: nobody knows the name", "DNS: no answer", "TLS: the broker's certificate has expired, and is replaced",
			"TLS: connections reset", "TLS: cut after so many bytes", "TLS: black hole", "TLS: broker killed", "no connections allowed",
		},
	},
	{what: "rolling restart", rows: []string{"cluster: nodes restarted in turn"}},
	{what: "a frozen node", rows: []string{"cluster: leader of the main queue frozen"}},
	{what: "main queue full", rows: []string{"main queue full until it is worked off", "main queue full until its limit is lifted, and a restart"}},
	{
		what: "shutdown under load, with slow and stuck handlers, with the broker gone", rows: []string{
			"SIGTERM to one of two processes, with slow handlers", "SIGTERM to all processes, with slow handlers",
			"SIGTERM to all processes, with stuck handlers", "SIGTERM with the broker frozen", "SIGTERM with stuck handlers and the broker frozen",
			"consumer stopped and started again",
		},
	},
	{what: "at random, alone and combined", rows: []string{atRandom}},
	{what: "the control", rows: []string{byHandName}},
	{what: "every crash point of the journey", tests: []string{"consumer.TestNothingIsLostWhereverAConnectionIsCut", "consumer.TestNothingIsLostWheneverTheBrokerIsKilled"}},
}

// Every fault that was asked for is injected, and no row of the table is there without having been asked for.
func TestEveryRequiredFaultIsInjected(t *testing.T) {
	rows := rowOrder()
	for i, r := range required {
		if len(r.rows)+len(r.tests) == 0 {
			t.Errorf("%s is nowhere", r.what)
		}
		for _, name := range r.rows {
			if !slices.Contains(rows, name) {
				t.Errorf("%s: the table has no %q", r.what, name)
			}
		}
		for _, test := range r.tests {
			folder, name, _ := strings.Cut(test, ".")
			if !hasTest(t, folder, name) {
				t.Errorf("%s: there is no %s in %s", r.what, name, folder)
			}
		}
		if i < 24 && !strings.HasPrefix(r.what, strconv.Itoa(i+1)+" ") {
			t.Errorf("the matrix is not in order at %q", r.what)
		}
	}
	for _, name := range rows {
		asked := false
		for _, r := range required {
			asked = asked || slices.Contains(r.rows, name)
		}
		if !asked {
			t.Errorf("nobody asked for %q", name)
		}
	}
	for i, name := range rows {
		if slices.Index(rows, name) != i {
			t.Errorf("%q is there twice", name)
		}
	}
}

func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	must(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
