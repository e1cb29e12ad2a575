package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// blocks finds the shell commands of a page, and what the page expects of each block.
var blocks = regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:<!-- expect: (.*?) -->)?")

// TestTheRunbook runs every command of docs/error-queues.md, in their order, as a person does who says yes to all questions.
func TestTheRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/error-queues.md")
	must(t, err)
	eachBroker(t, func(t *testing.T, url string) {
		queue := rabbitmq.Name(t, "runbook")
		named := func(text string) string { return regexp.MustCompile(`\borders\b`).ReplaceAllString(text, queue) }
		var script, files strings.Builder
		fmt.Fprintf(&script, "[!unix] skip 'there is no terminal for the test'\nseed %s\nqueues %[1]s.parked\n", queue)
		found := blocks.FindAllStringSubmatch(string(page), -1)
		if len(found) < 9 {
			t.Fatalf("the page has only %d blocks", len(found))
		}
		for i, block := range found {
			fmt.Fprintf(&script, "\nttyin -stdin yes\nexec sh -ec '. ./block%d'\n%s\n", i, named(block[2]))
			fmt.Fprintf(&files, "-- block%d --\n%s", i, named(block[1]))
		}
		files.WriteString("-- yes --\nyes\nyes\nyes\n")
		name := filepath.Join(t.TempDir(), "runbook.txt")
		must(t, os.WriteFile(name, []byte(script.String()+"\n"+files.String()), 0o600))
		p := scripts(t, url, "")
		p.Files = []string{name}
		testscript.Run(t, p)
	})
}
