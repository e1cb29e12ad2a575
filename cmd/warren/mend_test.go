package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/topology"
)

// The commands of docs/topology.md, "Mend a 406", are run as they stand there, and lose nothing.
func TestMendA406AsTheGuideSays(t *testing.T) {
	t.Parallel()
	node := rabbitmq.Private(t, rabbitmq.Options{Management: true, Plugins: []string{"rabbitmq_shovel"}})
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "topology.md"))
	must(t, err)
	_, block, found := strings.Cut(string(page), "```sh\n")
	if !found {
		t.Fatal("the guide has no commands")
	}
	block, _, _ = strings.Cut(block, "```")

	plan := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
	dir := t.TempDir()
	must(t, writePlan(dir, "plan.json", plan))
	conn := dial(t, node.URL(), amqp.Config{})
	ch, err := conn.Channel()
	must(t, err)
	_, err = ch.QueueDeclare("orders", true, false, false, false, amqp.Table{"x-queue-type": "classic"})
	must(t, err)
	must(t, ch.Confirm(false))
	const many = 200
	for i := range many {
		c, err := ch.PublishWithDeferredConfirm("", "orders", true, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, MessageId: fmt.Sprint(i), Headers: amqp.Table{"warren-attempt": int64(2)}, Body: []byte("x"),
		})
		must(t, err)
		if !c.Wait() {
			t.Fatal("not confirmed")
		}
	}

	// A shovel that stays is on the list: so "is gone" means something.
	mendStep(t, node, dir, `rabbitmqctl set_parameter shovel stays '{"src-uri": "amqp://", "src-queue": "other", "dest-uri": "amqp://", "dest-queue": "other2"}'`)
	if list, err := node.Ctl(t.Context(), "list_parameters"); err != nil || !strings.Contains(list, "\tstays\t") {
		t.Fatalf("%q, %v", list, err)
	}
	mendStep(t, node, dir, "rabbitmqctl clear_parameter shovel stays")

	for line := range strings.Lines(block) {
		mendStep(t, node, dir, strings.TrimSpace(line))
	}

	q, err := ch.QueueDeclare("orders", true, false, false, false, plan.Main.Args)
	if err != nil || q.Messages != many {
		t.Fatalf("the queue has %d messages, %v", q.Messages, err)
	}
	seen := map[string]bool{}
	for range many {
		d, ok, err := ch.Get("orders", true)
		must(t, err)
		if !ok || d.Headers["warren-attempt"] != int64(2) || string(d.Body) != "x" {
			t.Fatalf("a message has changed: %+v", d)
		}
		seen[d.MessageId] = true
	}
	if len(seen) != many {
		t.Errorf("%d of %d messages are left", len(seen), many)
	}
}

// mendStep runs one line.
func mendStep(t *testing.T, node *rabbitmq.Node, dir, line string) {
	t.Helper()
	line, until, _ := strings.Cut(line, " # until ")
	words, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+line).Output() // as the shell takes them apart
	must(t, err)
	args := strings.Split(strings.TrimSpace(string(words)), "\n")
	switch {
	case args[0] == "warren":
		cmd := command(t, append(args[1:], "--management", node.ManagementURL())...)
		cmd.Dir, cmd.Env = dir, append(cmd.Env, "AMQP_URL="+node.URL())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	case until != "":
		for range 200 {
			out, err := node.Ctl(t.Context(), args[1:]...)
			must(t, err)
			queue, empty := strings.CutSuffix(until, " has 0")
			shovel, ends := strings.CutSuffix(until, " is gone")
			if empty && strings.Contains("\n"+out, "\n"+queue+"\t0\n") || ends && !strings.Contains(out, "\t"+shovel+"\t") {
				return
			}
		}
		t.Fatalf("%s: in vain", line)
	default:
		_, err := node.Ctl(t.Context(), args[1:]...)
		must(t, err)
	}
}
