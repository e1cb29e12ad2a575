package header_test

import (
	"regexp"
	"testing"

	"github.com/warren-mq/warren/internal/header"
)

func TestNewID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	before := ""
	for range 1000 {
		id := header.NewID()
		if !form.MatchString(id) {
			t.Fatalf("%q is no UUID of version 7", id)
		}
		if seen[id] {
			t.Fatalf("%q comes twice", id)
		}
		seen[id] = true
		if id[:8] < before {
			t.Fatalf("%q comes after %q", id, before)
		}
		before = id[:8]
	}
}
