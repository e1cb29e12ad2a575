package faults_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/faults"
)

func TestTheTableKeepsWhatOtherRunsHaveShown(t *testing.T) {
	folder := t.TempDir()
	column := func(version string, rows ...string) faults.Column {
		c := faults.Column{Version: version, Date: "2026-11-22", Machine: "a laptop"}
		for _, fault := range rows {
			c.Add(fault, false, faults.Verdict{Confirmed: 100, Duplicated: 3, Gap: 1500 * time.Millisecond})
			c.Add(fault, false, faults.Verdict{Confirmed: 100, Lost: []int{7}, Gap: time.Second, Back: 40 * time.Millisecond})
		}
		c.Add("control", true, faults.Verdict{Confirmed: 50, Lost: []int{1, 2}})
		return c
	}
	for _, c := range []faults.Column{
		column("4.0.5", "kill", "freeze"),
		column("3.10.8", "kill"),
		{Version: "4.0.5", Date: "2026-11-23", Machine: "a server", Rows: []faults.Row{{Fault: "kill", Runs: 1, Published: 9, Wrong: "1 left in queues"}}},
		{Version: "3.9.1"},
	} {
		if err := faults.Update(folder, c); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| kill | 3.10.8 | 2 | 200 | **1** | 3 | 1.5 s | 0.0 s |\n|  | 4.0.5 | 1 | 9 | 0 | 0 | – | – |\n",
		"| freeze | 4.0.5 | 2 | 200 | **1** |",
		"| *control* | 3.10.8 | 1 | 50 | **2** |",
		"- kill on 4.0.5: 1 left in queues\n",
		"- RabbitMQ 3.9.1: , \n- RabbitMQ 3.10.8: 2026-11-22, a laptop\n- RabbitMQ 4.0.5: 2026-11-23, a server\n",
		"without the controls: 409 published and confirmed, 2 lost",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page[strings.Index(string(page), "| fault"):])
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "faults.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := faults.Update(folder, faults.Column{}); err == nil {
		t.Error("a broken table is overwritten")
	}
}
