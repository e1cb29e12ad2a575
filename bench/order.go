package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// order is what the bodies hold.
type order struct {
	ID       string    `json:"id"`
	Number   int       `json:"number"`
	At       int64     `json:"at"` // when it was due to be sent, where latency is measured; in nanoseconds since the process began
	Customer customer  `json:"customer"`
	Lines    [2]line   `json:"lines"`
	Placed   time.Time `json:"placed"`
	Note     string    `json:"note"`
}

type customer struct {
	Name string `json:"name"`
	City string `json:"city"`
}

type line struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
	Cents int64  `json:"cents"`
}

// newOrder returns one, and its JSON, which has size bytes, as long as Number and At are 0.
func newOrder(size int) (order, []byte, error) {
	o := order{
		ID:       "0195d3a7",
		Customer: customer{Name: "Ada", City: "Ghent"},
		Lines:    [2]line{{SKU: "A-1", Count: 1, Cents: 999}, {SKU: "B-2", Count: 2, Cents: 50}},
		Placed:   time.Date(2026, 11, 22, 11, 56, 0, 0, time.UTC),
	}
	body, err := json.Marshal(o)
	if err != nil {
		return o, nil, err
	}
	if len(body) > size {
		return o, nil, fmt.Errorf("an order has at least %d bytes, not %d", len(body), size)
	}
	o.Note = strings.Repeat("x", size-len(body))
	body, err = json.Marshal(o)
	return o, body, err
}

// errNotAnOrder is for a body that was not decoded into what was sent.
var errNotAnOrder = errors.New("the body is not the order that was sent")

// use is all that the handlers do: they look at what they got.
func (o *order) use() error {
	if o.ID == "" || o.Lines[1].Count != 2 {
		return errNotAnOrder
	}
	return nil
}
