package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/topology"
)

// A policy that somebody has made for all queues lets the broker delete what is given back too often, also from an error
// queue that Warren has declared. Whoever looks at it again and again, at night, must not lose it.
func TestLookingDeletesNothingWhereAPolicyLimitsDeliveries(t *testing.T) {
	t.Parallel()
	h := onManaged(t).house(t)
	queue := rabbitmq.Name(t, "looks")
	errorQueue := topology.ErrorQueue(queue)
	h.policy("policies", ".*", map[string]any{"delivery-limit": 5})
	h.declare(topology.Tiers(queue, topology.Quorum, nil))
	h.do(func(ch *amqp.Channel) error {
		for i := range 10 {
			err := ch.PublishWithContext(t.Context(), "", errorQueue, true, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, MessageId: strconv.Itoa(i),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // statistics are some seconds old
		var q management.Queue
		must(t, json.Unmarshal(h.request(t, http.MethodGet, "queues/"+h.name+"/"+errorQueue, nil), &q))
		if n, err := deliveryLimit(q); err == nil && n == 5 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the API does not tell the policy")
		}
	}
	url := h.url("guest", "guest")
	worn := 0
	for range 12 {
		cmd := command(t, "errors", "ls", queue, "--management", h.api)
		cmd.Env = append(cmd.Env, "AMQP_URL="+url)
		out, err := cmd.CombinedOutput()
		switch exit := new(exec.ExitError); {
		case err == nil:
		case errors.As(err, &exit) && exit.ExitCode() == exitFailed && strings.Contains(string(out), "the broker may delete it after 5"):
			worn++
		default:
			t.Fatalf("%v: %s", err, out)
		}
	}
	if n := len(taken(t, url, errorQueue)); n != 10 {
		t.Errorf("%d of 10 entries are left", n)
	}
	if worn == 0 && !strings.HasPrefix(h.version, "4.3") {
		t.Error("nothing was said")
	}
}

func TestDeliveryLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{}`: 0,
		`{"arguments":{"x-delivery-limit":1000000},"effective_policy_definition":{}}`:                    1000000,
		`{"arguments":{"x-delivery-limit":1000000},"effective_policy_definition":{"delivery-limit":20}}`: 20,
		`{"arguments":{"x-delivery-limit":5},"effective_policy_definition":{"delivery-limit":20}}`:       5,
		`{"arguments":{"x-delivery-limit":-1},"effective_policy_definition":{"delivery-limit":20}}`:      20,
		`{"arguments":{"x-delivery-limit":7},"effective_policy_definition":{"delivery-limit":-1}}`:       7,
		`{"arguments":{},"effective_policy_definition":{"delivery-limit":-1}}`:                           -1,
	} {
		var q management.Queue
		must(t, json.Unmarshal([]byte(text), &q))
		if got, err := deliveryLimit(q); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	var q management.Queue
	must(t, json.Unmarshal([]byte(`{"name":"q","effective_policy_definition":{"delivery-limit":0}}`), &q))
	if _, err := deliveryLimit(q); err == nil {
		t.Error("a limit of 0 is looked at")
	}
}

// Port 15672 of the host may be that of another broker, whose queue of that name has no limit.
func TestAGuessedManagementAPIAllowsNothing(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{-1: 0, 0: 0, 7: 7, 1000000: 0} {
		if got := heeded(limit, true); got != want {
			t.Errorf("%d is heeded as %d", limit, got)
		}
		if got := heeded(limit, false); got != limit {
			t.Errorf("%d, where the API was given, is heeded as %d", limit, got)
		}
	}
}
