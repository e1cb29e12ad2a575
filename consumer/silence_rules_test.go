package consumer

import (
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// What the answers of a queue mean for a consumer that hears nothing from it.
func TestWhatAnswersMean(t *testing.T) {
	t.Parallel()
	gone := answer{err: &DeclareError{Verb: "check", Queue: "q", Err: &amqp.Error{Code: amqp.NotFound}}}
	none := answer{told: true}
	well := answer{told: true, consumers: 1}
	full := answer{told: true, consumers: 1, ready: 7}
	for name, test := range map[string]struct {
		answers []answer
		declare Declare
		latest  uint64 // what has come meanwhile
		open    int64  // what is in work
		silent  bool
		mute    bool // it asks no more
	}{
		"well":                           {answers: []answer{well, well, well, well}},
		"gone":                           {answers: []answer{gone, gone, gone}, silent: true},
		"gone, perhaps":                  {answers: []answer{gone, gone}},
		"gone, and then not":             {answers: []answer{gone, gone, well, gone, gone}},
		"no consumers":                   {answers: []answer{none, none, none}, silent: true},
		"no consumers, of all trouble":   {answers: []answer{none, gone, none}, silent: true},
		"no consumers, of a stream":      {answers: []answer{none, none, none, none}, declare: DeclareOwn},
		"no consumers any more":          {answers: []answer{well, none, none, none}, declare: DeclareNone, silent: true},
		"too busy to tell":               {answers: []answer{{}, {}, {}, {}}},
		"too busy now and then":          {answers: []answer{none, {}, none, {}, none}, silent: true},
		"messages, and none comes":       {answers: []answer{full, full, full}, silent: true},
		"messages of someone else":       {answers: []answer{full, full, full}, declare: DeclareOwn},
		"messages of nobody knows":       {answers: []answer{full, full, full}, declare: DeclareNone},
		"gone, but something has come":   {answers: []answer{gone, gone, gone}, latest: 1},
		"gone, but something is in work": {answers: []answer{none, none, none}, open: 1},
		"forbidden":                      {answers: []answer{gone, gone, {forbidden: true}}, mute: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &run{Consumer: &Consumer{queue: "q", config: Config{Declare: test.declare}}}
			e := &epoch{run: r, latest: test.latest, subs: []*subscription{{}}}
			r.open.Store(test.open)
			timer := time.NewTimer(time.Hour)
			timer.Stop()
			defer timer.Stop()
			e.silence = silence{interval: time.Hour, timer: timer}
			for i, a := range test.answers {
				e.silence.heard = 0
				timer.Stop() // it has fired
				err := e.weigh(a)
				if last := i == len(test.answers)-1; errors.Is(err, ErrSilent) != (last && test.silent) {
					t.Fatalf("after %d answers: %v", i+1, err)
				}
				if a.err != nil && err != nil && !errors.Is(err, a.err) {
					t.Errorf("%v does not tell why", err)
				}
			}
			if waits := timer.Stop(); !test.silent && waits == test.mute {
				t.Errorf("it asks again: %v", waits)
			}
		})
	}
}
