// Package refusal reads the texts with which RabbitMQ refuses what is asked of
// it: they tell more than their codes do. It is pure.
package refusal

import (
	"fmt"
	"regexp"
	"strings"
)

// Difference is what a broker says (406) of something that exists otherwise
// than it was declared. It names one argument, though more may differ.
type Difference struct {
	// Argument is empty if the text tells of none.
	Argument string
	// Ours and Theirs are its values as text, "none" if it is absent. Theirs is
	// empty if the text does not tell: RabbitMQ cuts it off after 255 bytes, so
	// where a name is long the values are missing.
	Ours, Theirs string
}

var (
	inequivalent = regexp.MustCompile(`inequivalent arg '([^']*)'`)
	bothValues   = regexp.MustCompile(`: received (.+) but current is (.+)$`)
)

// DifferenceIn reads the answer to a declaration with these arguments.
func DifferenceIn(text string, args map[string]any) Difference {
	m := inequivalent.FindStringSubmatch(text)
	if m == nil {
		return Difference{}
	}
	d := Difference{Argument: m[1]}
	if v, ok := args[d.Argument]; ok {
		d.Ours = fmt.Sprint(v)
	}
	if m := bothValues.FindStringSubmatch(text); m != nil && d.Argument != "" {
		d.Ours, d.Theirs = unquoted(m[1]), unquoted(m[2])
	}
	return d
}

// unquoted takes the value out of RabbitMQ's phrase for it: 'v', none, or the
// value 'v' of type 't'.
func unquoted(phrase string) string {
	phrase = strings.TrimPrefix(phrase, "the value ")
	if _, rest, ok := strings.Cut(phrase, "'"); ok {
		value, _, _ := strings.Cut(rest, "'")
		return value
	}
	return phrase
}

// NoSuchThing tells whether the text of a 404 says that there is no such queue,
// or no such exchange. RabbitMQ says 404 also of a queue that is there and does
// not answer: "queue ... process is stopped", "home node ... is down", "... due
// to timeout". Those pass.
func NoSuchThing(text string) bool {
	return strings.Contains(text, "no queue '") || strings.Contains(text, "no exchange '")
}
