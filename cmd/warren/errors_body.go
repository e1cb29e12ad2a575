package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/errorqueue/where"
)

// bodyFlags say how bodies are read, and what of them is shown.
type bodyFlags struct {
	schema, registry string
	most             int
	redact           []string
	redactBody       bool

	avro  []*avrocodec.Codec // which may read it, in the order to try
	shown bool               // whether the command shows bodies at all
}

// registryVariable has the address of a schema registry, if it needs a password.
const registryVariable = "SCHEMA_REGISTRY_URL"

// helpBody is for the help of commands that show bodies.
const helpBody = `JSON bodies are shown indented, and so are Avro ones with --schema FILE or --registry URL
(or the variable SCHEMA_REGISTRY_URL, if there is a password in it); others as text, or in
base64. --redact leaves out what must not be seen: every field and header of that name,
or what is at a path such as customer.email. Bodies whose fields cannot be told apart
are left out as a whole then. Texts of errors are shown as they are.`

const defaultMaxBody = 16 << 10

// addCodec adds the flags that say how bodies are read.
func (b *bodyFlags) addCodec(f *pflag.FlagSet) {
	f.StringVar(&b.schema, "schema", "", "`FILE` with the Avro schema of bodies that are not JSON")
	f.StringVar(&b.registry, "registry", "", "`URL` of the schema registry of bodies that are not JSON")
}

// add adds also those that say what is shown.
func (b *bodyFlags) add(f *pflag.FlagSet) {
	b.shown = true
	f.IntVar(&b.most, "max-body", defaultMaxBody, "most `BYTES` of a body that are shown; 0 shows all")
	f.StringSliceVar(&b.redact, "redact", nil, "`FIELDS` of bodies, as names or paths, and headers that are not shown")
	f.BoolVar(&b.redactBody, "redact-body", false, "show no bodies")
	b.addCodec(f)
}

// prepare reads the schema. It does not ask the registry yet.
func (b *bodyFlags) prepare(cmd *cobra.Command) error {
	if b.most < 0 {
		return usageError{errors.New("--max-body is negative")}
	}
	if f := cmd.Flags().Lookup("json"); b.shown && f != nil && f.Changed && !cmd.Flags().Changed("max-body") {
		b.most = 0 // half a JSON value is none
	}
	registry := os.Getenv(registryVariable)
	if b.registry != "" {
		if u, err := url.Parse(b.registry); err != nil || u.User != nil {
			return usageError{fmt.Errorf("--registry: a URL without user and password; one with them goes into %s", registryVariable)}
		}
		registry = b.registry
	}
	config := avrocodec.Config{MaxBytes: 64 << 20}
	if registry != "" {
		r, err := avrocodec.NewRegistry(registry, avrocodec.RegistryConfig{})
		if err != nil {
			return usageError{fmt.Errorf("schema registry: %w", err)}
		}
		c, err := avrocodec.NewConfluent(r, "", "", avrocodec.ConfluentConfig{Config: config})
		if err != nil {
			return usageError{fmt.Errorf("schema registry: %w", err)}
		}
		b.avro = append(b.avro, c)
	}
	if b.schema == "" {
		return nil
	}
	text, err := os.ReadFile(b.schema)
	if err != nil {
		return usageError{fmt.Errorf("--schema: %w", err)}
	}
	for _, form := range []func(string, avrocodec.Config) (*avrocodec.Codec, error){avrocodec.NewSingleObject, avrocodec.New} {
		c, err := form(string(text), config)
		if err != nil {
			return usageError{fmt.Errorf("--schema %s: %w", b.schema, err)}
		}
		b.avro = append(b.avro, c)
	}
	return nil
}

// whereDecoder is the Decode of where.Config, nil if bodies are JSON only.
func (b *bodyFlags) whereDecoder() func(errorqueue.Entry) (any, error) {
	if len(b.avro) == 0 {
		return nil
	}
	return func(e errorqueue.Entry) (any, error) {
		plain, err := decompressed(&e.Message)
		if err != nil {
			return nil, err
		}
		if json.Valid(plain) {
			return where.DecodeJSON(e, 0)
		}
		v, ok := b.fromAvro(plain, func(r *big.Rat) any {
			f, _ := r.Float64()
			return f
		})
		if !ok {
			return nil, errors.New("it is neither JSON nor of that schema")
		}
		return v, nil
	}
}

func decompressed(m *errorqueue.Message) ([]byte, error) {
	return codec.Decompress(m.ContentEncoding, m.Body, codec.DefaultLimit)
}

