package where

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/errorqueue"
)

// environment is what an expression knows of an entry. The last two names
// cannot be written in an expression: rewriter puts them there.
type environment struct {
	ID             string         `expr:"id"`
	Position       int            `expr:"position"`
	Queue          string         `expr:"queue"`
	Source         string         `expr:"source"`
	Reason         string         `expr:"reason"`
	Error          string         `expr:"error"`
	ErrorType      string         `expr:"error_type"`
	Stack          string         `expr:"stack"`
	Attempts       int            `expr:"attempts"`
	FirstFailure   time.Time      `expr:"first_failure"`
	LastFailure    time.Time      `expr:"last_failure"`
	Age            time.Duration  `expr:"age"`
	Failures       []string       `expr:"failures"`
	Fingerprint    string         `expr:"fingerprint"`
	Host           string         `expr:"host"`
	Process        string         `expr:"process"`
	OriginExchange string         `expr:"origin_exchange"`
	OriginKey      string         `expr:"origin_key"`
	Replays        int            `expr:"replays"`
	Looks          int            `expr:"looks"`
	Cut            []string       `expr:"cut"`
	Type           string         `expr:"type"`
	AppID          string         `expr:"app_id"`
	ContentType    string         `expr:"content_type"`
	Encoding       string         `expr:"content_encoding"`
	CorrelationID  string         `expr:"correlation_id"`
	ReplyTo        string         `expr:"reply_to"`
	UserID         string         `expr:"user_id"`
	Expiration     string         `expr:"expiration"`
	DeliveryMode   int            `expr:"delivery_mode"`
	Priority       int            `expr:"priority"`
	Timestamp      time.Time      `expr:"timestamp"`
	Exchange       string         `expr:"exchange"`
	Key            string         `expr:"routing_key"`
	Redelivered    bool           `expr:"redelivered"`
	Headers        map[string]any `expr:"headers"`
	Size           int            `expr:"size"`
	Text           string         `expr:"text"`
	Body           any            `expr:"body"` // never read: rewriter asks Decoded instead

	Decoded func() (any, error)  `expr:"the decoded body"`
	Tick    func() (bool, error) `expr:"count a step"`
}

const (
	bodyName    = "body"
	decodedName = "the decoded body"
	tickName    = "count a step"
)

// names are those of the fields that can be written.
var names = func() (all []string) {
	for field := range reflect.TypeFor[environment]().Fields() {
		if name := field.Tag.Get("expr"); name != decodedName && name != tickName {
			all = append(all, name)
		}
	}
	return all
}()

var (
	// errTooLong says that an expression took too long.
	errTooLong = fmt.Errorf("the expression takes longer than %v for this entry", maxTime)
	// errBody says that a body does not have what an expression asks for.
	errBody = errors.New("the body cannot be read")
)

func newEnvironment(e errorqueue.Entry, decode func(errorqueue.Entry) (any, error)) environment {
	m := &e.Message
	now := time.Now()
	env := environment{
		ID: e.ID, Position: e.Position, Queue: e.Queue, Source: string(e.Source),
		Reason: e.Reason, Error: e.Error, ErrorType: e.ErrorType, Stack: e.Stack,
		Attempts: e.Attempts, FirstFailure: e.FirstFailure, LastFailure: e.LastFailure,
		Failures: e.Failures, Fingerprint: e.Fingerprint, Host: e.Host, Process: e.Process,
		OriginExchange: e.OriginExchange, OriginKey: e.OriginKey, Replays: e.Replays, Looks: e.Looks, Cut: e.Cut,
		Type: m.Type, AppID: m.AppID, ContentType: m.ContentType, Encoding: m.ContentEncoding,
		CorrelationID: m.CorrelationID, ReplyTo: m.ReplyTo, UserID: m.UserID, Expiration: m.Expiration,
		DeliveryMode: int(m.DeliveryMode), Priority: int(m.Priority), Timestamp: m.Timestamp,
		Exchange: m.Exchange, Key: m.Key, Redelivered: m.Redelivered, Headers: m.Headers,
		Size: len(m.Body), Text: string(m.Body),
	}
	if !e.LastFailure.IsZero() {
		env.Age = now.Sub(e.LastFailure)
	}
	env.Decoded = sync.OnceValues(func() (any, error) {
		v, err := decode(e)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		return v, nil
	})
	env.Tick = func() (bool, error) {
		if time.Since(now) > maxTime {
			return false, errTooLong
		}
		return true, nil
	}
	return env
}

// DecodeJSON is what Config.Decode is if it is nil: it undoes the content
// encoding, and reads JSON. Whole numbers are an int where that holds them, and
// float64 otherwise. maxBody is as Config.MaxBody. A Decode for several kinds of
// bodies calls it for some.
func DecodeJSON(e errorqueue.Entry, maxBody int) (any, error) {
	m := &e.Message
	limit := cmp.Or(maxBody, DefaultMaxBody)
	body, err := codec.Decompress(m.ContentEncoding, m.Body, limit)
	if err != nil {
		return nil, err
	}
	if len(body) > limit {
		return nil, fmt.Errorf("it has %d bytes, and the limit is %d", len(body), limit)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // an id of 17 digits is not a float64
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, errors.New("it is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is not JSON: something follows the value")
	}
	return numbers(v), nil
}

// numbers gives numbers the types that expressions count with.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return int(i)
		}
		f, err := v.Float64()
		if err != nil {
			return string(v) // beyond any float64
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
