package rabbittest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
)

// Topology writes the exchanges, queues and bindings of all virtual hosts as text, in a fixed order, for golden files.
// RabbitMQ's own exchanges are left out, unless something is bound to them.
func (b *Broker) Topology() string {
	var s strings.Builder
	b.node.Look(func() {
		for _, vhost := range b.settings.VHosts {
			if len(b.settings.VHosts) > 1 {
				fmt.Fprintf(&s, "vhost %q\n", vhost)
			}
			for _, x := range b.node.Exchanges(vhost) {
				writeExchange(&s, x)
			}
			for _, q := range b.node.Queues(vhost) {
				writeQueue(&s, q)
			}
		}
	})
	return s.String()
}

func writeExchange(s *strings.Builder, x engine.ExchangeState) {
	if len(x.Bindings) == 0 && (x.Name == "" || strings.HasPrefix(x.Name, "amq.")) {
		return
	}
	fmt.Fprintf(s, "exchange %q %s%s\n", x.Name, x.Type, words(map[string]bool{
		"durable": x.Durable, "auto-delete": x.AutoDelete, "internal": x.Internal,
	}))
	writeArguments(s, goTable(x.Arguments))
	var lines []string
	for _, b := range x.Bindings {
		kind := "exchange"
		if b.ToQueue {
			kind = "queue"
		}
		line := fmt.Sprintf("  %q -> %s %q", b.Key, kind, b.To)
		if len(b.Arguments) > 0 {
			line += " " + inline(goTable(b.Arguments))
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	s.WriteString(strings.Join(lines, ""))
}

func writeQueue(s *strings.Builder, q engine.QueueState) {
	kind := "classic"
	if q.Quorum {
		kind = "quorum"
	}
	fmt.Fprintf(s, "queue %q %s%s\n", q.Name, kind, words(map[string]bool{
		"durable": q.Durable, "auto-delete": q.AutoDelete, "exclusive": q.Exclusive,
	}))
	writeArguments(s, goTable(q.Arguments))
}

// words writes those that are true.
func words(m map[string]bool) string {
	var s strings.Builder
	for _, w := range slices.Sorted(maps.Keys(m)) {
		if m[w] {
			s.WriteString(" " + w)
		}
	}
	return s.String()
}

func writeArguments(s *strings.Builder, args map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if name != "x-queue-type" {
			fmt.Fprintf(s, "  %s = %s\n", name, literal(args[name]))
		}
	}
}

// inline writes a table in one line, by name.
func inline(m map[string]any) string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, name+": "+literal(m[name]))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// literal writes a value: strings quoted, all else as it is.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case map[string]any:
		return inline(v)
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, literal(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return fmt.Sprint(v)
}
