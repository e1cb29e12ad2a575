package codec

import (
	"bytes"
	"encoding/json"
)

// duplicateName returns a name that stands twice in one object of body, which must be valid JSON. Names are compared as
// they are after unquoting, so "a" and "\u0061" are the same.
//
// In valid JSON a string is a name if and only if a colon follows. That is all the grammar this needs.
func duplicateName(body []byte) (name string, found bool) {
	var objects []object
	var names [][]byte // of all objects that are open, each after those of the object around it
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{':
			objects = append(objects, object{first: len(names)})
		case '}':
			last := len(objects) - 1
			names = names[:objects[last].first]
			objects = objects[:last]
		case '"':
			end := stringEnd(body, i)
			quoted := body[i:end]
			i = end - 1
			if !colonFollows(body[end:]) {
				continue
			}
			name := unquote(quoted)
			if objects[len(objects)-1].add(name, names) {
				return string(name), true
			}
			names = append(names, name)
		}
	}
	return "", false
}

// An object is one that is open while duplicateName reads.
type object struct {
	first int                 // where its names begin
	seen  map[string]struct{} // its names, once there are more than few
}

// few is how many names are compared one by one. More would take quadratic time, which a sender could make use of.
const few = 16

// add says whether the object has the name already. names ends with the names that it has so far.
func (o *object) add(name []byte, names [][]byte) bool {
	own := names[o.first:]
	if len(own) < few {
		for _, n := range own {
			if bytes.Equal(n, name) {
				return true
			}
		}
		return false
	}
	if o.seen == nil {
		o.seen = make(map[string]struct{}, 2*few)
		for _, n := range own {
			o.seen[string(n)] = struct{}{}
		}
	}
	if _, ok := o.seen[string(name)]; ok {
		return true
	}
	o.seen[string(name)] = struct{}{}
	return false
}

// stringEnd returns the place after the string that begins at i. It looks for the closing quote, past every escape; a
// valid body has one.
func stringEnd(body []byte, i int) int {
	for i++; body[i] != '"'; i++ {
		if body[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// colonFollows says whether a string with this after it is a name.
func colonFollows(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// unquote returns the text of a quoted string. Without an escape it is a part of the body, and costs nothing.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return quoted // cannot be: the body was valid
	}
	return []byte(text)
}
