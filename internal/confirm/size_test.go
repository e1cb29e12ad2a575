package confirm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
)

// encoder encodes messages with the client, and returns what it writes.
type encoder struct {
	channel *amqp.Channel
	mu      sync.Mutex
	written bytes.Buffer
}

// Read never returns: the broker says no more than the handshake. Write notes.
type pretence struct {
	net.Conn
	encoder *encoder
}

func (p pretence) Write(b []byte) (int, error) {
	p.encoder.mu.Lock()
	defer p.encoder.mu.Unlock()
	p.encoder.written.Write(b)
	return p.Conn.Write(b)
}

func newEncoder(tb testing.TB) *encoder {
	tb.Helper()
	client, server := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { greet(server) })
	tb.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
		wg.Wait()
	})
	e := new(encoder)
	conn, err := amqp.Open(pretence{client, e}, amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{}}, FrameSize: 1 << 24, Heartbeat: -time.Second,
	})
	must(tb, err)
	tb.Cleanup(func() {
		_ = client.Close()
		_ = conn.CloseDeadline(time.Now())
	})
	e.channel, err = conn.Channel()
	must(tb, err)
	return e
}

// greet is a broker that knows the handshake.
func greet(conn net.Conn) {
	method := func(channel uint16, class, id uint16, args ...byte) {
		b := binary.BigEndian.AppendUint16([]byte{1}, channel)
		b = binary.BigEndian.AppendUint32(b, uint32(4+len(args)))
		b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, class), id)
		_, _ = conn.Write(append(append(b, args...), 0xCE))
	}
	if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
		return
	}
	method(0, 10, 10, append([]byte{0, 9, 0, 0, 0, 0, 0, 0, 0, 5}, "PLAIN\x00\x00\x00\x05en_US"...)...)
	for {
		var head [7]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		if head[0] != 1 {
			continue
		}
		switch channel := binary.BigEndian.Uint16(head[1:]); binary.BigEndian.Uint32(payload) {
		case 10<<16 | 11: // start-ok
			method(0, 10, 30, 0, 1, 1, 0, 0, 0, 0, 0)
		case 10<<16 | 40: // open
			method(0, 10, 41, 0)
		case 20<<16 | 10: // channel.open
			method(channel, 20, 11, 0, 0, 0, 0)
		}
	}
}

// headFrame returns the size of p's header frame.
func (e *encoder) headFrame(p amqp.Publishing) (int, error) {
	e.mu.Lock()
	e.written.Reset()
	e.mu.Unlock()
	if err := e.channel.Publish("", "", false, false, p); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b := e.written.Bytes()
	b = b[8+binary.BigEndian.Uint32(b[3:]):] // the method
	if b[0] != 2 {
		return 0, fmt.Errorf("a frame of type %d", b[0])
	}
	return 8 + int(binary.BigEndian.Uint32(b[3:])), nil
}

func TestHeadSizeIsWhatTheClientWrites(t *testing.T) {
	e := newEncoder(t)
	now := time.Unix(1_700_000_000, 0)
	for name, p := range map[string]amqp.Publishing{
		"nothing":      {},
		"a body":       {Body: make([]byte, 1000)},
		"a mode":       {DeliveryMode: 2},
		"a priority":   {Priority: 9},
		"a time":       {Timestamp: now},
		"no headers":   {Headers: amqp.Table{}},
		"one property": {ReplyTo: "r"},
		"all": {
			ContentType: "a", ContentEncoding: "bb", CorrelationId: "ccc", ReplyTo: "dddd", Expiration: "5",
			MessageId: strings.Repeat("m", 255), Type: "t", UserId: "u", AppId: "ü", DeliveryMode: 1, Priority: 1, Timestamp: now,
			Headers: amqp.Table{"k": "v"},
		},
		"every type": {Headers: amqp.Table{
			"nil": nil, "bool": true, "byte": byte(1), "int8": int8(1), "int16": int16(1), "uint16": uint16(1),
			"int": 1, "int32": int32(1), "uint32": uint32(1), "int64": int64(1), "float32": float32(1), "float64": 1.0,
			"decimal": amqp.Decimal{Scale: 1, Value: 2}, "time": now, "string": "süß", "bytes": []byte{1, 2},
			"empty": "", "no bytes": []byte{}, "array": []any{1, "x", []any{}, amqp.Table{"a": nil}}, "no array": []any{},
			"table": amqp.Table{"a": amqp.Table{"b": []any{true}}}, "no table": amqp.Table{}, "": "no name",
			strings.Repeat("n", 255): strings.Repeat("v", 70000),
		}},
	} {
		want, err := e.headFrame(p)
		must(t, err)
		if got := confirm.HeadSize(&p); got != want {
			t.Errorf("%s: HeadSize is %d, the client writes %d", name, got, want)
		}
		entries := 4
		for k, v := range p.Headers {
			entries += confirm.EntrySize(k, v)
		}
		if got := confirm.TableSize(p.Headers); got != entries {
			t.Errorf("%s: TableSize is %d, its entries have %d", name, got, entries)
		}
	}
}

