package avrocodec_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/internal/registrytest"
)

// start starts a registry, and returns it with a client of it.
func start(t *testing.T, cfg avrocodec.RegistryConfig) (*registrytest.Server, *avrocodec.Registry) {
	t.Helper()
	server := registrytest.Start()
	t.Cleanup(server.Close)
	client, err := avrocodec.NewRegistry(server.URL, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func confluent(t *testing.T, r *avrocodec.Registry, subject, schema string, cfg avrocodec.ConfluentConfig) *avrocodec.Codec {
	t.Helper()
	c, err := avrocodec.NewConfluent(r, subject, schema, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func framed(id uint32, datum []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), datum...)
}

func TestOldAndNewProgramsUnderstandEachOther(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	old := strings.Replace(orderV1, `"cents","type":"int"`, `"cents","type":"long"`, 1)
	old = strings.Replace(old, `"buyer","type":{"type":"record","name":"Person"`, `"customer","type":{"type":"record","name":"Customer"`, 1)
	type orderOld struct {
		ID       string    `avro:"id"`
		Cents    int64     `avro:"cents"`
		State    string    `avro:"state"`
		Note     string    `avro:"note"`
		Customer personOne `avro:"customer"`
	}
	first := confluent(t, client, "orders-value", old, avrocodec.ConfluentConfig{Register: true})
	second := confluent(t, client, "orders-value", orderV2, avrocodec.ConfluentConfig{Register: true})

	oldBody := encode(t, first, orderOld{"7", 1200, "PAID", "quick", personOne{"a@b"}})
	newBody := encode(t, second, orderTwo{"8", 1300, "USD", "SHIPPED", customerTwo{nil, "c@d"}, "slow", nil})
	if oldBody[0] != 0 || binary.BigEndian.Uint32(oldBody[1:]) != 1 || binary.BigEndian.Uint32(newBody[1:]) != 2 {
		t.Errorf("%x %x", oldBody, newBody)
	}
	var asNew orderTwo
	if err := second.Decode(oldBody, &asNew); err != nil || asNew.Currency != "EUR" || asNew.Customer.Mail != "a@b" {
		t.Error(show(asNew), err)
	}
	var asOld orderOld
	if err := first.Decode(newBody, &asOld); err != nil || asOld.State != "NEW" || asOld.Cents != 1300 {
		t.Error(show(asOld), err)
	}
	for range 3 {
		_, _ = first.Decode(newBody, &asOld), encode(t, first, asOld)
	}
	want := []string{
		"POST /subjects/orders-value/versions", "POST /subjects/orders-value/versions", "GET /schemas/ids/1", "GET /schemas/ids/2",
	}
	if got := server.Requests(); !slices.Equal(got, want) {
		t.Errorf("asked %q\nwant %q", got, want)
	}
	for n := range newBody {
		expect(t, "a prefix", first.Decode(newBody[:n], &asOld), avrocodec.ErrMalformed, "")
	}
}

func TestASchemaThatIsNotRegistered(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	c := confluent(t, client, "orders/value", longs, avrocodec.ConfluentConfig{})
	_, err := c.Encode([]int64{1})
	expect(t, "no subject", err, avrocodec.ErrUnknownSchema, "subject orders/value: unknown schema: the schema registry says 404 (40401) Subject 'orders/value' not found.")
	expect(t, "again", c.Prepare(t.Context()), avrocodec.ErrUnknownSchema, "")
	if got := server.Requests(); !slices.Equal(got, []string{"POST /subjects/orders%2Fvalue"}) {
		t.Errorf("asked %q", got)
	}
	id, err := client.Register(t.Context(), "orders/value", longs)
	if err != nil || id != 1 {
		t.Fatal(id, err)
	}
	if id, err := client.Lookup(t.Context(), "another", longs); !errors.Is(err, avrocodec.ErrUnknownSchema) {
		t.Error(id, err)
	}
	_, err = client.Register(t.Context(), "orders/value", `{`)
	var refused *avrocodec.RegistryError
	if !errors.As(err, &refused) || refused.Status != 422 || refused.Code != 42201 || errors.Is(err, codec.ErrUnavailable) {
		t.Error(err)
	}
}

func TestReferencesAreFetched(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	person := `{"type":"record","name":"shop.Person","fields":[{"name":"mail","type":"string"}]}`
	pairOf := `{"type":"record","name":"shop.Pair","fields":[{"name":"a","type":"shop.Person"},{"name":"b","type":"shop.Person"}]}`
	order := `{"type":"record","name":"shop.Order","fields":[{"name":"who","type":"shop.Pair"},{"name":"seller","type":"shop.Person"}]}`
	people := registrytest.Reference{Name: "shop.Person", Subject: "people/v 1", Version: 1}
	pairs := registrytest.Reference{Name: "shop.Pair", Subject: "pairs", Version: 1}
	server.Register("people/v 1", registrytest.Schema{Schema: person})
	server.Register("pairs", registrytest.Schema{Schema: pairOf, References: []registrytest.Reference{people}})
	id := server.Register("orders", registrytest.Schema{Schema: order, References: []registrytest.Reference{pairs, people}})

	c := confluent(t, client, "orders", order, avrocodec.ConfluentConfig{
		Config:             avrocodec.Config{References: []string{person, pairOf}},
		RegistryReferences: []avrocodec.Reference{avrocodec.Reference(pairs), avrocodec.Reference(people)},
	})
	p := func(s string) any { return map[string]any{"mail": s} }
	want := map[string]any{"who": map[string]any{"a": p("x"), "b": p("y")}, "seller": p("z")}
	body := encode(t, c, want)
	if binary.BigEndian.Uint32(body[1:]) != uint32(id) {
		t.Errorf("%x", body)
	}
	var got any
	if err := c.Decode(body, &got); err != nil || show(got) != show(want) {
		t.Error(show(got), err)
	}
	asked := server.Requests()
	if !slices.Contains(asked, "GET /subjects/people%2Fv%201/versions/1") || len(asked) != 4 {
		t.Errorf("asked %q", asked)
	}

	// A codec without a schema of its own shows what comes.
	var shown any
	bare := confluent(t, client, "", "", avrocodec.ConfluentConfig{})
	if err := bare.Decode(body, &shown); err != nil || show(shown) != show(want) {
		t.Error(show(shown), err)
	}
	if _, err := bare.Encode(want); err == nil || !strings.Contains(err.Error(), "the codec has no schema: it only decodes") {
		t.Error(err)
	}
	if err := confluent(t, client, "", longs, avrocodec.ConfluentConfig{}).Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "no subject") {
		t.Error(err)
	}
}

func TestSchemasOfTheRegistryThatAreOfNoUse(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	c := confluent(t, client, "", longs, avrocodec.ConfluentConfig{})
	ref := func(subject string, version int) []registrytest.Reference {
		return []registrytest.Reference{{Name: "X", Subject: subject, Version: version}}
	}
	server.Register("circle", registrytest.Schema{Schema: `"X"`, References: ref("circle", 1)})
	for i := range 70 {
		server.Register(fmt.Sprintf("long%d", i), registrytest.Schema{Schema: `"int"`, References: ref(fmt.Sprintf("long%d", i+1), 1)})
	}
	for name, test := range map[string]struct {
		schema registrytest.Schema
		kind   error
		text   string
	}{
		"protobuf":                {registrytest.Schema{Schema: "x", Type: "PROTOBUF"}, avrocodec.ErrIncompatible, `its type is "PROTOBUF", not AVRO`},
		"nonsense":                {registrytest.Schema{Schema: "{{"}, avrocodec.ErrIncompatible, "the schema is no JSON"},
		"of another kind":         {registrytest.Schema{Schema: `"string"`}, avrocodec.ErrIncompatible, "the writer has string, the reader array"},
		"a name that is nowhere":  {registrytest.Schema{Schema: `"Nowhere"`}, avrocodec.ErrIncompatible, "unknown type: Nowhere"},
		"a reference to nowhere":  {registrytest.Schema{Schema: `"X"`, References: ref("nowhere", 1)}, avrocodec.ErrUnknownSchema, "its reference: unknown schema: the schema registry says 404 (40401)"},
		"a circle":                {registrytest.Schema{Schema: `"X"`, References: ref("circle", 1)}, avrocodec.ErrIncompatible, "unknown type: X"},
		"too many references":     {registrytest.Schema{Schema: `"int"`, References: ref("long0", 1)}, avrocodec.ErrIncompatible, "it refers to more than 64 schemas"},
		"a schema that is a bomb": {registrytest.Schema{Schema: strings.Repeat(" ", 5<<20) + `"int"`}, avrocodec.ErrIncompatible, "it has more than 4194304 bytes"},
		"a fixed that is a bomb":  {registrytest.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":99999999999},"default":"x"}]}`}, avrocodec.ErrIncompatible, "the schema has a size of"},
	} {
		id := uint32(server.Register("s", test.schema))
		for range 2 {
			err := c.Decode(framed(id, long(0)), new([]int64))
			expect(t, name, err, test.kind, test.text)
			if errors.Is(err, codec.ErrUnavailable) {
				t.Errorf("%s: it would be tried again: %v", name, err)
			}
		}
	}
}

func TestFramesThatAreNone(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	c := confluent(t, client, "", longs, avrocodec.ConfluentConfig{})
	expect(t, "nothing", c.Decode(nil, new(any)), avrocodec.ErrMalformed, "0 bytes are too few for the id of a schema")
	expect(t, "four bytes", c.Decode(make([]byte, 4), new(any)), avrocodec.ErrMalformed, "4 bytes are too few")
	expect(t, "another magic", c.Decode([]byte{1, 0, 0, 0, 1, 0}, new(any)), avrocodec.ErrMalformed, "it begins with 01, not with the 00")
	if asked := server.Requests(); len(asked) != 0 {
		t.Errorf("asked %q", asked)
	}
	// A datum may have no bytes at all.
	id := uint32(server.Register("s", registrytest.Schema{Schema: `{"type":"record","name":"E","fields":[]}`}))
	var got any
	if err := confluent(t, client, "", "", avrocodec.ConfluentConfig{}).Decode(framed(id, nil), &got); err != nil || show(got) != "map[]" {
		t.Error(show(got), err)
	}
}

func TestManyAskOnce(t *testing.T) {
	server, client := start(t, avrocodec.RegistryConfig{})
	id := uint32(server.Register("s", registrytest.Schema{Schema: longs}))
	c := confluent(t, client, "", longs, avrocodec.ConfluentConfig{})
	release := make(chan struct{})
	server.Break(func(http.ResponseWriter, *http.Request) bool { <-release; return false })
	var everyone sync.WaitGroup
	var begun atomic.Int32
	for range 20 {
		everyone.Go(func() {
			if begun.Add(1) == 20 {
				close(release)
			}
			if err := c.Decode(framed(id, join(long(1), long(7), long(0))), new([]int64)); err != nil {
				t.Error(err)
			}
		})
	}
	everyone.Wait()
	if asked := server.Requests(); !slices.Equal(asked, []string{"GET /schemas/ids/1"}) {
		t.Errorf("asked %q", asked)
	}
}

// A failure says nothing about the body: the error is one that goes away.
func TestARegistryThatFails(t *testing.T) {
	for name, f := range map[string]func(http.ResponseWriter, *http.Request){
		"500": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"error_code":50001,"message":"store"}`)
		},
		"401": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"429": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"a proxy's page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>Sign in</html>") },
		"a proxy's 404":  func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"a cut answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"schema":`)
		},
		"no answer":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a slow answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := start(t, avrocodec.RegistryConfig{Timeout: 200 * time.Millisecond})
			id := uint32(server.Register("s", registrytest.Schema{Schema: longs}))
			c := confluent(t, client, "s", longs, avrocodec.ConfluentConfig{})
			server.Break(func(w http.ResponseWriter, r *http.Request) bool {
				_, _ = io.ReadAll(r.Body)
				f(w, r)
				return true
			})
			err := c.Decode(framed(id, long(0)), new([]int64))
			expect(t, "decode", err, codec.ErrUnavailable, "schema registry: not available now: ")
			_, err = c.Encode([]int64{})
			expect(t, "at once", err, codec.ErrUnavailable, "it has just failed")
			if asked := server.Requests(); len(asked) != 1 {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	server := registrytest.Start()
	client, err := avrocodec.NewRegistry(strings.Replace(server.URL, "//", "//user:secret@", 1), avrocodec.RegistryConfig{})
	server.Close()
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Lookup(t.Context(), "s", longs)
	expect(t, "lookup", err, codec.ErrUnavailable, "connection refused")
	if strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestRequestsCarryWhatTheConfigSays(t *testing.T) {
	for name, test := range map[string]struct {
		userinfo string
		cfg      avrocodec.RegistryConfig
	}{
		"in the URL": {userinfo: "user:p%40ss@"},
		"in Config":  {cfg: avrocodec.RegistryConfig{Username: "user", Password: "p@ss"}},
	} {
		server := registrytest.Start()
		var user, password, token, accept string
		server.Break(func(_ http.ResponseWriter, r *http.Request) bool {
			user, password, _ = r.BasicAuth()
			token, accept = r.Header.Get("X-Token"), r.Header.Get("Accept")
			return false
		})
		test.cfg.Header = http.Header{"X-Token": {"t"}}
		client, err := avrocodec.NewRegistry(strings.Replace(server.URL, "//", "//"+test.userinfo, 1)+"/", test.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := client.Register(t.Context(), "s", longs); id != 1 || err != nil {
			t.Errorf("%s: %v, %v", name, id, err)
		}
		if user != "user" || password != "p@ss" || token != "t" || accept != "application/vnd.schemaregistry.v1+json, application/json" {
			t.Error(name, user, password, token, accept)
		}
		server.Close()
	}
}

func TestRegistriesThatAreNone(t *testing.T) {
	for want, test := range map[string]struct {
		url string
		cfg avrocodec.RegistryConfig
	}{
		"schema registry: the URL cannot be parsed":                     {url: "http://user:secret%@host"},
		"schema registry: the URL is none of http or https with a host": {url: "ftp://host"},
		"schema registry: the URL has a query or a fragment":            {url: "http://host?key=secret"},
		"schema registry: Config.Timeout is negative: -1s":              {"http://host", avrocodec.RegistryConfig{Timeout: -time.Second}},
		"schema registry: Config.Forget is negative: -1s":               {"http://host", avrocodec.RegistryConfig{Forget: -time.Second}},
		"schema registry: Config.MaxSchemas is negative: -1":            {"http://host", avrocodec.RegistryConfig{MaxSchemas: -1}},
	} {
		if _, err := avrocodec.NewRegistry(test.url, test.cfg); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if _, err := avrocodec.NewConfluent(nil, "s", longs, avrocodec.ConfluentConfig{}); err == nil || err.Error() != "avro codec: the registry is nil" {
		t.Error(err)
	}
	_, client := start(t, avrocodec.RegistryConfig{})
	_, err := avrocodec.NewConfluent(client, "s", longs, avrocodec.ConfluentConfig{Config: avrocodec.Config{Writers: []string{longs}}})
	if err == nil || err.Error() != "avro codec: Config.Writers is set, and the registry has the writers' schemas" {
		t.Error(err)
	}
}
