package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"

	"github.com/warren-mq/warren/monitoring"
)

// auditVariable names the file of the audit trail, for all commands of a machine.
const auditVariable = "WARREN_AUDIT_LOG"

// audit is the trail of what was done with error queues: a line of JSON for each act.
type audit struct {
	file *os.File // nil if nobody wants it
	err  error    // the first of writing
}

// openAudit opens the file, or that of the environment. Who wants a trail does not want to act without it.
func openAudit(name string) (*audit, error) {
	name = cmp.Or(name, os.Getenv(auditVariable))
	if name == "" {
		return &audit{}, nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &audit{file: file}, nil
}

func (a *audit) monitor() monitoring.Monitor {
	if a.file == nil {
		return monitoring.Discard{}
	}
	return monitoring.Log(slog.New(slog.NewJSONHandler(a, nil)))
}

// Write is for the log, which would keep an error to itself.
func (a *audit) Write(line []byte) (int, error) {
	n, err := a.file.Write(line)
	if a.err == nil {
		a.err = err
	}
	return n, err
}

// close closes the file, and says if something is not in it.
func (a *audit) close() error {
	if a.file == nil {
		return nil
	}
	if err := cmp.Or(a.err, a.file.Close()); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}
