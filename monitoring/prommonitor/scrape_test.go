package prommonitor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"github.com/warren-mq/warren/monitoring/prommonitor"
)

// text is what a registry serves.
func text(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	must(t, err)
	var b bytes.Buffer
	for _, f := range families {
		_, err := expfmt.MetricFamilyToText(&b, f)
		must(t, err)
	}
	return b.String()
}

// program finds a program that a test needs, or skips the test. With WARREN_REQUIRE_BROKER=1, as in CI, nothing is
// skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("WARREN_REQUIRE_BROKER") == "1" {
			t.Fatal(err)
		}
		t.Skipf("%v: apt-get install prometheus", err)
	}
	return path
}

func TestTheAlertsAreRules(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), program(t, "promtool"), "check", "rules", "../dashboards/warren-alerts.yml").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each alert tells what it is for, and only that.
func TestTheAlertsTellWhatTheyAreFor(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), program(t, "promtool"), "test", "rules", "testdata/alerts.yml").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A real Prometheus scrapes the monitor, and each query of the alerts and the dashboard is one that it can answer.
func TestARealPrometheusScrapesIt(t *testing.T) {
	server := program(t, "prometheus")
	r := prometheus.NewRegistry()
	m, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	everything(t.Context(), m)
	target := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	defer target.Close()

	dir := t.TempDir()
	rules, err := filepath.Abs("../dashboards/warren-alerts.yml")
	must(t, err)
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: shop, static_configs: [{targets: [%q]}]}]\n", rules, target.Listener.Addr())
	must(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600))
	address := freeAddress(t)
	cmd := exec.CommandContext(t.Context(), server, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=error")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus wrote:\n%s", log.Bytes())
		}
	}()

	waitFor(t, address, `warren_deliveries_total{ending="acked",queue="orders"}`, "2")
	waitFor(t, address, `round(10000 * histogram_quantile(0.5, warren_handling_seconds_bucket{ending="acked"}))`, "375")
	waitFor(t, address, `warren:busy{queue="orders"}`, "0.25")
	waitFor(t, address, `ALERTS{alertname="WarrenNotConsuming",alertstate="pending",queue="orders"} or vector(0)`, "0")
	waitFor(t, address, `ALERTS{alertname="WarrenHandlersStuck",alertstate="pending",queue="orders"}`, "1")
}

// waitFor asks Prometheus until the first value of the answer is the one that is wanted.
func waitFor(t *testing.T, address, query, want string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got = ask(t, address, query); got == want {
			return
		}
	}
	t.Errorf("%s is %q, want %q", query, got, want)
}

func ask(t *testing.T, address, query string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(query), nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "" // it is not up yet
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value []any } }
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return ""
	}
	must(t, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Status != "success" {
		t.Fatalf("%s: %s", query, answer.Error)
	}
	if len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close() //nolint:errcheck // only its address is wanted
	return l.Addr().String()
}
