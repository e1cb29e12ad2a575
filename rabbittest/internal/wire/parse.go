package wire

// ParseTable reads the fields of a table that stands without its length, as in
// the response of the login mechanism AMQPLAIN.
func ParseTable(b []byte) (Table, error) { return parseTable(b, 0) }
