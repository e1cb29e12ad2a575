package errorqueue

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// record is a message as JSON: one line of what Export writes. It loses nothing,
// and a person can read it and search it with jq and grep. Three rules:
//
//   - Text that is not UTF-8 is "base64:" and its bytes in base64, and so is
//     text that itself begins so. This holds for each property, for names and
//     values of headers, and for the body.
//   - Of the headers, text, true, false, null, arrays and whole numbers are what
//     they are in JSON; a whole number is AMQP's int64. Every other type is an
//     object with its name: {"int32": 7}, {"table": {...}}.
//   - A time is RFC 3339 text, or seconds since 1970 where the year has not
//     four digits.
type record struct {
	ID              string         `json:"id,omitempty"`
	Type            string         `json:"type,omitempty"`
	AppID           string         `json:"app_id,omitempty"`
	ContentType     string         `json:"content_type,omitempty"`
	ContentEncoding string         `json:"content_encoding,omitempty"`
	CorrelationID   string         `json:"correlation_id,omitempty"`
	ReplyTo         string         `json:"reply_to,omitempty"`
	UserID          string         `json:"user_id,omitempty"`
	Expiration      string         `json:"expiration,omitempty"`
	DeliveryMode    uint8          `json:"delivery_mode,omitempty"`
	Priority        uint8          `json:"priority,omitempty"`
	Timestamp       any            `json:"timestamp,omitempty"`
	Exchange        string         `json:"exchange,omitempty"`
	Key             string         `json:"key,omitempty"`
	Redelivered     bool           `json:"redelivered,omitempty"`
	Headers         map[string]any `json:"headers,omitempty"`
	Body            *string        `json:"body"` // nil if it is missing: a line without is not a message
}

// texts are the fields of text, in a message and in its record.
func (r *record) texts(m *Message) [11][2]*string {
	return [11][2]*string{
		{&m.ID, &r.ID},
		{&m.Type, &r.Type},
		{&m.AppID, &r.AppID},
		{&m.ContentType, &r.ContentType},
		{&m.ContentEncoding, &r.ContentEncoding},
		{&m.CorrelationID, &r.CorrelationID},
		{&m.ReplyTo, &r.ReplyTo},
		{&m.UserID, &r.UserID},
		{&m.Expiration, &r.Expiration},
		{&m.Exchange, &r.Exchange},
		{&m.Key, &r.Key},
	}
}

// MarshalJSON returns the message as JSON, without a loss: with all properties
// and headers in their types. It is the form that Export writes.
//
// Text that is not UTF-8, also a body, is written as "base64:" and its bytes.
// A header that JSON has no type for is an object with the type's name, such as
// {"int32": 7}, {"bytes": "AAEC"} or {"table": {...}}. The error is about a header
// that has none of AMQP's types.
func (m Message) MarshalJSON() ([]byte, error) {
	r := record{DeliveryMode: m.DeliveryMode, Priority: m.Priority, Redelivered: m.Redelivered}
	for _, t := range r.texts(&m) {
		*t[1] = writeText(*t[0])
	}
	if !m.Timestamp.IsZero() {
		r.Timestamp = writeTime(m.Timestamp)
	}
	var err error
	if r.Headers, err = writeTable(m.Headers); err != nil {
		return nil, err
	}
	body := writeText(string(m.Body))
	r.Body = &body
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false) // or XML could not be read
	if err := e.Encode(&r); err != nil {
		return nil, err
	}
	return bytes.TrimRight(line.Bytes(), "\n"), nil
}

// UnmarshalJSON reads what MarshalJSON has written, or a person. It refuses what
// it does not know, and what it could not keep as it is.
func (m *Message) UnmarshalJSON(b []byte) error {
	if err := checkText(b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	var r record
	if err := d.Decode(&r); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the message")
	}
	if r.Body == nil {
		return errors.New("it has no body; an empty one is \"body\": \"\"")
	}
	read := Message{DeliveryMode: r.DeliveryMode, Priority: r.Priority, Redelivered: r.Redelivered}
	for _, t := range r.texts(&read) {
		var err error
		if *t[0], err = readText(*t[1]); err != nil {
			return err
		}
	}
	if r.Timestamp != nil {
		var err error
		if read.Timestamp, err = readTime(r.Timestamp); err != nil {
			return fmt.Errorf("timestamp: %w", err)
		}
	}
	var err error
	if read.Headers, err = readTable(r.Headers); err != nil {
		return err
	}
	body, err := readText(*r.Body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	read.Body = []byte(body)
	*m = read
	return nil
}

// encoded begins text that JSON could not hold as it is.
const encoded = "base64:"

func writeText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, encoded) {
		return s
	}
	return encoded + base64.StdEncoding.EncodeToString([]byte(s))
}

func readText(s string) (string, error) {
	code, is := strings.CutPrefix(s, encoded)
	if !is {
		return s, nil
	}
	b, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		return "", fmt.Errorf("text that begins with %q is base64, and this is not: %w", encoded, err)
	}
	return string(b), nil
}

// checkText returns an error if package json would put the replacement
// character where it cannot tell what was meant.
func checkText(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("it is not UTF-8")
	}
	high := false // the last thing was the first half of a pair
	for i := 0; i < len(b); i++ {
		var unit uint64
		if b[i] == '\\' {
			i++
			if i+4 < len(b) && b[i] == 'u' {
				unit, _ = strconv.ParseUint(string(b[i+1:i+5]), 16, 16)
				i += 4
			}
		}
		low := unit >= 0xdc00 && unit < 0xe000
		if high != low {
			return errors.New("it has half of a surrogate pair, which is no text")
		}
		high = unit >= 0xd800 && unit < 0xdc00
	}
	return nil
}

