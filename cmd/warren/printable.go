package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Texts come from messages, and so from anybody. A terminal obeys what is in them: control characters move the cursor, set
// the window's title or type into its input, and marks of direction make a text look like another one.

// harmless says whether a terminal shows a character, and does nothing else.
func harmless(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }

// printable returns a text on one line, with what a terminal would obey as Go writes it in strings: \n, \x1b, \u202e.
func printable(s string) string { return escaped(s, harmless) }

// printableLines is printable for texts of several lines, such as stacks: those and tabs stay.
func printableLines(s string) string {
	return escaped(s, func(r rune) bool { return r == '\n' || r == '\t' || harmless(r) })
}

func escaped(s string, keep func(rune) bool) string {
	fine := true
	for _, r := range s {
		if fine = keep(r); !fine {
			break
		}
	}
	if fine {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case keep(r) || r == utf8.RuneError:
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// cut returns at most so many characters of a text, the last of them an ellipsis if there are more. 0 cuts nothing.
func cut(s string, most int) string {
	if most <= 0 || utf8.RuneCountInString(s) <= most {
		return s
	}
	for i := range s {
		if most--; most == 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// jsonOf is v as JSON, indented by two spaces for each level if it shall be. It stays JSON of the same value, but a
// terminal shows it and does nothing else: encoding/json escapes only some of what terminals obey.
func jsonOf(v any, indent bool) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return printableJSON(b.Bytes()), nil
}

// printableJSON escapes in a JSON text what a terminal would obey. Outside of strings there is nothing but line ends.
func printableJSON(text []byte) []byte {
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || r == '\t' || harmless(r) || r == utf8.RuneError && size > 1:
			b.Write(text[:size])
		case r == utf8.RuneError:
			b.WriteString(`\ufffd`) // as encoding/json reads it
		case r > 0xffff:
			high, low := surrogates(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.Bytes()
}

func surrogates(r rune) (high, low rune) {
	r -= 0x10000
	return 0xd800 + r>>10, 0xdc00 + r&0x3ff
}
