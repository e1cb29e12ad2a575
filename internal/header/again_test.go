package header_test

import (
	"maps"
	"reflect"
	"testing"

	"github.com/warren-mq/warren/internal/header"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	for name, test := range map[string]struct {
		headers            map[string]any
		expiration, userID string
		keep               func(string) bool
		want               map[string]any
	}{
		"nothing": {keep: all, want: map[string]any{}},
		"the application's go along": {
			headers: map[string]any{"tenant": "a", "x-match": "any", "cc": "me"}, keep: none,
			want: map[string]any{"tenant": "a", "x-match": "any", "cc": "me"},
		},
		"the broker's do not": {
			headers: map[string]any{"x-death": []any{}, "x-delivery-count": int64(3), "x-first-death-queue": "q", "n": 1}, keep: all,
			want: map[string]any{"n": 1},
		},
		"what is obeyed once is kept beside": {
			headers: map[string]any{"CC": []any{"a"}, "BCC": []any{"b"}}, expiration: "60000", userID: "bank", keep: none,
			want: map[string]any{
				"warren-original-cc": []any{"a"}, "warren-original-bcc": []any{"b"},
				"warren-original-expiration": "60000", "warren-original-user-id": "bank",
			},
		},
		"and the newer one, if it was so before": {
			headers: map[string]any{
				"CC": []any{"new"}, "warren-original-cc": []any{"old"}, "BCC": nil, "warren-original-bcc": []any{"old"},
				"warren-original-expiration": "1", "warren-original-user-id": "old",
			},
			expiration: "2", userID: "new", keep: all,
			want: map[string]any{
				"warren-original-cc": []any{"new"}, "warren-original-bcc": nil,
				"warren-original-expiration": "2", "warren-original-user-id": "new",
			},
		},
		"of ours what the caller says": {
			headers: map[string]any{"warren-attempt": int64(2), "warren-original-cc": []any{"a"}, "n": 1}, keep: header.IsOriginal,
			want: map[string]any{"warren-original-cc": []any{"a"}, "n": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(test.headers)
			got := header.Again(test.headers, test.expiration, test.userID, test.keep)
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("they are %v", got)
			}
			if !reflect.DeepEqual(test.headers, before) {
				t.Errorf("the message's own have become %v", test.headers)
			}
		})
	}
}
