package avrocodec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

const (
	mediaType = "application/vnd.schemaregistry.v1+json"

	// Bounds of what a registry may answer.
	maxAnswer     = 4 * guard.MaxSchema
	maxReferences = 64 // of one schema, and of those that it refers to
	maxShown      = 200
)

// A RegistryError is a refusal of the registry.
type RegistryError struct {
	// Status is HTTP's.
	Status int `json:"-"`
	// Code is the registry's own, such as 40403 or 42201; 0 if there is none.
	Code int `json:"error_code"`
	// Message is what it says, cut to 200 bytes.
	Message string `json:"message"`
}

// Error tells the status, the code and the message.
func (e *RegistryError) Error() string {
	return fmt.Sprintf("the schema registry says %d (%d) %s", e.Status, e.Code, e.Message)
}

// unavailable marks an error as one that says nothing about the schema.
func unavailable(err error) error { return &unavailableError{err} }

type unavailableError struct{ why error }

func (e *unavailableError) Error() string {
	return "schema registry: " + codec.ErrUnavailable.Error() + ": " + e.why.Error()
}

func (e *unavailableError) Unwrap() []error { return []error{codec.ErrUnavailable, e.why} }

// registered is a schema as the registry tells it.
type registered struct {
	ID         uint32      `json:"id"`
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType"`
	References []Reference `json:"references"`
}

// getSchema returns the text of the schema with an id, after the texts of all that it refers to.
func (r *Registry) getSchema(ctx context.Context, id uint32) ([]string, error) {
	var s registered
	if err := r.call(ctx, http.MethodGet, "/schemas/ids/"+strconv.FormatUint(uint64(id), 10), nil, &s); err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	t := texts{r: r, seen: make(map[place]bool)}
	if err := t.add(ctx, s); err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	return t.all, nil
}

type place struct {
	subject string
	version int
}

// texts collects schemas, each after those that it refers to.
type texts struct {
	r    *Registry
	seen map[place]bool
	all  []string
	size int
}

func (t *texts) add(ctx context.Context, s registered) error {
	if s.SchemaType != "" && s.SchemaType != "AVRO" {
		return fmt.Errorf("%w: its type is %q, not AVRO", ErrIncompatible, shown(s.SchemaType))
	}
	for _, ref := range s.References {
		at := place{ref.Subject, ref.Version}
		if t.seen[at] {
			continue // also in a circle, which the parser will not like
		}
		if t.seen[at] = true; len(t.seen) > maxReferences {
			return fmt.Errorf("%w: it refers to more than %d schemas", ErrIncompatible, maxReferences)
		}
		var other registered
		path := "/subjects/" + url.PathEscape(ref.Subject) + "/versions/" + strconv.Itoa(ref.Version)
		if err := t.r.call(ctx, http.MethodGet, path, nil, &other); err != nil {
			return fmt.Errorf("its reference: %w", err)
		}
		if err := t.add(ctx, other); err != nil {
			return fmt.Errorf("its reference: %w", err)
		}
	}
	if t.size += len(s.Schema); t.size > maxAnswer {
		return fmt.Errorf("%w: with all that it refers to it has more than %d bytes", ErrIncompatible, maxAnswer)
	}
	t.all = append(t.all, s.Schema)
	return nil
}

func (r *Registry) postSchema(ctx context.Context, path, schema string, references []Reference) (uint32, error) {
	request, err := json.Marshal(struct {
		Schema     string      `json:"schema"`
		References []Reference `json:"references,omitempty"`
	}{schema, references})
	if err != nil {
		return 0, err
	}
	var s struct {
		ID *uint32 `json:"id"`
	}
	if err := r.call(ctx, http.MethodPost, path, request, &s); err != nil {
		return 0, err
	}
	if s.ID == nil {
		return 0, unavailable(errors.New("its answer has no id"))
	}
	return *s.ID, nil
}

// call sends one request. Its error is a miss, a refusal, or unavailable.
func (r *Registry) call(ctx context.Context, method, path string, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIncompatible, err) // a reference's subject that makes no path
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("Accept", mediaType+", application/json")
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if r.config.Username != "" || r.config.Password != "" {
		req.SetBasicAuth(r.config.Username, r.config.Password)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return unavailable(err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode, text)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%w: it has more than %d bytes", ErrIncompatible, maxAnswer)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return unavailable(errors.New("its answer is not what a schema registry says")) // a page of a proxy, perhaps
	}
	return nil
}

// refusal tells a miss and a refusal of the registry's from everything else that comes with a status: a 404 without
// the registry's own code comes from someone who is no registry.
func refusal(status int, text []byte) error {
	e := &RegistryError{Status: status}
	if json.Unmarshal(text, e) != nil {
		e.Code, e.Message = 0, ""
	}
	e.Message = shown(e.Message)
	switch {
	case status == http.StatusNotFound && e.Code/100 == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrUnknownSchema, e)
	case status == http.StatusConflict || status == http.StatusUnprocessableEntity:
		return e
	}
	return unavailable(e)
}

// shown cuts a text of somebody else's.
func shown(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "..."
	}
	return s
}
