package consumer_test

import (
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// One message among 200 kills the process in which it is handled, and that process is started again and again. Only
// that message ends in the error queue, after a bounded number of crashes, though a hundred are taken ahead.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for body, codes := range map[string][]int{
		"fatal":  {3},     // os.Exit
		"greedy": {2, 66}, // the runtime finds no more memory, or the race detector
		"killed": {-1},    // as by the kernel that finds no more memory
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			brokers.EachOverTCP(t, func(t *testing.T, b brokers.Broker) { testCrashes(t, newKit(t, b), body, codes) })
		})
	}
}

func testCrashes(t *testing.T, k *kit, body string, codes []int) {
	const culprit, most = 120, 12
	c := newConsumer(k, newBlocker().handle, consumer.Config{}) // for its plan
	k.declarePlan(c.Plan())
	list := texts(200)
	list[culprit].Body = []byte(body)
	k.publish(list...)
	handled := map[string]bool{}
	crashes := 0
	for deadline := time.Now().Add(2 * time.Minute); ; crashes++ {
		if crashes > most || time.Now().After(deadline) {
			t.Fatalf("after %d crashes %d messages are handled", crashes, len(handled))
		}
		process := startChild(k, time.Second)
		over := func() bool {
			select {
			case <-process.exited:
				return true
			default:
				return k.ready(k.queue) == 0 && k.ready(topology.ErrorQueue(k.queue)) > 0 && len(handled)+len(process.said("done")) >= 199
			}
		}
		eventually(t, "the end of the process, or of the work", over)
		for _, id := range process.said("done") {
			handled[id] = true
		}
		select {
		case <-process.exited:
			if got := process.cmd.ProcessState.ExitCode(); !slices.Contains(codes, got) {
				t.Fatalf("a process exits with %d", got)
			}
			continue
		default:
		}
		process.terminate(t)
		break
	}
	t.Logf("%d crashes", crashes)
	d := k.takeError()
	if d.MessageId != "120" || d.Headers[header.Reason] != string(monitoring.ReasonCrashed) {
		t.Errorf("%s is in the error queue with reason %v", d.MessageId, d.Headers[header.Reason])
	}
	if n := k.ready(topology.ErrorQueue(k.queue)); n != 0 {
		t.Errorf("%d more are in the error queue", n)
	}
	if len(handled) != 199 || handled["120"] {
		t.Errorf("%d messages were handled", len(handled))
	}
}
