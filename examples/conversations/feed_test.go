package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestConversationsAreTheSameEveryTime(t *testing.T) {
	if !reflect.DeepEqual(conversations(300), conversations(300)) {
		t.Error("they differ")
	}
}

func TestConversationsLookReal(t *testing.T) {
	ids := make(map[string]bool)
	for _, c := range conversations(1000) {
		if ids[c.ID] {
			t.Errorf("id %s comes twice", c.ID)
		}
		ids[c.ID] = true
		if c.Rating < 1 || c.Rating > 5 || len(c.Turns) < 2 {
			t.Errorf("%s: %d stars, %d turns", c.ID, c.Rating, len(c.Turns))
		}
		for i, turn := range c.Turns {
			if strings.ContainsAny(turn.Text+c.Subject, "{}") {
				t.Errorf("%s has a gap: %s: %s", c.ID, c.Subject, turn.Text)
			}
			if i > 0 && !turn.At.After(c.Turns[i-1].At) {
				t.Errorf("%s: answer %d comes before what it answers", c.ID, i)
			}
		}
		for _, r := range c.Customer.Email {
			if r > 127 {
				t.Errorf("%s: no address: %s", c.ID, c.Customer.Email)
			}
		}
	}
}
