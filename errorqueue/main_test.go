package errorqueue_test

import (
	"flag"
	"testing"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4") // on a real broker tests wait for it, and it for the disk
	rabbitmq.Main(m)
}
