package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/topology"
)

// entries puts so many messages, with their numbers as ids, into the error queue of a main queue, which it declares, too.
func entries(t *testing.T, url, queue string, n int) {
	t.Helper()
	conn := dial(t, url, amqp.Config{})
	ch, err := conn.Channel()
	must(t, err)
	must(t, declarePlan(ch, queue))
	all := make([]amqp.Publishing, n)
	for i := range all {
		all[i] = amqp.Publishing{MessageId: strconv.Itoa(i), Body: []byte(`{"n":` + strconv.Itoa(i) + `}`)}
	}
	brokers.Publish(t, conn, "", topology.ErrorQueue(queue), all...)
}

// declarePlan declares the main and the error queue as a consumer would.
func declarePlan(ch *amqp.Channel, queue string) error {
	p := topology.Tiers(queue, topology.Quorum, nil)
	for _, q := range []topology.Queue{p.Error, p.Main} {
		if _, err := ch.QueueDeclare(q.Name, true, false, false, false, q.Args); err != nil {
			return err
		}
	}
	return nil
}

// ready counts the messages of a queue.
func ready(t *testing.T, url, queue string) int {
	t.Helper()
	conn := dial(t, url, amqp.Config{})
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(t, err)
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(t, err)
	return q.Messages
}

// taken takes everything from a queue, and returns how often each id was there.
func taken(t *testing.T, url, queue string) map[string]int {
	t.Helper()
	conn := dial(t, url, amqp.Config{})
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(t, err)
	there, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(t, err)
	must(t, ch.Qos(1000, 0, false))
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	must(t, err)
	seen := map[string]int{}
	for n, deadline := 0, time.Now().Add(time.Minute); ; n++ {
		select {
		case d, open := <-deliveries:
			if !open {
				t.Fatal("the channel was closed")
			}
			seen[d.MessageId]++
			must(t, d.Ack(false))
		case <-time.After(2 * time.Second): // for those that are not counted yet
			n--
			if n+1 >= there.Messages || time.Now().After(deadline) {
				return seen
			}
		}
	}
}

// finish replays until nothing is left.
func finish(t *testing.T, url, queue, run string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := replay(t, url, queue, run).CombinedOutput()
		if err == nil && ready(t, url, topology.ErrorQueue(queue)) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not end: %v\n%s", err, out)
		}
	}
}

func replay(t *testing.T, url, queue, run string, args ...string) *exec.Cmd {
	cmd := command(t, append([]string{"errors", "replay", queue, "--all", "--yes", "--run", run}, args...)...)
	cmd.Env = append(cmd.Env, urlVariable+"="+url, "GORACE=atexit_sleep_ms=0")
	return cmd
}

