package errorqueue_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
)

// wireTypes has a header of each type that RabbitMQ keeps as it is.
func wireTypes() amqp.Table {
	return amqp.Table{
		"int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(-64), "byte": byte(200),
		"uint16": uint16(65535), "uint32": uint32(1 << 31), "float32": float32(1.5), "float64": 1e-300,
		"true": true, "nil": nil, "text": "größer", "no UTF-8": "\xff\xfe", "empty": "", "bytes": []byte{0, 1, 2}, "time": time.Unix(1_700_000_000, 0),
		"decimal": amqp.Decimal{Scale: 2, Value: 1234}, "array": []any{int32(1), "two", []any{nil}},
		"table": amqp.Table{"deep": amqp.Table{"er": []any{int16(3)}}}, "": "a header without a name",
	}
}

// What was exported, discarded and imported is what it was, to the byte and the type.
func TestExportDiscardImport(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		trail := &reviews{}
		q := k.queue(errorqueue.Config{Monitor: trail})
		k.declare(nil)
		full := k.errored("full", "rejected")
		full.Body = []byte("the body\x00\xff")
		full.ContentType, full.ContentEncoding, full.CorrelationId, full.ReplyTo, full.AppId, full.Priority = "text/x; charset=utf-8", "gzip", "c", "r", "shop", 7
		for name, v := range wireTypes() {
			full.Headers[name] = v
		}
		k.publish(full, amqp.Publishing{Body: []byte("")}, k.errored("3", "exhausted"))

		var before []errorqueue.Message
		for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
			must(t, err)
			before = append(before, e.Message)
		}
		var file bytes.Buffer
		r, err := q.Export(t.Context(), &file, errorqueue.Options{})
		must(t, err)
		counts(t, r, 3, 3, 3, 0, 0)
		if e := trail.last(t, 1); e.Action != "export" || e.Done != 3 {
			t.Errorf("%+v", e)
		}
		if n := bytes.Count(file.Bytes(), []byte("\n")); n != 3 || k.ready(k.name) != 3 {
			t.Fatalf("%d lines, %d entries", n, k.ready(k.name))
		}
		r, err = q.Discard(t.Context(), errorqueue.Options{})
		must(t, err)
		counts(t, r, 3, 3, 3, 0, 0)

		r, err = q.Import(t.Context(), bytes.NewReader(file.Bytes()), errorqueue.ImportOptions{DryRun: true})
		must(t, err)
		counts(t, r, 3, 3, 0, 0, 3)
		if n := k.ready(k.name); n != 0 {
			t.Fatalf("a dry run has imported %d", n)
		}
		r, err = q.Import(t.Context(), bytes.NewReader(file.Bytes()), errorqueue.ImportOptions{})
		must(t, err)
		counts(t, r, 3, 3, 3, 0, 0)
		if e := trail.last(t, 4); e.Action != "import" || e.Done != 3 || e.To != k.name {
			t.Errorf("%+v", e)
		}
		n := 0
		for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
			must(t, err)
			if n++; n > len(before) {
				t.Fatal("there are more than before")
			}
			was := before[n-1]
			for _, m := range []*errorqueue.Message{&was, &e.Message} { // these are about the delivery
				m.Redelivered = false
				for _, name := range []string{"x-delivery-count", "x-acquired-count"} {
					delete(m.Headers, name)
				}
				m.DeliveryMode = amqp.Persistent
				if len(m.Headers) == 0 {
					m.Headers = nil
				}
			}
			if !reflect.DeepEqual(e.Message, was) {
				t.Errorf("entry %d is\n%#v\nwas\n%#v", n, e.Message, was)
			}
		}
		if n != 3 {
			t.Errorf("%d entries", n)
		}
	})
}

// What cannot be sent again as it was is kept in a header, whichever way an entry goes.
func TestWhatIsNotSentAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.declareMain()
		parked, audit := k.main+".parked", k.main+".audit"
		k.declareNamed(parked, nil)
		k.declareNamed(audit, nil)
		line := `{"id":"a","user_id":"somebody","expiration":"1","headers":{"CC":["` + audit + `"],"BCC":["` + audit + `"],` +
			`"x-death":[{"table":{"queue":"` + k.main + `","reason":"delivery_limit","count":1,"exchange":"shop","routing-keys":["order.made"],` +
			`"time":{"time":"2026-01-02T03:04:05Z"}}}],"x-delivery-count":7},"body":"x"}`
		q := k.queue(errorqueue.Config{})
		r, err := q.Import(t.Context(), strings.NewReader(line), errorqueue.ImportOptions{})
		must(t, err)
		counts(t, r, 1, 1, 1, 0, 0)
		_, err = q.Copy(t.Context(), errorqueue.ToQueue(parked), errorqueue.Options{})
		must(t, err)
		// What the broker told of its death is read from our own headers now.
		e, err := q.Get(t.Context(), "a")
		must(t, err)
		if e.Reason != "delivery_limit" || e.Queue != k.main || e.OriginExchange != "shop" || e.OriginKey != "order.made" || e.LastFailure.Year() != 2026 {
			t.Errorf("%+v", e)
		}
		_, err = q.Replay(t.Context(), errorqueue.ReplayOptions{})
		must(t, err)
		for _, queue := range []string{parked, k.main} {
			d := k.drain(queue, 1)[0]
			h := d.Headers
			if d.UserId != "" || d.Expiration != "" || h["CC"] != nil || h["BCC"] != nil || h["x-death"] != nil {
				t.Errorf("%s: %+v", queue, d)
			}
			if h["warren-original-user-id"] != "somebody" || h["warren-original-expiration"] != "1" ||
				!reflect.DeepEqual(h["warren-original-cc"], []any{audit}) || !reflect.DeepEqual(h["warren-original-bcc"], []any{audit}) {
				t.Errorf("%s: %v", queue, h)
			}
			if failures, _ := h["warren-failures"].([]any); queue == k.main && len(failures) != 1 {
				t.Errorf("the history is %v", failures)
			}
		}
		if n := k.ready(audit); n != 0 {
			t.Errorf("%d copies went to others", n)
		}
	})
}

