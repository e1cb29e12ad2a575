package otelmonitor

// headers is a message's header table as a propagator sees it. Other languages write texts as bytes.
type headers map[string]any

// maxField bounds a field that is read: a tracestate has at most 512 bytes, baggage 8192.
const maxField = 8192

// Get returns a field, or nothing if it is not a text, or too long to be one of ours.
func (h headers) Get(name string) string {
	s := ""
	switch v := h[name].(type) {
	case string:
		s = v
	case []byte:
		if len(v) <= maxField {
			s = string(v)
		}
	}
	if len(s) > maxField {
		return ""
	}
	return s
}

// Set adds a field.
func (h headers) Set(name, value string) { h[name] = value }

// Keys returns the names.
func (h headers) Keys() []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	return names
}
