package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/errorqueue"
)

// prepared parses flags of bodies.
func prepared(t *testing.T, args ...string) *bodyFlags {
	t.Helper()
	var b bodyFlags
	cmd := &cobra.Command{Use: "test"}
	b.add(cmd.Flags())
	must(t, cmd.ParseFlags(args))
	must(t, b.prepare(cmd))
	return &b
}

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func TestBodiesAreSeen(t *testing.T) {
	const document = `{"id":9007199254740993,"card":"4111","customer":{"email":"jo@x","Card":1},"items":[{"card":2,"n":1.50}]}`
	for _, c := range []struct {
		name    string
		args    []string
		message errorqueue.Message
		want    body
	}{
		{"JSON stays as it is", nil, errorqueue.Message{Body: []byte(document)}, body{JSON: json.RawMessage(document)}},
		{"compressed", nil, errorqueue.Message{Body: zipped(document), ContentEncoding: "gzip"}, body{JSON: json.RawMessage(document)}},
		{
			"names are redacted everywhere",
			[]string{"--redact", "CARD"},
			errorqueue.Message{Body: []byte(document)},
			body{JSON: json.RawMessage(`{"card":"(redacted)","customer":{"Card":"(redacted)","email":"jo@x"},"id":9007199254740993,"items":[{"card":"(redacted)","n":1.50}]}`)},
		},
		{
			"paths are redacted there",
			[]string{"--redact", "customer.email,items.n"},
			errorqueue.Message{Body: []byte(document)},
			body{JSON: json.RawMessage(`{"card":"4111","customer":{"Card":1,"email":"(redacted)"},"id":9007199254740993,"items":[{"card":2,"n":"(redacted)"}]}`)},
		},
		{
			"of two fields of one name none is shown",
			[]string{"--redact", "a"},
			errorqueue.Message{Body: []byte(`{"a":1,"a":2}`)},
			body{JSON: json.RawMessage(`{"a":"(redacted)"}`)},
		},
		{"all of it", []string{"--redact-body"}, errorqueue.Message{Body: []byte(document)}, body{Note: "redacted"}},
		{"text", nil, errorqueue.Message{Body: []byte("<order/>")}, body{Text: "<order/>"}},
		{"text that may hide a field", []string{"--redact", "card"}, errorqueue.Message{Body: []byte("card=4111")}, body{Note: "redacted: its fields cannot be told apart"}},
		{"bytes", nil, errorqueue.Message{Body: []byte{0xff, 0}}, body{Base64: "/wA="}},
		{"nothing", []string{"--redact", "card"}, errorqueue.Message{}, body{}},
		{"what claims to be compressed", nil, errorqueue.Message{Body: []byte("no"), ContentEncoding: "gzip"}, body{Text: "no", Note: "its content encoding cannot be undone"}},
		{
			"cut between characters",
			[]string{"--max-body", "4"},
			errorqueue.Message{Body: []byte("ab漢字")},
			body{Text: "ab", Note: "cut: 4 of 8 bytes; --max-body 0 shows all"},
		},
		{
			"cut JSON is text",
			[]string{"--max-body", "4"},
			errorqueue.Message{Body: []byte(`{"a": 1}`)},
			body{Text: `{"a"`, Note: "cut: 4 of 8 bytes; --max-body 0 shows all"},
		},
	} {
		got := prepared(t, c.args...).see(&c.message)
		if string(got.JSON) != string(c.want.JSON) || got.Text != c.want.Text || got.Base64 != c.want.Base64 || got.Note != c.want.Note {
			t.Errorf("%s: %s %+v", c.name, got.JSON, got)
		}
	}
}

const schema = `{"type":"record","name":"Order","fields":[
	{"name":"id","type":"long"},
	{"name":"card","type":"string"},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}
]}`

func TestAvroBodiesAreDecoded(t *testing.T) {
	value := map[string]any{"id": int64(7), "card": "4111", "price": big.NewRat(25, 2), "at": time.UnixMilli(0).UTC()}
	file := filepath.Join(t.TempDir(), "order.avsc")
	must(t, os.WriteFile(file, []byte(schema), 0o600))
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/schemas/ids/5") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"schema": schema})
	}))
	defer registry.Close()

	single, err := avrocodec.NewSingleObject(schema, avrocodec.Config{})
	must(t, err)
	singleBody, err := single.Encode(value)
	must(t, err)
	plain, err := avrocodec.New(schema, avrocodec.Config{})
	must(t, err)
	plainBody, err := plain.Encode(value)
	must(t, err)
	confluentBody := append([]byte{0, 0, 0, 0, 5}, plainBody...)

	const want = `{"at":"1970-01-01T00:00:00Z","card":"(redacted)","id":7,"price":12.5}`
	for name, c := range map[string]struct {
		flag string
		body []byte
	}{
		"single object": {"--schema=" + file, singleBody},
		"plain":         {"--schema=" + file, plainBody},
		"registry":      {"--registry=" + registry.URL, confluentBody},
	} {
		b := prepared(t, c.flag, "--redact", "card")
		if got := b.see(&errorqueue.Message{Body: c.body}); string(got.JSON) != want {
			t.Errorf("%s: %s %+v", name, got.JSON, got)
		}
		v, err := b.whereDecoder()(errorqueue.Entry{Message: errorqueue.Message{Body: c.body}})
		if m, ok := v.(map[string]any); err != nil || !ok || m["id"] != int64(7) || m["price"] != 12.5 {
			t.Errorf("%s: --where sees %v, %v", name, v, err)
		}
		if got := b.see(&errorqueue.Message{Body: []byte(`{"n":1}`)}); string(got.JSON) != `{"n":1}` {
			t.Errorf("%s: JSON beside it: %+v", name, got)
		}
	}
	if got := prepared(t, "--schema", file).see(&errorqueue.Message{Body: []byte("other")}); got.Text != "other" || got.Note != "it is neither JSON nor of that schema" {
		t.Errorf("another body: %+v", got)
	}
}

func TestCredentialsOfTheRegistryAreNotForTheCommandLine(t *testing.T) {
	var b bodyFlags
	cmd := &cobra.Command{Use: "test"}
	b.add(cmd.Flags())
	must(t, cmd.ParseFlags([]string{"--registry", "http://jo:topsecret@localhost"}))
	if err := b.prepare(cmd); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%v", err)
	}
}

func TestHeadersOfEveryTypeArePrinted(t *testing.T) {
	table := map[string]any{
		"text": "a\x1b", "bytes": []byte("plain"), "binary": []byte{0xff}, "nan": math.NaN(), "inf": float32(math.Inf(1)), "nil": nil,
		"at": time.Unix(0, 0), "far": time.Unix(1<<55, 0), "list": []any{int64(1), map[string]any{"secret": 1, "x": true}}, "odd": struct{ A int }{3},
	}
	b := prepared(t, "--redact", "secret")
	text, err := jsonOf(b.headers(table), false)
	must(t, err)
	var got map[string]any
	must(t, json.Unmarshal(text, &got))
	for name, want := range map[string]any{
		"text": "a\x1b", "bytes": "plain", "binary": "base64:/w==", "nan": "NaN", "inf": "+Inf", "nil": nil, "at": "1970-01-01T00:00:00Z", "odd": "{3}",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if strings.Contains(string(text), "\x1b") || !strings.Contains(string(text), `"list":[1,{"secret":"(redacted)","x":true}]`) {
		t.Errorf("%s", text)
	}
}
