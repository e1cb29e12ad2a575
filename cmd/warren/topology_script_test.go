package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/topology"
)

// The scripts run on a rabbittest, which has no management API: they show what
// AMQP alone tells. topology_live_test.go is about the rest.
func TestTopologyScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/topology", UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			broker, err := rabbittest.Start(rabbittest.Options{Version: rabbittest.V4_0})
			if err != nil {
				return err
			}
			env.Defer(broker.Close)
			if _, err := broker.Listen("127.0.0.1:0"); err != nil {
				return err
			}
			env.Setenv("AMQP_URL", broker.URL())
			plan := ordersPlan()
			if err := writePlan(env.WorkDir, "orders.json", plan); err != nil {
				return err
			}
			plan.Main.Args["x-delivery-limit"] = int64(50)
			plan.Exchanges[0].Kind = "direct"
			return writePlan(env.WorkDir, "other.json", plan)
		},
	})
}

func ordersPlan() topology.Plan {
	p := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
	p.Exchanges = []topology.Exchange{{Name: "events", Kind: "topic", Durable: true}}
	p.Bindings = []topology.Binding{{Exchange: "events", Queue: "orders", Key: "order.*"}}
	return p
}

func writePlan(dir, name string, plans ...topology.Plan) error {
	var text []byte
	for _, p := range plans {
		one, err := json.Marshal(p)
		if err != nil {
			return err
		}
		text = append(append(text, one...), '\n')
	}
	return os.WriteFile(filepath.Join(dir, name), text, 0o600)
}