// Whatever Table makes of random headers, the client writes as much as HeadSize
// says.
func FuzzHeadSize(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed, "k", []byte("v"))
	}
	e := newEncoder(f)
	f.Fuzz(func(t *testing.T, seed uint64, s string, b []byte) {
		random := rand.New(rand.NewPCG(seed, 0))
		var value func(depth int) any
		value = func(depth int) any {
			switch n := random.IntN(22); n {
			case 0, 1, 2:
				return s
			case 3:
				return b
			case 4:
				return random.Int()
			case 5:
				return uint(random.Uint32())
			case 6:
				return random.Uint64() >> 1
			case 7:
				return uint16(random.Uint32())
			case 8:
				return byte(random.Uint32())
			case 9:
				return int8(random.Uint32())
			case 10:
				return int16(random.Uint32())
			case 11:
				return random.Float32()
			case 12:
				return random.Float64()
			case 13:
				return random.IntN(2) == 0
			case 14:
				return time.Unix(random.Int64N(1<<40), 0)
			case 15:
				return amqp.Decimal{Value: 1}
			case 16:
				return map[string]string{s: s, "x": ""}
			case 17:
				return []string{s, ""}
			case 18, 19, 20:
				if depth > 4 {
					return nil
				}
				if n == 18 {
					return []any{value(depth + 1), value(depth + 1)}
				}
				return map[string]any{"a": value(depth + 1), s: value(depth + 1)}
			default:
				return nil
			}
		}
		headers := make(map[string]any)
		for i := range random.IntN(8) {
			headers[fmt.Sprint(s, i)] = value(0)
		}
		table, err := confirm.Table(headers)
		if err != nil {
			if len(s) < 250 || !errors.Is(err, confirm.ErrHeader) {
				t.Fatalf("%v: %v", headers, err)
			}
			return
		}
		if err := table.Validate(); err != nil {
			t.Fatalf("the client refuses %v: %v", table, err)
		}
		p := amqp.Publishing{
			Headers: table, Priority: uint8(random.Uint32()), DeliveryMode: uint8(random.IntN(3)),
			MessageId: s[:min(len(s), 255)], AppId: s[:min(len(s), 100)],
		}
		want, err := e.headFrame(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := confirm.HeadSize(&p); got != want {
			t.Errorf("HeadSize is %d, the client writes %d: %v", got, want, p)
		}
	})
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", 256)
	headers := func(n int) amqp.Publishing { // of a frame of n bytes
		return amqp.Publishing{Headers: amqp.Table{"k": strings.Repeat("x", n-22-4-2-5)}}
	}
	deep := amqp.Table{}
	for range 70 {
		deep = amqp.Table{"a": deep}
	}
	loop := amqp.Table{}
	loop["a"], loop["b"] = loop, []any{loop, loop}
	const most = 131072 - confirm.HeadRoom
	for name, test := range map[string]struct {
		m    confirm.Message
		max  int
		want error
	}{
		"nothing":                    {confirm.Message{}, 131072, nil},
		"exchange":                   {confirm.Message{Exchange: long}, 131072, confirm.ErrTooLarge},
		"key":                        {confirm.Message{Key: long}, 131072, confirm.ErrTooLarge},
		"key that fits":              {confirm.Message{Key: long[1:]}, 131072, nil},
		"content type":               {confirm.Message{Publishing: amqp.Publishing{ContentType: long}}, 131072, confirm.ErrTooLarge},
		"content encoding":           {confirm.Message{Publishing: amqp.Publishing{ContentEncoding: long}}, 131072, confirm.ErrTooLarge},
		"correlation id":             {confirm.Message{Publishing: amqp.Publishing{CorrelationId: long}}, 131072, confirm.ErrTooLarge},
		"reply-to":                   {confirm.Message{Publishing: amqp.Publishing{ReplyTo: long}}, 131072, confirm.ErrTooLarge},
		"expiration":                 {confirm.Message{Publishing: amqp.Publishing{Expiration: strings.Repeat("1", 256)}}, 131072, confirm.ErrTooLarge},
		"expiration that is none":    {confirm.Message{Publishing: amqp.Publishing{Expiration: "1s"}}, 131072, confirm.ErrHeader},
		"expiration that is":         {confirm.Message{Publishing: amqp.Publishing{Expiration: "1000"}}, 131072, nil},
		"message id":                 {confirm.Message{Publishing: amqp.Publishing{MessageId: long}}, 131072, confirm.ErrTooLarge},
		"type":                       {confirm.Message{Publishing: amqp.Publishing{Type: long}}, 131072, confirm.ErrTooLarge},
		"user id":                    {confirm.Message{Publishing: amqp.Publishing{UserId: long}}, 131072, confirm.ErrTooLarge},
		"app id":                     {confirm.Message{Publishing: amqp.Publishing{AppId: long}}, 131072, confirm.ErrTooLarge},
		"headers that fit":           {confirm.Message{Publishing: headers(most)}, 131072, nil},
		"headers that do not":        {confirm.Message{Publishing: headers(most + 1)}, 131072, confirm.ErrTooLarge},
		"less room":                  {confirm.Message{Room: 100, Publishing: headers(131072 - 100)}, 131072, nil},
		"less room, and still more":  {confirm.Message{Room: 100, Publishing: headers(131072 - 99)}, 131072, confirm.ErrTooLarge},
		"the smallest frame":         {confirm.Message{Publishing: headers(2048)}, 4096, nil},
		"the smallest frame, full":   {confirm.Message{Publishing: headers(2049)}, 4096, confirm.ErrTooLarge},
		"a type that AMQP has not":   {confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{"k": struct{}{}}}}, 131072, confirm.ErrHeader},
		"a map that is no table":     {confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{"k": map[string]any{}}}}, 131072, confirm.ErrHeader},
		"a bad type in an array":     {confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{"k": []any{uint64(1)}}}}, 131072, confirm.ErrHeader},
		"a bad type in a table":      {confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{"k": amqp.Table{"k": 1 + 1i}}}}, 131072, confirm.ErrHeader},
		"a long name":                {confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{long: 1}}}, 131072, confirm.ErrHeader},
		"a long name within":         {confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{"k": amqp.Table{long: 1}}}}, 131072, confirm.ErrHeader},
		"headers 70 deep":            {confirm.Message{Publishing: amqp.Publishing{Headers: deep}}, 131072, confirm.ErrHeader},
		"headers without end":        {confirm.Message{Publishing: amqp.Publishing{Headers: loop}}, 131072, confirm.ErrHeader},
		"a body is not counted here": {confirm.Message{Publishing: amqp.Publishing{Body: make([]byte, 1<<20)}}, 131072, nil},
	} {
		if err := test.m.Check(test.max); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is refused costs nobody a channel.
func TestWhatIsRefusedIsNotSent(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		must(t, r.Send(soon(t), message(queue, "1")))
		for range 3 {
			for name, spoil := range map[string]func(*confirm.Message){
				"oversize headers": func(m *confirm.Message) { m.Headers = amqp.Table{"k": strings.Repeat("x", 140_000)} },
				"a long id":        func(m *confirm.Message) { m.MessageId = strings.Repeat("x", 300) },
				"a type":           func(m *confirm.Message) { m.Headers = amqp.Table{"k": uint64(1)} },
				"an expiration":    func(m *confirm.Message) { m.Expiration = "soon" },
			} {
				m := message(queue, "bad")
				spoil(&m)
				if err := r.Send(soon(t), m); !errors.Is(err, confirm.ErrTooLarge) && !errors.Is(err, confirm.ErrHeader) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		m := message(queue, "largest")
		m.Headers = amqp.Table{"k": strings.Repeat("x", 131072-confirm.HeadRoom-100)}
		must(t, r.Send(soon(t), m))
		if there := ids(t, b, queue); len(there) != 2 || r.network.Dials() != 1 {
			t.Errorf("in the queue: %v; %d connections", there, r.network.Dials())
		}
	})
}

func TestTable(t *testing.T) {
	now := time.Now()
	for _, test := range []struct{ given, want any }{
		{nil, nil},
		{true, true},
		{"s", "s"},
		{1.5, 1.5},
		{float32(1.5), float32(1.5)},
		{now, now},
		{int8(-1), int8(-1)},
		{int16(-1), int16(-1)},
		{int32(-1), int32(-1)},
		{int64(-1), int64(-1)},
		{math.MaxInt64, int64(math.MaxInt64)},
		{-1, int64(-1)},
		{byte(255), int64(255)},
		{uint16(65535), int64(65535)},
		{uint32(math.MaxUint32), int64(math.MaxUint32)},
		{uint(7), int64(7)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{amqp.Decimal{Scale: 1}, amqp.Decimal{Scale: 1}},
		{[]byte("b"), []byte("b")},
		{[]string{"a", "b"}, []any{"a", "b"}},
		{[]any{1, uint(2), []any{byte(3)}}, []any{int64(1), int64(2), []any{int64(3)}}},
		{map[string]string{"a": "b"}, amqp.Table{"a": "b"}},
		{map[string]any{"a": 1}, amqp.Table{"a": int64(1)}},
		{amqp.Table{"a": map[string]any{"b": uint16(1)}}, amqp.Table{"a": amqp.Table{"b": int64(1)}}},
	} {
		got, err := confirm.Table(map[string]any{"k": test.given})
		if err != nil || !reflect.DeepEqual(got, amqp.Table{"k": test.want}) {
			t.Errorf("%T %v becomes %v, %v", test.given, test.given, got, err)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%T: %v", test.given, err)
		}
	}
	loop := map[string]any{}
	loop["a"], loop["b"] = loop, []any{loop, loop}
	for _, bad := range []any{
		uint64(math.MaxInt64 + 1), uint(math.MaxUint),
		struct{}{},
		&now,
		[]int{1},
		1i, func() {}, loop,
		[]any{loop},
		map[string]any{strings.Repeat("x", 256): 1},
		[]any{uint64(math.MaxUint64)},
		map[int]string{},
		time.Second,
	} {
		if _, err := confirm.Table(map[string]any{"the key": bad}); !errors.Is(err, confirm.ErrHeader) || !strings.Contains(err.Error(), "the key") {
			t.Errorf("%T: %v", bad, err)
		}
	}
	if got, err := confirm.Table(nil); got != nil || err != nil {
		t.Errorf("nil becomes %v, %v", got, err)
	}
	if _, err := confirm.Table(map[string]any{strings.Repeat("x", 256): 1}); !errors.Is(err, confirm.ErrHeader) {
		t.Errorf("a long name: %v", err)
	}
	// It is a copy.
	given := map[string]any{"bytes": []byte("a"), "table": map[string]any{"a": 1}, "array": []any{1}}
	got, err := confirm.Table(given)
	must(t, err)
	given["bytes"].([]byte)[0] = 'x'
	given["table"].(map[string]any)["a"] = 2
	given["array"].([]any)[0] = 2
	want := amqp.Table{"bytes": []byte("a"), "table": amqp.Table{"a": int64(1)}, "array": []any{int64(1)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("a change shows: %v", got)
	}
}
