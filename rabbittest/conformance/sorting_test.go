package conformance_test

import (
	"encoding/hex"
	"regexp"
	"strings"
	"time"
)

// sorting is about the order of headers, which some clients show. It was sent as z, b, a, b.
var sorting = section{"sort headers", []row{
	{name: "in a classic queue", want: "a b z", on: map[string]string{"3.10": "z b a b"}, run: func(e *env) string {
		r := e.raw()
		q := e.classic("q", nil)
		r.publishUnsorted(q)
		return r.namesOf(q)
	}},
	{name: "in a quorum queue, after one delivery", want: "a b x-delivery-count z", on: map[string]string{
		"3.10": "a b b x-delivery-count z", "4.3": "a b x-acquired-count x-delivery-count z",
	}, run: func(e *env) string {
		r := e.raw()
		q := e.quorum("q", nil)
		r.publishUnsorted(q)
		r.namesOf(q)
		r.method(1, 60, 90, uint64(1), bits(1)) // back to the queue
		time.Sleep(quiet)
		return r.namesOf(q)
	}},
	{name: "of a dead letter", want: "a b x-death x-first-death-queue x-last-death-queue z", on: map[string]string{
		"3.10": "a b b x-death x-first-death-queue z",
	}, run: func(e *env) string {
		r := e.raw()
		dead := e.classic("dead", nil)
		q := e.classic("q", arguments("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead))
		r.publishUnsorted(q)
		r.namesOf(q)
		r.method(1, 60, 90, uint64(1), bits(0)) // to the dead letters
		time.Sleep(quiet)
		return r.namesOf(dead)
	}},
	{name: "of what is returned", want: "a b z", on: map[string]string{"3.10": "z b a b"}, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 40, uint16(0), "", e.name("nowhere"), bits(1))
		r.unsorted()
		r.e.expect(r.next(), "basic.return")
		return namesIn(r.next())
	}},
}}

// publishUnsorted publishes a message whose headers are not sorted, and waits until the queue has it.
func (r *raw) publishUnsorted(q string) {
	r.call("confirm.select-ok", 1, 85, 10, bits(0))
	r.method(1, 60, 40, uint16(0), "", q, bits(0))
	r.unsorted()
	r.e.expect(r.next(), "basic.ack")
}

// unsorted sends the content of that message: its headers alone.
func (r *raw) unsorted() {
	yes := bits(1)
	r.header(1, 60, 0, 1<<13, table(field("z", 't', yes), field("b", 't', yes), field("a", 't', yes), field("b", 't', yes)))
}

// namesOf gets a message from a queue and returns the names of its headers, in their order.
func (r *raw) namesOf(q string) string {
	r.call("basic.get-ok", 1, 60, 70, uint16(0), q, bits(0))
	return namesIn(r.next())
}

// headerNames are those that the rows look for, between their length and the kind of their value.
var headerNames = regexp.MustCompile(`[\x01-\x1f]([abz]|x-death|x-(?:first|last)-death-queue|x-(?:delivery|acquired)-count)[tASl]`)

// namesIn finds the names in a header that [raw.next] has shown.
func namesIn(header string) string {
	_, properties, _ := strings.Cut(header, "properties=")
	b, err := hex.DecodeString(properties)
	if err != nil {
		return header
	}
	var names []string
	for _, found := range headerNames.FindAllSubmatch(b, -1) {
		names = append(names, string(found[1]))
	}
	return strings.Join(names, " ")
}
