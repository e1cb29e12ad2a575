package errorqueue

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
)

// Source says who put an entry into the error queue, as far as its headers
// tell.
type Source string

const (
	// SourceWarren is a consumer of this library.
	SourceWarren Source = "warren"
	// SourceBroker is RabbitMQ itself: the message's deliveries failed so often
	// that it reached the queue's delivery limit, or it was rejected, expired or
	// found no room.
	SourceBroker Source = "broker"
	// SourceKicks is Kicks, or Sneakers, with its Maxretry handler.
	SourceKicks Source = "kicks"
	// SourceBunnicula is Bunnicula.
	SourceBunnicula Source = "bunnicula"
	// SourceUnknown is anyone else.
	SourceUnknown Source = "unknown"
)

// Entry is one message in an error queue. It is plain data: tests write it as a
// literal. What its headers do not tell is zero. Its texts are valid UTF-8, and
// none is longer than 16 KiB, whatever the headers have; Message has those.
type Entry struct {
	// ID is the message's id, or # and 16 hexadecimal digits of the SHA-256 of
	// its body, if its publisher gave none.
	ID string
	// Position is where it was in the queue when it was read, from 1.
	Position int
	// Queue is the main queue in which it failed.
	Queue string
	// Source says who put it here.
	Source Source

	// Reason says why it was given up: the text of a monitoring.Reason, or of
	// the broker, "delivery_limit", "rejected", "expired" or "maxlen".
	Reason string
	// Error and ErrorType are the last error and its type. Stack is that of a
	// panic, or exception.
	Error, ErrorType, Stack string
	// Attempts is how many attempts were made.
	Attempts int
	// FirstFailure and LastFailure are when it failed.
	FirstFailure, LastFailure time.Time
	// Failures has a line for each of the last few failures, oldest first.
	Failures []string
	// Fingerprint is equal for failures that are probably the same. It is
	// computed where the headers have none.
	Fingerprint string
	// Host and Process are where the last attempt ran.
	Host, Process string
	// OriginExchange and OriginKey are what it was first published with.
	OriginExchange, OriginKey string

	// Replays is how often somebody has replayed it before.
	Replays int
	// Looks is how often somebody has taken it from this queue and given it
	// back. Classic queues do not count, and RabbitMQ 4.3 counts only what ended
	// with a lost connection, and nothing for what it has moved here by itself.
	Looks int
	// Cut names headers that were left out, since a message's headers have a
	// limit.
	Cut []string
	// Message is the message itself.
	Message Message
}

// newEntry reads an entry from a delivery. Headers are input from anyone.
func newEntry(d *amqp.Delivery, main, version string, position int) Entry {
	e := Entry{
		ID:       d.MessageId,
		Position: position,
		Source:   SourceUnknown,
		Looks:    looks(d, version),
		Message:  newMessage(d),
	}
	if e.ID == "" {
		sum := sha256.Sum256(d.Body)
		e.ID = "#" + hex.EncodeToString(sum[:8])
	}
	var told header.Told
	e.Source, told = source(e.Message.Headers, main)
	e.tell(told)
	return e
}

// source tells who put an entry here, and what they have told.
func source(headers map[string]any, main string) (Source, header.Told) {
	now := time.Now()
	ours, warren := header.ReadTold(headers)
	theirs, broker := header.ToldByBroker(headers, now)
	// Libraries drop the broker's headers when they move a message. If it tells
	// of the main queue it came last, and what else is there is of an earlier
	// round: somebody has put the message back by other means.
	if broker && (theirs.Queue == main || theirs.Queue == ours.Queue) {
		return SourceBroker, theirs
	}
	if warren {
		return SourceWarren, ours
	}
	if told, ok := header.ToldByKicks(headers); ok {
		return SourceKicks, told
	}
	if told, ok := header.ToldByBunnicula(headers); ok {
		return SourceBunnicula, told
	}
	if broker {
		return SourceBroker, theirs
	}
	return SourceUnknown, header.Told{}
}

// tell takes over what the headers tell.
func (e *Entry) tell(t header.Told) {
	e.Queue = t.Queue
	e.Reason = t.Reason
	e.Error, e.ErrorType, e.Stack = t.Error, t.ErrorType, t.Stack
	e.Attempts = t.Attempts
	e.FirstFailure, e.LastFailure = t.FirstFailure, t.LastFailure
	e.Failures = t.Failures
	e.Host, e.Process = t.Host, t.Process
	e.OriginExchange, e.OriginKey = t.OriginExchange, t.OriginKey
	e.Cut = t.Cut
	e.Replays = t.Replays
	e.Fingerprint = t.Fingerprint
	if e.Fingerprint == "" {
		f := header.Failure{Kind: t.Reason, Type: t.ErrorType, Text: t.Error, Frame: t.Frame}
		e.Fingerprint = f.Fingerprint()
	}
}
