package warren_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/warren-mq/warren"

const (
	amqp = "github.com/rabbitmq/amqp091-go"
	avro = "github.com/hamba/avro/v2"
)

// arrows says which package may know which: DESIGN.md, section 2. A package
// that is not listed fails the test, so that a new one is thought about.
var arrows = map[string][]string{
	"":                           {},
	"retry":                      {},
	"codec":                      {},
	"monitoring":                 {},
	"monitoring/internal/gauges": {"monitoring"},
	"monitoring/otelmonitor": {
		"monitoring", "monitoring/internal/gauges",
		"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes",
		"go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/trace",
		"go.opentelemetry.io/otel/semconv/v1.37.0", "go.opentelemetry.io/otel/semconv/v1.37.0/messagingconv",
	},
	"monitoring/prommonitor":   {"monitoring", "monitoring/internal/gauges", "github.com/prometheus/client_golang/prometheus"},
	"monitoring/sentrymonitor": {"monitoring", "github.com/getsentry/sentry-go"},
	"monitoring/statsdmonitor": {"monitoring", "monitoring/internal/gauges", "github.com/DataDog/datadog-go/v5/statsd"},
	"internal/header":          {},
	"internal/refusal":         {},
	"topology":                 {},
	"topology/drift":           {"topology"},
	"connection":               {"monitoring", amqp},
	"internal/confirm":         {"connection", amqp},
	"internal/asking":          {"connection", amqp},
	"publisher":                {"connection", "codec", "monitoring", "internal/confirm", "internal/header", amqp},
	"internal/execute":         {"codec"},
	"consumer": {
		"connection", "codec", "monitoring", "retry", "topology",
		"internal/asking", "internal/confirm", "internal/execute", "internal/header", "internal/refusal", "internal/rehearsal", amqp,
	},
	"errorqueue": {
		"connection", "monitoring", "topology", "internal/asking", "internal/confirm", "internal/header", "internal/refusal", amqp,
	},
	"internal/rehearsal": {"internal/confirm", amqp},
	"consumer/consumertest": {
		"connection", "codec", "consumer", "monitoring",
		"internal/confirm", "internal/header", "internal/rehearsal", amqp,
	},

	// Leaves: each adapts one library, and is linked only by whom imports it.
	"codec/avrocodec":                {"codec", "codec/avrocodec/internal/guard", avro},
	"codec/avrocodec/internal/guard": {avro},

	// The broker for tests knows nothing of the library.
	"rabbittest/internal/wire":   {},
	"rabbittest/internal/engine": {"rabbittest/internal/wire"},
	"rabbittest/internal/pipe":   {},
	"rabbittest":                 {"rabbittest/internal/engine", "rabbittest/internal/pipe", "rabbittest/internal/wire"},

	"warrenfx": {"connection", "consumer", "monitoring", "publisher", "go.uber.org/fx"},

	"errorqueue/where": {
		"codec", "errorqueue", "github.com/expr-lang/expr", "github.com/expr-lang/expr/ast", "github.com/expr-lang/expr/file",
		"github.com/expr-lang/expr/vm",
	},

	"cmd/warren": {
		"codec", "codec/avrocodec", "connection", "errorqueue", "errorqueue/where", "monitoring", "rabbittest", "topology",
		"topology/drift", "internal/management", "internal/refusal",
		amqp, "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term",
	},

	// Not part of the library.
	"bench/scale": {
		"bench/internal/page", "bench/internal/sample", "connection", "consumer", "monitoring", "publisher", "retry", "topology", amqp,
	},
	"bench": {
		"bench/internal/page", "bench/internal/sample", "connection", "consumer", "monitoring", "monitoring/prommonitor", "publisher",
		"retry", "topology", amqp, "github.com/prometheus/client_golang/prometheus",
	},
	"bench/internal/page":                  {},
	"bench/internal/sample":                {},
	"internal/management":                  {},
	"internal/rabbitmq":                    {amqp},
	"internal/netproxy":                    {},
	"internal/faults":                      {}, // its tests know all of it
	"internal/brokers":                     {"rabbittest", "internal/rabbitmq", amqp},
	"rabbittest/conformance":               {}, // tests alone
	"internal/rabbitmq/with":               {"internal/rabbitmq"},
	"internal/rabbitmq/tests-that-need-it": {}, // tests alone
	"examples/quickstart":                  {"connection", "consumer", "publisher", "rabbittest", "retry", "monitoring", "topology"},
	"examples/billing": {
		"codec/avrocodec", "connection", "consumer", "monitoring", "monitoring/sentrymonitor", "monitoring/statsdmonitor",
		"publisher", "rabbittest", "retry", "warrenfx",
		"go.uber.org/fx", "go.uber.org/fx/fxevent", "github.com/DataDog/datadog-go/v5/statsd", "github.com/getsentry/sentry-go",
	},
	"examples/conversations": {"connection", "consumer", "publisher", "rabbittest", "retry", "monitoring", "topology"},
	"internal/registrytest":  {},
}

// listed is what go list tells of one package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Standard,Imports,Deps"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestEveryPackageKnowsOnlyWhomItMay(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %q is not in the table of arrows: say in DESIGN.md whom it may know, then here", name)
			continue
		}
		for _, path := range p.Imports {
			if isStandard(path) {
				continue
			}
			short := strings.TrimPrefix(path, module+"/")
			if !slices.Contains(allowed, short) {
				t.Errorf("package %q imports %q, which it may not", name, short)
			}
		}
	}
}

func TestTheCoreLinksTheClientLibraryAndNothingElse(t *testing.T) {
	for _, p := range list(t, "./connection", "./consumer", "./publisher", "./retry", "./codec", "./monitoring", "./topology", "./errorqueue") {
		for _, path := range p.Deps {
			if isStandard(path) || strings.HasPrefix(path, module+"/") || strings.HasPrefix(path, "vendor/") || path == amqp {
				continue
			}
			t.Errorf("%s links %s", p.ImportPath, path)
		}
	}
}

func TestTheCoreLinksNoTestSupport(t *testing.T) {
	for _, p := range list(t, "./connection", "./consumer", "./publisher", "./errorqueue") {
		if i := slices.IndexFunc(p.Deps, func(path string) bool {
			return path == "testing" || strings.HasPrefix(path, module+"/internal/rabbitmq")
		}); i >= 0 {
			t.Errorf("%s links %s", p.ImportPath, p.Deps[i])
		}
	}
}
