// Package registrytest is a schema registry for tests: a real HTTP server on a loopback port, with as much of Confluent's
// interface as clients of it need, and the means to make it fail. It keeps everything in memory, takes any schema, and
// does not check compatibility.
package registrytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
)

// A Server is a running registry. Its methods are safe for concurrent use.
type Server struct {
	// URL is where it listens, such as http://127.0.0.1:8081.
	URL string

	server *httptest.Server

	mu       sync.Mutex
	schemas  []Schema         // by id, from 1
	subjects map[string][]int // ids by version, from 1
	requests []string
	broken   func(http.ResponseWriter, *http.Request) bool
}

// A Schema is what is registered.
type Schema struct {
	Schema     string      `json:"schema"`
	Type       string      `json:"schemaType,omitempty"` // empty is Avro
	References []Reference `json:"references,omitempty"`
}

// A Reference is where a schema that another one refers to is registered.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Start starts a registry. Close stops it.
func Start() *Server {
	s := &Server{subjects: make(map[string][]int)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", s.byID)
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", s.byVersion)
	mux.HandleFunc("POST /subjects/{subject}/versions", s.post)
	mux.HandleFunc("POST /subjects/{subject}", s.lookup)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.EscapedPath())
		broken := s.broken
		s.mu.Unlock()
		if broken != nil && broken(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	s.URL = s.server.URL
	return s
}

// Close stops the registry. It waits for requests that are being answered.
func (s *Server) Close() { s.server.Close() }

// Break makes every request go to f first. If f returns true it has answered. Nil mends the registry.
func (s *Server) Break(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = f
}

// Requests returns what was asked so far, such as "GET /schemas/ids/1", and forgets it.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.requests
	s.requests = nil
	return asked
}

// Register adds a schema to a subject and returns its id. A schema has one id, whatever subjects it is in.
func (s *Server) Register(subject string, schema Schema) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.find(schema)
	if id == 0 {
		s.schemas = append(s.schemas, schema)
		id = len(s.schemas)
	}
	for _, other := range s.subjects[subject] {
		if other == id {
			return id
		}
	}
	s.subjects[subject] = append(s.subjects[subject], id)
	return id
}

func (s *Server) find(schema Schema) int {
	for i, other := range s.schemas {
		if fmt.Sprint(other) == fmt.Sprint(schema) {
			return i + 1
		}
	}
	return 0
}

func (s *Server) byID(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || id < 1 || id > len(s.schemas) {
		refuse(w, http.StatusNotFound, 40403, "Schema "+r.PathValue("id")+" not found")
		return
	}
	answer(w, s.schemas[id-1])
}

func (s *Server) byVersion(w http.ResponseWriter, r *http.Request) {
	subject := r.PathValue("subject")
	version, err := strconv.Atoi(r.PathValue("version"))
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.subjects[subject]
	switch {
	case len(ids) == 0:
		refuse(w, http.StatusNotFound, 40401, "Subject '"+subject+"' not found.")
	case err != nil || version < 1 || version > len(ids):
		refuse(w, http.StatusNotFound, 40402, "Version "+r.PathValue("version")+" not found.")
	default:
		answer(w, versioned{subject, ids[version-1], version, s.schemas[ids[version-1]-1]})
	}
}

type versioned struct {
	Subject string `json:"subject"`
	ID      int    `json:"id"`
	Version int    `json:"version"`
	Schema
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) {
	if schema, ok := read(w, r); ok {
		answer(w, map[string]int{"id": s.Register(r.PathValue("subject"), schema)})
	}
}

func (s *Server) lookup(w http.ResponseWriter, r *http.Request) {
	schema, ok := read(w, r)
	if !ok {
		return
	}
	subject := r.PathValue("subject")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.subjects[subject]) == 0 {
		refuse(w, http.StatusNotFound, 40401, "Subject '"+subject+"' not found.")
		return
	}
	id := s.find(schema)
	for version, other := range s.subjects[subject] {
		if id == other {
			answer(w, versioned{subject, id, version + 1, schema})
			return
		}
	}
	refuse(w, http.StatusNotFound, 40403, "Schema not found")
}

func read(w http.ResponseWriter, r *http.Request) (schema Schema, ok bool) {
	if err := json.NewDecoder(r.Body).Decode(&schema); err != nil || !json.Valid([]byte(schema.Schema)) {
		refuse(w, http.StatusUnprocessableEntity, 42201, "Invalid schema")
		return schema, false
	}
	return schema, true
}

const mediaType = "application/vnd.schemaregistry.v1+json"

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", mediaType)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error_code": code, "message": message})
}