// writeTime returns a time in whole seconds, which is what AMQP has.
func writeTime(t time.Time) any {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return t.Unix()
	}
	return t.UTC().Format(time.RFC3339)
}

func readTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("%v is no number of seconds since 1970", v)
		}
		return time.Unix(n, 0), nil
	case string:
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return time.Time{}, err
		}
		if t.Nanosecond() != 0 {
			return time.Time{}, fmt.Errorf("AMQP counts whole seconds: %s", v)
		}
		return time.Unix(t.Unix(), 0), nil
	default:
		return time.Time{}, fmt.Errorf("a time is text, or a number of seconds since 1970, and not %v", v)
	}
}

func writeTable(t map[string]any) (map[string]any, error) {
	if t == nil {
		return nil, nil
	}
	m := make(map[string]any, len(t))
	for name, v := range t {
		w, err := writeValue(v)
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", name, err)
		}
		m[writeText(name)] = w
	}
	return m, nil
}

// typed is a value whose type JSON does not have.
func typed(name string, v any) map[string]any { return map[string]any{name: v} }

func writeValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64:
		return v, nil
	case string:
		return writeText(v), nil
	case int8:
		return typed("int8", v), nil
	case int16:
		return typed("int16", v), nil
	case int32:
		return typed("int32", v), nil
	case byte:
		return typed("uint8", v), nil
	case uint16:
		return typed("uint16", v), nil
	case uint32:
		return typed("uint32", v), nil
	case float32:
		return typed("float32", writeFloat(float64(v), 32)), nil
	case float64:
		return typed("float64", writeFloat(v, 64)), nil
	case amqp.Decimal:
		return typed("decimal", []any{v.Value, v.Scale}), nil
	case time.Time:
		return typed("time", writeTime(v)), nil
	case []byte:
		return typed("bytes", base64.StdEncoding.EncodeToString(v)), nil
	case map[string]any:
		t, err := writeTable(v)
		if t == nil {
			t = map[string]any{}
		}
		return typed("table", t), err
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			var err error
			if a[i], err = writeValue(e); err != nil {
				return nil, err
			}
		}
		return a, nil
	default:
		return nil, fmt.Errorf("AMQP has no type for %T", v)
	}
}

// writeFloat returns a number, or its name where JSON has none.
func writeFloat(f float64, bits int) any {
	s := strconv.FormatFloat(f, 'g', -1, bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return s
	}
	return json.Number(s)
}

func readTable(t map[string]any) (map[string]any, error) {
	if t == nil {
		return nil, nil
	}
	m := make(map[string]any, len(t))
	for name, v := range t {
		read, err := readText(name)
		if err == nil {
			m[read], err = readValue(v)
		}
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", name, err)
		}
	}
	return m, nil
}

func readValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		return readText(v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%v is no whole number of 64 bits; others are an object such as {\"float64\": %v}", v, v)
		}
		return n, nil
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			var err error
			if a[i], err = readValue(e); err != nil {
				return nil, err
			}
		}
		return a, nil
	case map[string]any:
		if len(v) != 1 {
			return nil, fmt.Errorf("an object has one name, that of a type, and not %d; a table is {\"table\": {...}}", len(v))
		}
		for name, v := range v {
			return readTyped(name, v)
		}
	}
	return nil, fmt.Errorf("%v is no value", v)
}

func readTyped(name string, v any) (any, error) {
	switch name {
	case "int8":
		n, err := readInt(v, 8)
		return int8(n), err
	case "int16":
		n, err := readInt(v, 16)
		return int16(n), err
	case "int32":
		n, err := readInt(v, 32)
		return int32(n), err
	case "uint8":
		n, err := readUint(v, 8)
		return byte(n), err
	case "uint16":
		n, err := readUint(v, 16)
		return uint16(n), err
	case "uint32":
		n, err := readUint(v, 32)
		return uint32(n), err
	case "float32":
		f, err := readFloat(v, 32)
		return float32(f), err
	case "float64":
		return readFloat(v, 64)
	case "decimal":
		return readDecimal(v)
	case "time":
		return readTime(v)
	case "bytes":
		s, ok := v.(string)
		if !ok {
			return nil, errors.New("bytes are text in base64")
		}
		return base64.StdEncoding.DecodeString(s)
	case "table":
		t, ok := v.(map[string]any)
		if !ok {
			return nil, errors.New("a table is an object")
		}
		return readTable(t)
	default:
		return nil, fmt.Errorf("AMQP has no type %q", name)
	}
}

func readInt(v any, bits int) (int64, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, fmt.Errorf("%v is no number", v)
	}
	return strconv.ParseInt(n.String(), 10, bits)
}

func readUint(v any, bits int) (uint64, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, fmt.Errorf("%v is no number", v)
	}
	return strconv.ParseUint(n.String(), 10, bits)
}

func readFloat(v any, bits int) (float64, error) {
	switch v := v.(type) {
	case json.Number:
		return strconv.ParseFloat(v.String(), bits)
	case string: // NaN, +Inf, -Inf
		f, err := strconv.ParseFloat(v, bits)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return 0, fmt.Errorf("%q is text and no number", v)
		}
		return f, err
	default:
		return 0, fmt.Errorf("%v is no number", v)
	}
}

func readDecimal(v any) (any, error) {
	parts, ok := v.([]any)
	if !ok || len(parts) != 2 {
		return nil, errors.New("a decimal is [value, scale]: [1234, 2] is 12.34")
	}
	value, err := readInt(parts[0], 32)
	if err != nil {
		return nil, err
	}
	scale, err := readUint(parts[1], 8)
	return amqp.Decimal{Value: int32(value), Scale: uint8(scale)}, err
}
