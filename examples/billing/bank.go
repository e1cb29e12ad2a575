package main

import (
	"context"
	"errors"
	"sync"
)

var errBankDown = errors.New("the bank is down")

// bank stands for the real one. It is down when Pip's orders come for the first time, and Micawber has no money.
type bank struct {
	mu      sync.Mutex
	asked   map[string]int   // how often, by key
	charged map[string]int64 // cents, by key
}

func newBank() Bank { return &bank{asked: map[string]int{}, charged: map[string]int64{}} }

func (b *bank) Charge(_ context.Context, key, customer string, cents int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[key]++
	switch {
	case customer == "Micawber":
		return ErrDeclined
	case customer == "Pip" && b.asked[key] == 1:
		return errBankDown
	}
	b.charged[key] = cents // also if it was before
	return nil
}
