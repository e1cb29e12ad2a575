//go:build linux || darwin

package faults_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

var (
	full   = flag.Bool("faults.full", false, "inject every fault, not just a few, and run the control")
	seed   = flag.Uint64("faults.seed", 347926, "which schedule the soak has; 0: another each time")
	length = flag.Duration("faults.for", time.Minute, "how long the soak goes on")
	every  = flag.Duration("faults.every", 10*time.Second, "how often it injects a fault")
	report = flag.String("faults.report", "", "the folder in which faults.json and faults.md are brought up to date")
)

func TestMain(m *testing.M) {
	if os.Getenv(childQueue) != "" {
		os.Exit(consumeAsChild())
	}
	flag.Parse()
	if *report != "" {
		build() // as it is now
	}
	rabbitmq.Main(m)
}
