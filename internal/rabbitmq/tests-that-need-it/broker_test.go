package needit_test

import (
	"flag"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !rabbitmq.Expected() {
		if err := flag.Set("test.run", "^$"); err != nil {
			panic(err)
		}
	}
	rabbitmq.Main(m)
}

// The broker that the others use is one that Warren is made for.
func TestTheBrokerIsSupported(t *testing.T) {
	conn, err := amqp.Dial(rabbitmq.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	version, _ := conn.Properties["version"].(string)
	t.Logf("this is RabbitMQ %s", version)
	if !slices.ContainsFunc([]string{"3.10.", "3.11.", "3.12.", "3.13.", "4."}, func(series string) bool {
		return strings.HasPrefix(version, series)
	}) {
		t.Errorf("RabbitMQ %q is none from 3.10 to 4", version)
	}
}
