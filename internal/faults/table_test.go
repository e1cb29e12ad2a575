package faults_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/faults"
)

func TestTheTableKeepsWhatOtherRunsHaveShown(t *testing.T) {
	folder := t.TempDir()
	column := func(version string, rows ...string) faults.Column {
		c := faults.Column{Version: version, Date: "2026-11-22", Machine: "a laptop", Build: "commit 1ab"}
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
		{Version: "4.0.5", Date: "2026-11-23", Machine: "a server", Build: "commit 77f", Rows: []faults.Row{{Fault: "kill", Runs: 1, Published: 9, Wrong: "1 left in queues"}}},
		{Version: "3.9.1"},
	} {
		if err := faults.Update(folder, c, []string{"freeze", "kill"}); err != nil {
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
		"- RabbitMQ 3.9.1: , ; nothing yet\n- RabbitMQ 3.10.8: 2026-11-22, a laptop; commit 1ab\n",
		"- RabbitMQ 4.0.5: 2026-11-23, a server; commit 1ab, but for \"kill\", of commit 77f\n",
		"without the controls: 409 published and confirmed, 2 lost",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page[strings.Index(string(page), "| fault"):])
		}
	}
	if strings.Index(string(page), "| freeze |") > strings.Index(string(page), "| kill |") {
		t.Error("the rows are not in order")
	}
	if strings.Contains(string(page), "Does it grow?") {
		t.Error("it tells of a soak that was not")
	}
	if err := os.WriteFile(filepath.Join(folder, "faults.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := faults.Update(folder, faults.Column{}, nil); err == nil {
		t.Error("a broken table is overwritten")
	}
}

func TestThePageTellsOfSoaks(t *testing.T) {
	folder := t.TempDir()
	soak := &faults.Soak{
		Length: time.Hour, Seed: 7, Faults: 180,
		First: faults.Weight{Heap: 3 << 20, Resident: 40 << 20, Goroutines: 61}, Last: faults.Weight{Heap: 3.5 * (1 << 20), Resident: 41 << 20, Goroutines: 60},
	}
	for _, c := range []faults.Column{{Version: "4.0.5", Soak: soak}, {Version: "4.0.5"}} {
		if err := faults.Update(folder, c, nil); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "| 4.0.5 | 1h0m0s | 180 | 7 | 3.0 → 3.5 MiB | 40.0 → 41.0 MiB | 61 → 60 |\n"; !strings.Contains(string(page), want) {
		t.Errorf("the page lacks %q:\n%s", want, page)
	}
}

// A run for each version side by side is what `make faults` is good for: none may undo what another has shown.
func TestProcessesUpdateTheSameTable(t *testing.T) {
	folder := t.TempDir()
	var writers sync.WaitGroup
	for _, version := range []string{"3.10.8", "4.0.5", "4.3.6"} {
		writers.Go(func() {
			c := faults.Column{Version: version}
			for i := range 20 {
				c.Add(strconv.Itoa(i), false, faults.Verdict{Confirmed: 1})
				if err := faults.Update(folder, c, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	page, err := os.ReadFile(filepath.Join(folder, "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), ": 60 published") {
		t.Errorf("something is not there:\n%s", page)
	}
	if files, _ := os.ReadDir(folder); len(files) != 2 {
		t.Errorf("it leaves %v", files)
	}
}
