package publisher_test

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/publisher"
)

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// idOf returns the id that a message got. It needs no broker: such a message is
// refused before it is sent.
func idOf(tb testing.TB, p *publisher.Publisher) string {
	tb.Helper()
	err := p.Publish(tb.Context(), "", 1)
	var e *publisher.Error
	if !errors.As(err, &e) || !errors.Is(err, publisher.ErrEncode) {
		tb.Fatalf("got %v", err)
	}
	return e.ID
}

func TestIDsAreUUIDsOfVersion7(t *testing.T) {
	p := newPublisher(t, offline(t), publisher.Config{})
	before := time.Now().UnixMilli()
	id := idOf(t, p)
	after := time.Now().UnixMilli()
	if !uuid7.MatchString(id) {
		t.Fatalf("got %q", id)
	}
	ms, err := strconv.ParseInt(strings.ReplaceAll(id[:13], "-", ""), 16, 64)
	must(t, err)
	if ms < before || ms > after {
		t.Errorf("its time is %d, want %d to %d", ms, before, after)
	}
}

func TestIDsAscend(t *testing.T) {
	p := newPublisher(t, offline(t), publisher.Config{})
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = idOf(t, p)
	}
	if !slices.IsSorted(ids) {
		t.Error("they do not")
	}
}

func TestIDsAreUnique(t *testing.T) {
	conn := offline(t)
	publishers := []*publisher.Publisher{
		newPublisher(t, conn, publisher.Config{}), newPublisher(t, conn, publisher.Config{}),
	}
	const goroutines, each = 16, 2_000
	ids := make([][]string, goroutines)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			for range each {
				ids[i] = append(ids[i], idOf(t, publishers[i%2]))
			}
			if !slices.IsSorted(ids[i]) {
				t.Error("those of one goroutine do not ascend")
			}
		})
	}
	wg.Wait()
	all := slices.Concat(ids...)
	slices.Sort(all)
	if got := len(slices.Compact(all)); got != goroutines*each {
		t.Errorf("%d of %d are unique", got, goroutines*each)
	}
}