// A line that is wrong ends the import and is named; what was before it is done, and can be left out of the next try.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		q := k.queue(errorqueue.Config{})
		const n = 40
		k.entries(n)
		var file bytes.Buffer
		_, err := q.Export(t.Context(), &file, errorqueue.Options{})
		must(t, err)
		_, err = q.Discard(t.Context(), errorqueue.Options{})
		must(t, err)
		lines := slices.Collect(strings.Lines(file.String()))

		broken := "\n" + strings.Join(lines[:10], "") + `{"id":"x","colour":"red","body":""}` + "\n" + strings.Join(lines[10:], "")
		for dry, in := range map[bool]int{true: 0, false: 10} {
			r, err := q.Import(t.Context(), strings.NewReader(broken), errorqueue.ImportOptions{DryRun: dry})
			if err == nil || !strings.Contains(err.Error(), `line 12: `) || !strings.Contains(err.Error(), "colour") {
				t.Errorf("%v", err)
			}
			counts(t, r, 10, 10, in, 0, 10-in)
		}

		// The file ends in the middle of a line.
		cut := file.String()[:file.Len()-20]
		r, err := q.Import(t.Context(), strings.NewReader(cut), errorqueue.ImportOptions{SkipPresent: true})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d: ", n)) {
			t.Errorf("%v", err)
		}
		counts(t, r, n-1, n-11, n-11, 0, 0)
		// The last entry again: one is there and the other is not.
		r, err = q.Import(t.Context(), strings.NewReader(file.String()+lines[n-1]), errorqueue.ImportOptions{SkipPresent: true, Limit: 1})
		must(t, err)
		counts(t, r, n, 1, 1, 0, 0)
		r, err = q.Import(t.Context(), strings.NewReader(file.String()+lines[n-1]), errorqueue.ImportOptions{SkipPresent: true})
		must(t, err)
		counts(t, r, n+1, 1, 1, 0, 0)

		broke := errors.New("the pipe is broken")
		r, err = q.Import(t.Context(), bufio.NewReader(&brokenReader{data: []byte(lines[0]), err: broke}), errorqueue.ImportOptions{})
		if !errors.Is(err, broke) {
			t.Errorf("%v", err)
		}
		counts(t, r, 1, 1, 1, 0, 0)
		same(t, "in the error queue", k.ids(), append(numbers(1, n), "40", "1"))
	})
}

type brokenReader struct {
	data []byte
	err  error
}

func (r *brokenReader) Read(b []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, r.err
	}
	n := copy(b, r.data)
	r.data = r.data[n:]
	return n, nil
}

// A disk that is full ends the export: what was done is in the file, and everything is in the queue.
func TestExportToADiskThatIsFull(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.entries(10)
		full := errors.New("no space left")
		w := &limitedWriter{lines: 4, err: full}
		r, err := k.queue(errorqueue.Config{}).Export(t.Context(), w, errorqueue.Options{})
		if !errors.Is(err, full) || w.n != 4 {
			t.Errorf("%v after %d lines", err, w.n)
		}
		counts(t, r, 5, 5, 4, 0, 1)
		same(t, "in the error queue", k.ids(), numbers(1, 10))
	})
}

type limitedWriter struct {
	n, lines int
	err      error
}

func (w *limitedWriter) Write(b []byte) (int, error) {
	if w.n == w.lines {
		return 0, w.err
	}
	w.n++
	return len(b), nil
}

// An import needs an error queue, and one that is full is said for each.
func TestImportToAQueueThatTakesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		q := k.queue(errorqueue.Config{})
		_, err := q.Import(t.Context(), strings.NewReader(`{"body":""}`), errorqueue.ImportOptions{})
		if !errors.Is(err, errorqueue.ErrNoQueue) {
			t.Errorf("%v", err)
		}
		k.declare(amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
		r, err := q.Import(t.Context(), strings.NewReader(strings.Repeat("{\"body\":\"x\"}\n", 3)), errorqueue.ImportOptions{})
		must(t, err)
		counts(t, r, 3, 3, 1, 2, 0)
		if e := r.Errors[0]; !strings.HasPrefix(e.ID, "#") {
			t.Errorf("%v", e)
		}
	})
}
