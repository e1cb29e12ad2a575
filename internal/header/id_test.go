package header_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/header"
)

func TestIDsAreUUIDsThatAscend(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	var ids header.IDs
	now, before := time.Now(), ""
	for range 1000 {
		id := ids.Next(now)
		if !form.MatchString(id) {
			t.Fatalf("%q is no UUID of version 7", id)
		}
		if id <= before {
			t.Fatalf("%q comes after %q", id, before)
		}
		before = id
	}
}

func TestAnIDTellsWhenItWasMade(t *testing.T) {
	var ids header.IDs
	now := time.Now()
	if got, ok := header.TimeOf(ids.Next(now)); !ok || !got.Equal(now.Truncate(time.Millisecond)) {
		t.Errorf("got %v, %v, want %v", got, ok, now)
	}
}

func TestOtherIDsTellNoTime(t *testing.T) {
	for _, id := range []string{
		"", "7", "order-7", "f47ac10b-58cc-4372-a567-0e02b2c3d479",
		"0192f7a4-zzzz-7000-8000-000000000000", "zzzzzzzz-0000-7000-8000-000000000000", "+192f7a4-+000-7000-8000-000000000000",
	} {
		if at, ok := header.TimeOf(id); ok {
			t.Errorf("%q tells %v", id, at)
		}
	}
}