// fromAvro tries the forms of Avro one after the other.
func (b *bodyFlags) fromAvro(body []byte, decimal func(*big.Rat) any) (any, bool) {
	for _, c := range b.avro {
		var v any
		if c.Decode(body, &v) == nil {
			return readable(v, decimal), true
		}
	}
	return nil, false
}

// readable gives values of Avro that JSON has not the form in which people know them.
func readable(v any, decimal func(*big.Rat) any) any {
	switch v := v.(type) {
	case *big.Rat:
		return decimal(v)
	case big.Rat:
		return decimal(&v)
	case map[string]any:
		for k := range v {
			v[k] = readable(v[k], decimal)
		}
	case []any:
		for i := range v {
			v[i] = readable(v[i], decimal)
		}
	case fmt.Stringer: // durations and the like; times marshal themselves
		if _, marshals := v.(json.Marshaler); !marshals {
			return v.String()
		}
	}
	return v
}

// decimal is a number with all its digits.
func decimal(r *big.Rat) any {
	digits, exact := r.FloatPrec()
	if !exact {
		return r.String()
	}
	return json.Number(r.FloatString(digits))
}

// body is what is shown of one: at most one field is set.
type body struct {
	JSON   json.RawMessage // a document
	Text   string
	Base64 string
	Note   string // why nothing is shown, or less than there is
}

// see is what may be shown of a message's body.
func (b *bodyFlags) see(m *errorqueue.Message) body {
	if b.redactBody {
		return body{Note: "redacted"}
	}
	plain, err := decompressed(m)
	if err != nil {
		return b.opaque(m.Body, "its content encoding cannot be undone")
	}
	var document []byte
	switch {
	case json.Valid(plain):
		document = plain
	case len(b.avro) > 0:
		v, ok := b.fromAvro(plain, decimal)
		if !ok {
			return b.opaque(plain, "it is neither JSON nor of that schema")
		}
		if document, err = json.Marshal(v); err != nil {
			return b.opaque(plain, "it has values that JSON does not know")
		}
	default:
		return b.opaque(plain, "")
	}
	if len(b.redact) > 0 {
		if document, err = b.redacted(document); err != nil {
			return body{Note: "redacted: its fields cannot be told apart"}
		}
	}
	if b.most > 0 && len(document) > b.most {
		return body{Text: clip(string(document), b.most), Note: cutNote(b.most, len(document))}
	}
	return body{JSON: document}
}

// opaque is a body without fields.
func (b *bodyFlags) opaque(plain []byte, why string) body {
	if len(b.redact) > 0 && len(plain) > 0 {
		return body{Note: "redacted: its fields cannot be told apart"}
	}
	s := body{Note: why}
	if b.most > 0 && len(plain) > b.most {
		s.Note = strings.TrimPrefix(why+"; "+cutNote(b.most, len(plain)), "; ")
	}
	if utf8.Valid(plain) {
		s.Text = clip(string(plain), b.most)
		return s
	}
	if b.most > 0 {
		plain = plain[:min(b.most, len(plain))]
	}
	s.Base64 = base64.StdEncoding.EncodeToString(plain)
	return s
}

func cutNote(most, of int) string {
	return fmt.Sprintf("cut: %s of %s bytes; --max-body 0 shows all", grouped(most), grouped(of))
}

// clip cuts a text to so many bytes, between characters. 0 cuts nothing.
func clip(s string, most int) string {
	if most <= 0 || len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// redactedMark stands for what is not shown.
const redactedMark = "(redacted)"

// redacted is a JSON document without the fields that must not be seen.
func (b *bodyFlags) redacted(document []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(b.without(v, ""))
}

// without replaces fields in v, which is at that path.
func (b *bodyFlags) without(v any, path string) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			at := strings.TrimPrefix(path+"."+name, ".")
			if b.hides(name, at) {
				v[name] = redactedMark
			} else {
				v[name] = b.without(v[name], at)
			}
		}
	case []any: // paths do not count items
		for i := range v {
			v[i] = b.without(v[i], path)
		}
	}
	return v
}

// hides says whether a field or header of that name must not be seen.
func (b *bodyFlags) hides(name, path string) bool {
	for _, hidden := range b.redact {
		hidden = strings.TrimSpace(hidden)
		if strings.EqualFold(hidden, name) || strings.EqualFold(hidden, path) {
			return true
		}
	}
	return false
}
