// Package faults is a test bench: it kills everything around the library while messages flow, and counts what became
// of each of them.
//
// It is test support, and has no users but its own tests. A run has a [Ledger], in which publishers and handlers note
// what they know; its [Verdict] says what was lost. The tests add the rest: a workload that publishes and consumes, in
// this process and in others; the faults, each a value with a way to inject and to undo it; and, as a control, a plain
// consumer written by hand, which has to lose messages, or the checker would prove nothing.
//
//	make faults                              every fault, the control and a soak; writes docs/faults.md
//	go test ./internal/faults                a short form, which is what CI runs
//	go test ./internal/faults -run Soak -faults.for=1h -faults.every=20s -timeout=2h
//
// WARREN_RABBITMQ names another RabbitMQ to run on, as package internal/rabbitmq tells. Runs on several versions can go on
// side by side, in a process each, and write into the same table with -faults.report.
package faults
