package avrocodec_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/codec/avrocodec"
)

// A transport is a registry without a network, for bubbles: it answers after a second.
type transport func(path string) (status int, body string)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	status, body := f(r.URL.Path)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
}

const (
	notFound = `{"error_code":40403,"message":"Schema not found"}`
	aLong    = `{"schema":"\"long\""}`
)

func TestWhatIsRememberedAndForHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		status, body := 404, notFound
		client, err := avrocodec.NewRegistry("http://registry", avrocodec.RegistryConfig{
			MaxSchemas: 2,
			Client: &http.Client{Transport: transport(func(path string) (int, string) {
				asked = append(asked, path)
				return status, body
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := confluent(t, client, "", `"long"`, avrocodec.ConfluentConfig{})
		decode := func(id uint32) error { return c.Decode(framed(id, long(5)), new(int64)) }
		count := func(what string, want int) {
			t.Helper()
			if len(asked) != want {
				t.Errorf("%s: asked %d times, want %d", what, len(asked), want)
			}
			asked = nil
		}

		expect(t, "a miss", decode(1), avrocodec.ErrUnknownSchema, "schema 1: unknown schema")
		expect(t, "a miss again", decode(1), avrocodec.ErrUnknownSchema, "")
		count("a miss", 1)
		status, body = 200, aLong
		time.Sleep(59 * time.Second)
		expect(t, "before a minute is over", decode(1), avrocodec.ErrUnknownSchema, "")
		count("before a minute is over", 0)
		time.Sleep(2 * time.Second)
		if err := decode(1); err != nil {
			t.Error(err)
		}
		time.Sleep(24 * time.Hour)
		if err := decode(1); err != nil {
			t.Error(err)
		}
		count("after a minute", 1)

		status = 503
		expect(t, "a failure", decode(2), codec.ErrUnavailable, "503")
		expect(t, "a failure, at once", decode(3), codec.ErrUnavailable, "it has just failed")
		if err := decode(1); err != nil {
			t.Error("what is known stays known: ", err)
		}
		count("a failure", 1)
		status = 200
		time.Sleep(1100 * time.Millisecond)
		for id := range uint32(5) {
			if err := decode(id); err != nil {
				t.Error(err)
			}
		}
		for id := range uint32(5) {
			_ = decode(id)
		}
		if n := len(asked); n < 6 || n > 9 {
			t.Errorf("with room for two of five, asked %d times", n)
		}
	})
}

// Whoever can publish can name any id. The registry must not be flooded for it.
func TestIdsThatDoNotExist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		status, body := 404, notFound
		client, err := avrocodec.NewRegistry("http://registry", avrocodec.RegistryConfig{
			Forget: time.Hour,
			Client: &http.Client{Transport: transport(func(string) (int, string) {
				asked++
				return status, body
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := confluent(t, client, "", `"long"`, avrocodec.ConfluentConfig{})
		unavailable := 0
		for id := range uint32(3000) {
			err := c.Decode(framed(id, long(5)), new(int64))
			if errors.Is(err, codec.ErrUnavailable) {
				unavailable++
			} else if !errors.Is(err, avrocodec.ErrUnknownSchema) {
				t.Fatal(err)
			}
		}
		if asked != 1000 || unavailable != 2000 {
			t.Errorf("asked %d times, %d to be tried again", asked, unavailable)
		}
		status, body = 200, aLong
		time.Sleep(time.Hour)
		if err := c.Decode(framed(2999, long(5)), new(int64)); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitingForTheRegistryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := avrocodec.NewRegistry("http://registry", avrocodec.RegistryConfig{
			Timeout: 10 * time.Second,
			Client: &http.Client{Transport: transport(func(string) (int, string) {
				time.Sleep(5 * time.Second)
				return 200, `{"id":7}`
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		first, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		var everyone sync.WaitGroup
		everyone.Go(func() { // asks, and goes on for the others
			if id, err := client.Lookup(first, "s", longs); id != 7 || err != nil {
				t.Error(id, err)
			}
		})
		synctest.Wait()
		second, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = client.Lookup(second, "s", longs)
		expect(t, "the second", err, context.DeadlineExceeded, "not available now")
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("the second waited %v", waited)
		}
		if id, err := client.Lookup(t.Context(), "s", longs); id != 7 || err != nil {
			t.Error(id, err)
		}
		everyone.Wait()
		if waited := time.Since(began); waited != 6*time.Second {
			t.Errorf("the others waited %v", waited)
		}
	})
}
