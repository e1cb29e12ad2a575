package avrocodec_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/codec/avrocodec"
)

// newer is what a later release makes of Everything: fields gone, come, moved, widened, renamed.
const newer = `{"type":"record","name":"Everything","namespace":"test","fields":[
	{"name":"text","type":"string"},
	{"name":"added","type":{"type":"array","items":"string"},"default":["x","y"]},
	{"name":"small","type":"double"},
	{"name":"big","type":"float"},
	{"name":"single","type":"double"},
	{"name":"blob","type":["null","bytes"]},
	{"name":"sort","aliases":["kind"],"type":{"type":"enum","name":"Kind","symbols":["C","X","A"],"default":"X"}},
	{"name":"list","type":{"type":"array","items":["null","double"]}},
	{"name":"one","type":["null","long","string",{"type":"record","name":"Pair","fields":[{"name":"r","type":"Kind"},{"name":"l","type":"long"}]}]},
	{"name":"next","type":["null","Everything"]},
	{"name":"kids","type":{"type":"array","items":{"type":"record","name":"Node","fields":[
		{"name":"by","type":{"type":"map","values":"Node"}},{"name":"kids","type":{"type":"array","items":"Node"}},{"name":"w","type":"int","default":9}]}}}
]}`

type laterNode struct {
	By   map[string]laterNode `avro:"by"`
	Kids []laterNode          `avro:"kids"`
	W    int32                `avro:"w"`
}

type later struct {
	Text   string      `avro:"text"`
	Added  []string    `avro:"added"`
	Small  float64     `avro:"small"`
	Single float64     `avro:"single"`
	Blob   *[]byte     `avro:"blob"`
	Sort   string      `avro:"sort"`
	List   []*float64  `avro:"list"`
	One    any         `avro:"one"`
	Next   *later      `avro:"next"`
	Kids   []laterNode `avro:"kids"`
}

// TestMutations decodes mutations of valid bodies: into structs, into maps, and with a newer reader's schema. Nothing
// of it may crash, hang, or use much memory, and what is accepted has to be a value: it can be encoded again, and then
// decodes to the same.
//
// AVRO_MUTATIONS says how many; without it fifty thousand. SECURITY.md names the result of ten million.
func TestMutations(t *testing.T) {
	total := 50_000
	if testing.Short() || raceEnabled {
		total = 20_000
	}
	if s := os.Getenv("AVRO_MUTATIONS"); s != "" {
		var err error
		if total, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	workers := runtime.GOMAXPROCS(0)
	var tried, accepted, slowest atomicMax
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			m := newMutator(t, uint64(w))
			for range total / workers {
				began := time.Now()
				if m.one(t) {
					accepted.add(1)
				}
				tried.add(1)
				slowest.max(int64(time.Since(began)))
			}
		})
	}
	all.Wait()
	t.Logf("%d mutations, %d accepted, in %v, the slowest %v; resident memory at most %d MB",
		tried.n, accepted.n, time.Since(start).Round(time.Millisecond), time.Duration(slowest.n), residentMB(t))
	if accepted.n == 0 || accepted.n == tried.n {
		t.Error("nothing was tried")
	}
	if slowest.n > int64(time.Minute) { // the machine may be busy
		t.Error("one of them hung")
	}
	if mb := residentMB(t); mb > 100 && !raceEnabled {
		t.Errorf("%d MB of memory", mb)
	}
}

type atomicMax struct {
	mu sync.Mutex
	n  int64
}

func (a *atomicMax) add(n int64) { a.mu.Lock(); a.n += n; a.mu.Unlock() }
func (a *atomicMax) max(n int64) { a.mu.Lock(); a.n = max(a.n, n); a.mu.Unlock() }

// residentMB is the most memory that the process ever had; 0 where the system does not say.
func residentMB(t *testing.T) int {
	t.Helper()
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, " kB")
	kb, _ := strconv.Atoi(strings.TrimSpace(line))
	return kb / 1024
}

type mutator struct {
	random *rand.Rand
	bodies [][]byte
	own    *avrocodec.Codec
	later  *avrocodec.Codec
}

func newMutator(t *testing.T, seed uint64) *mutator {
	m := &mutator{random: rand.New(rand.NewPCG(seed, 7))}
	m.own = newCodec(t, everything, avrocodec.Config{})
	m.later = newCodec(t, newer, avrocodec.Config{Writers: []string{everything}})
	for depth := range 3 {
		m.bodies = append(m.bodies, encode(t, m.own, sample(depth)))
	}
	bare := all{Kind: "A", Price: sample(0).Price, Rate: sample(0).Rate, One: "word"}
	m.bodies = append(m.bodies, encode(t, m.own, bare))
	return m
}

// claims are numbers that a length, a count, an index or a value may claim.
var claims = []int64{0, 1, -1, 2, 3, 63, 64, -64, 127, 1000, 1 << 16, 1 << 20, 1 << 31, 1<<31 - 1, 1 << 40, 1 << 62, -1 << 63, 1<<63 - 1, -1 << 40}

func (m *mutator) mutate(body []byte) []byte {
	b := bytes.Clone(body)
	for range 1 + m.random.IntN(4) {
		if len(b) == 0 {
			b = append(b, byte(m.random.Uint32()))
		}
		at := m.random.IntN(len(b))
		switch m.random.IntN(8) {
		case 0:
			b[at] ^= 1 << m.random.IntN(8)
		case 1:
			b[at] = byte(m.random.Uint32())
		case 2:
			b = b[:at]
		case 3:
			b = append(b[:at], b[at+1:]...)
		case 4:
			claim := long(claims[m.random.IntN(len(claims))])
			b = append(b[:at:at], append(claim, b[at:]...)...)
		case 5:
			claim := long(claims[m.random.IntN(len(claims))])
			b = append(b[:at:at], append(claim, b[at+1:]...)...)
		case 6:
			to := at + m.random.IntN(min(16, len(b)-at)+1)
			b = append(b[:to:to], b[at:]...)
		case 7:
			other := m.bodies[m.random.IntN(len(m.bodies))]
			b = append(b[:at:at], other[m.random.IntN(len(other)):]...)
		}
	}
	return b
}

// one tries one mutation, and says whether it was accepted.
func (m *mutator) one(t *testing.T) bool {
	body := m.mutate(m.bodies[m.random.IntN(len(m.bodies))])
	var got all
	err := m.own.Decode(body, &got)
	if err != nil && !errors.Is(err, avrocodec.ErrMalformed) && !errors.Is(err, avrocodec.ErrLimit) {
		t.Errorf("%x: %v", body, err)
	}
	var wide later
	laterErr := m.later.Decode(body, &wide)
	if err == nil && laterErr != nil {
		t.Errorf("%x: a newer reader refuses it: %v", body, laterErr)
	}
	var anything any
	anyErr := m.own.Decode(body, &anything)
	if err == nil && anyErr != nil {
		t.Errorf("%x: as anything: %v", body, anyErr)
	}
	if err != nil {
		return false
	}
	again, err := m.own.Encode(got)
	if err != nil {
		t.Errorf("%x: cannot be encoded again: %v", body, err)
		return true
	}
	var twice all
	if err := m.own.Decode(again, &twice); err != nil || !same(got, twice) {
		t.Errorf("%x: %v\n%s\n%s", body, err, show(got), show(twice))
	}
	if wide.Text != got.Text || len(wide.Kids) != len(got.Kids) || len(wide.List) != len(got.List) || wide.Small != float64(got.Small) {
		t.Errorf("%x: a newer reader has\n%s\n%s", body, show(wide), show(got))
	}
	return true
}