// checkUnion asserts that every message is in the main queue, at least once.
func checkUnion(t *testing.T, url, queue string, n int) {
	t.Helper()
	seen := taken(t, url, queue)
	var lost []int
	twice := 0
	for i := range n {
		switch count := seen[strconv.Itoa(i)]; {
		case count == 0:
			lost = append(lost, i)
		case count > 1:
			twice += count - 1
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d are lost: %v", len(lost), n, lost[:min(20, len(lost))])
	}
	t.Logf("%d messages, %d of them published again", n, twice)
}

// replays waits until so many messages are in the main queue.
func replays(t *testing.T, url, queue string, enough int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ready(t, url, queue) < enough; {
		if time.Now().After(deadline) {
			t.Fatal("it replays nothing")
		}
	}
}

// A replay that is killed at any moment loses nothing, and the same run goes on.
func TestAKilledReplayLosesNothing(t *testing.T) {
	eachBroker(t, func(t *testing.T, url string) {
		const n, kills = 4000, 20
		queue := rabbitmq.Name(t, "killed")
		var made deletions
		made.add(queuesOf(queue)...)
		t.Cleanup(func() { made.delete(t, url) })
		entries(t, url, queue, n)

		const seed = 20261122
		random := rand.New(rand.NewPCG(seed, kills))
		inTheMiddle := 0
		for kill := range kills {
			before := ready(t, url, queue)
			cmd := replay(t, url, queue, "night", "--rate", "2000/s")
			must(t, cmd.Start())
			if kill%2 == 0 { // at any moment, also while it connects
				after := time.NewTimer(time.Duration(random.IntN(250)) * time.Millisecond)
				<-after.C
			} else { // and in the middle, however slow it is
				replays(t, url, queue, before+1+random.IntN(150))
			}
			must(t, cmd.Process.Kill())
			_ = cmd.Wait()
			after := ready(t, url, queue)
			t.Logf("kill %d: %d published, %d left", kill, after-before, ready(t, url, topology.ErrorQueue(queue)))
			if after > before {
				inTheMiddle++
			}
		}
		if inTheMiddle < kills/2 {
			t.Errorf("only %d of %d kills came in the middle of a replay", inTheMiddle, kills)
		}
		finish(t, url, queue, "night")
		checkUnion(t, url, queue, n)
	})
}

// A broker that is killed under a replay has lost nothing when it is back.
func TestAReplayFromABrokerThatIsKilledLosesNothing(t *testing.T) {
	t.Parallel()
	node := rabbitmq.Private(t, rabbitmq.Options{})
	url := node.URL()
	const n, kills = 2000, 2
	entries(t, url, "orders", n)
	must(t, node.Sync(t.Context())) // a node that is killed before forgets its queues

	random := rand.New(rand.NewPCG(20261122, kills))
	for kill := range kills {
		cmd := replay(t, url, "orders", "night", "--rate", "1000/s")
		must(t, cmd.Start())
		replays(t, url, "orders", ready(t, url, "orders")+10+random.IntN(300))
		must(t, node.Kill())
		killed := time.Now()
		err := cmd.Wait()
		t.Logf("kill %d: %v later it ended with %v", kill, time.Since(killed), err)
		exit := new(exec.ExitError)
		if !errors.As(err, &exit) || !slices.Contains([]int{exitFailed, exitLeft}, exit.ExitCode()) {
			t.Errorf("kill %d: it ended with %v", kill, err)
		}
		must(t, node.Restart(t.Context()))
		t.Logf("kill %d: %v later it is back", kill, time.Since(killed))
	}
	finish(t, url, "orders", "night")
	checkUnion(t, url, "orders", n)
}

// Two people who replay at once replay each entry once.
func TestTwoReplaysAtOncePublishNothingTwice(t *testing.T) {
	eachBroker(t, func(t *testing.T, url string) {
		const n = 3000
		queue := rabbitmq.Name(t, "two")
		var made deletions
		made.add(queuesOf(queue)...)
		t.Cleanup(func() { made.delete(t, url) })
		entries(t, url, queue, n)

		var both [2]bytes.Buffer
		var running sync.WaitGroup
		for i := range both {
			cmd := replay(t, url, queue, "by-"+strconv.Itoa(i), "--json")
			cmd.Stdout = &both[i]
			must(t, cmd.Start())
			running.Go(func() {
				if err := cmd.Wait(); err != nil {
					t.Errorf("replay %d: %v", i, err)
				}
			})
		}
		running.Wait()
		done := 0
		for i := range both {
			var r resultJSON
			must(t, json.Unmarshal(both[i].Bytes(), &r))
			t.Logf("replay %d: %d done", i, r.Done)
			done += r.Done
		}
		// What one gave back while the other was at its end is left to a third.
		must(t, depth(t.Context(), url, topology.ErrorQueue(queue), n-done))
		seen := taken(t, url, queue)
		if len(seen) != done {
			t.Errorf("%d replayed, and there are %d", done, len(seen))
		}
		for id, count := range seen {
			if count > 1 {
				t.Errorf("entry %s was published %d times", id, count)
			}
		}
	})
}
