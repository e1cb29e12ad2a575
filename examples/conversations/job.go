package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/warren-mq/warren/consumer"
)

// job asks for one conversation. It is what travels through the queue.
type job struct {
	Account      string `json:"account"`
	Conversation string `json:"conversation"`
}

// importer fetches conversations from the provider and stores them.
type importer struct {
	client *http.Client
	base   string
	keys   map[string]string // the API key of each account
	store  *store
}

func newImporter(base string, workers int) *importer {
	return &importer{
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}},
		base:   base,
		keys: map[string]string{
			"bluebird-bikes":       "demo-bluebird",
			"kettle-and-co":        "demo-kettle",
			"northwind-notes":      "demo-northwind",
			"tidewater-outfitters": "demo-tidewater", // they have left, and the provider knows
		},
		store: newStore(),
	}
}

// handle carries out one job, and says what becomes of its message:
//
//	200                        Ack
//	stored already             Ack, without a request
//	401, 404                   Error: trying again will not help, a person may
//	403, 429 with Retry-After  Defer: it is not the job's fault, and costs it no attempt
//	403 without                Error: forbidden for good
//	500, connection dropped    Retry
//	too slow                   Retry: ctx ends the request after the consumer's Timeout
func (im *importer) handle(ctx context.Context, m consumer.Message[job]) consumer.Outcome {
	if im.store.has(m.Body.Conversation) {
		return consumer.Ack()
	}
	c, err := im.fetch(ctx, m.Body)
	if err == nil {
		im.store.put(c)
		return consumer.Ack()
	}
	var refused *refusal
	if !errors.As(err, &refused) {
		return consumer.Retry(err)
	}
	switch refused.status {
	case http.StatusTooManyRequests:
		return consumer.Defer(refused.retryAfter, err) // without Retry-After, Defer waits a second
	case http.StatusForbidden:
		if refused.retryAfter > 0 {
			return consumer.Defer(refused.retryAfter, err)
		}
		return consumer.Error(err)
	case http.StatusUnauthorized, http.StatusNotFound:
		return consumer.Error(err)
	default:
		return consumer.Retry(err)
	}
}

// refusal is an answer other than 200.
type refusal struct {
	status     int
	why        string
	retryAfter time.Duration // 0: the provider did not say
}

func (r *refusal) Error() string { return fmt.Sprintf("the provider said %d: %s", r.status, r.why) }

// fetch asks the provider for the conversation of a job. ctx bounds all of it.
func (im *importer) fetch(ctx context.Context, j job) (c Conversation, err error) {
	where := im.base + "/v1/conversations/" + url.PathEscape(j.Conversation)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, http.NoBody)
	if err != nil {
		return c, err
	}
	req.Header.Set("Authorization", "Bearer "+im.keys[j.Account])
	resp, err := im.client.Do(req)
	if err != nil {
		return c, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // as much as there is
		return c, &refusal{
			status:     resp.StatusCode,
			why:        strings.TrimSpace(string(why)),
			retryAfter: parseRetryAfter(resp.Header, time.Now()),
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		return c, fmt.Errorf("read conversation %s: %w", j.Conversation, err)
	}
	return c, nil
}

// parseRetryAfter reads the header Retry-After, which is a number of seconds or a date.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
