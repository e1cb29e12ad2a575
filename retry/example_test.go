package retry_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/warren-mq/warren/retry"
)

// The zero value is what a consumer uses if nothing is said.
func ExamplePolicy() {
	var policy retry.Policy
	fmt.Println(policy)
	fmt.Println(policy.Retries(), "retries, so", policy.Retries()+1, "attempts")
	// Output:
	// fixed(3, 1m0s)
	// 3 retries, so 4 attempts
}

func ExampleNone() {
	policy := retry.None()
	_, again := policy.Wait(1)
	fmt.Println(policy, again, policy.Waits())
	// Output:
	// none false []
}

func ExampleFixed() {
	policy := retry.Fixed(2, 30*time.Second)
	for failed := 1; ; failed++ {
		wait, again := policy.Wait(failed)
		if !again {
			fmt.Println("attempt", failed, "failed, no retry left")
			break
		}
		fmt.Println("attempt", failed, "failed, wait", wait)
	}
	// Output:
	// attempt 1 failed, wait 30s
	// attempt 2 failed, wait 30s
	// attempt 3 failed, no retry left
}

func ExampleLinear() {
	policy := retry.Linear(5, 10*time.Second, 25*time.Second)
	for failed := range policy.Retries() {
		wait, _ := policy.Wait(failed + 1)
		fmt.Print(wait, " ")
	}
	fmt.Println("in queues of", policy.Waits())
	// Output:
	// 10s 20s 25s 25s 25s in queues of [10s 20s 25s]
}

func ExampleExponential() {
	policy := retry.Exponential(8, time.Second, time.Minute)
	for failed := range policy.Retries() {
		wait, _ := policy.Wait(failed + 1)
		fmt.Print(wait, " ")
	}
	fmt.Println("in", len(policy.Waits()), "queues")
	// Output:
	// 1s 2s 4s 8s 16s 32s 1m0s 1m0s in 7 queues
}

func ExampleSteps() {
	policy := retry.Steps(time.Second, time.Second, time.Hour)
	fmt.Println(policy.Retries(), "retries in queues of", policy.Waits())
	// Output:
	// 3 retries in queues of [1s 1h0m0s]
}

func ExampleParse() {
	policy, err := retry.Parse("exponential(5, 1s, 1h)")
	fmt.Println(policy, err)
	_, err = retry.Parse("fixed(3, 1.5ms)")
	fmt.Println(err)
	// Output:
	// exponential(5, 1s, 1h0m0s) <nil>
	// parse retry policy "fixed(3, 1.5ms)": retry.Fixed: wait is 1.5ms, must be whole milliseconds, in which RabbitMQ counts
}

func ExamplePolicy_Validate() {
	fmt.Println(retry.Exponential(40, time.Second, time.Hour).Validate())
	fmt.Println(retry.Linear(40, time.Second, time.Hour).Validate())
	// Output:
	// <nil>
	// retry.Linear: n is 40, which makes more than 16 distinct waits, each a queue on the broker: lower n or set a lower limit
}

// A policy can stand in a configuration file.
func ExamplePolicy_UnmarshalText() {
	var settings struct{ Retry retry.Policy }
	err := json.Unmarshal([]byte(`{"Retry": "steps(5s, 1m, 1h)"}`), &settings)
	fmt.Println(settings.Retry, err)
	// Output:
	// steps(5s, 1m0s, 1h0m0s) <nil>
}

// What RabbitMQ 4.3 can do by itself, and what comes nearest to what it cannot.
func ExamplePolicy_AsLinear() {
	for _, policy := range []retry.Policy{
		retry.Linear(5, 10*time.Second, time.Minute),
		retry.Exponential(5, time.Second, time.Hour),
	} {
		if step, limit, ok := policy.AsLinear(); ok {
			fmt.Println(policy, "adds", step, "each time, up to", limit)
		} else {
			fmt.Println(policy, "is nearest to", policy.NearestLinear())
		}
	}
	// Output:
	// linear(5, 10s, 1m0s) adds 10s each time, up to 1m0s
	// exponential(5, 1s, 1h0m0s) is nearest to linear(5, 2s, 16s)
}
