package otelmonitor

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/semconv/v1.37.0/messagingconv"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
)

// All that depends on the version of the semantic conventions is in this file.

const (
	scope     = "github.com/warren-mq/warren/monitoring/otelmonitor"
	schemaURL = semconv.SchemaURL
)

// Names of our own.
const (
	queueKey      = attribute.Key("warren.queue")
	endingKey     = attribute.Key("warren.ending")
	failureKey    = attribute.Key("warren.failure")
	reasonKey     = attribute.Key("warren.reason")
	refusedKey    = attribute.Key("warren.refused")
	exchangeKey   = attribute.Key("warren.exchange")
	resultKey     = attribute.Key("warren.result")
	connectionKey = attribute.Key("warren.connection")
	actionKey     = attribute.Key("warren.action")
	monitorKey    = attribute.Key("warren.monitor")
	attemptKey    = attribute.Key("warren.attempt")
	waitKey       = attribute.Key("warren.wait")
	queueWaitKey  = attribute.Key("warren.queue_wait")
	toKey         = attribute.Key("warren.to")
)

const (
	sendName    = "send"
	processName = "process"
)

// destination is what the conventions for RabbitMQ make of a route: "exchange:key:queue" without what is empty or the
// same. https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq
func destination(exchange, key, queue string) string {
	var parts []string
	for _, p := range []string{exchange, key, queue} {
		if p != "" && (len(parts) == 0 || parts[len(parts)-1] != p) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return gauges.Exchange("")
	}
	return strings.Join(parts, ":")
}

// text is an attribute whose value comes from elsewhere. It must be UTF-8, or an exporter drops all that it sends along.
func text(key attribute.Key, value string) attribute.KeyValue { return key.String(gauges.Label(value)) }

// spanTarget is the part of a span's name that says where to: there are few of them, which cannot be said of routing
// keys of other exchanges than the default one.
func spanTarget(exchange, key string) string {
	switch {
	case exchange != "":
		return gauges.Label(exchange)
	case strings.HasPrefix(key, "amq.gen-"), strings.HasPrefix(key, "amq.rabbitmq.reply-to"):
		return "(temporary)" // named by the broker, and each of them once
	default:
		return gauges.Label(destination("", key, ""))
	}
}

// spanAttributes are what samplers may look at, so a span begins with them.
func spanAttributes(op *monitoring.Operation) []attribute.KeyValue {
	kind, name := semconv.MessagingOperationTypeSend, sendName
	if op.Kind == monitoring.Process {
		kind, name = semconv.MessagingOperationTypeProcess, processName
	}
	list := []attribute.KeyValue{
		semconv.MessagingSystemRabbitMQ, kind, semconv.MessagingOperationName(name),
		text(semconv.MessagingDestinationNameKey, destination(op.Exchange, op.Key, op.Queue)),
		semconv.MessagingMessageBodySize(op.BodySize),
	}
	if op.Key != "" {
		list = append(list, text(semconv.MessagingRabbitMQDestinationRoutingKeyKey, op.Key))
	}
	if op.MessageID != "" {
		list = append(list, text(semconv.MessagingMessageIDKey, op.MessageID))
	}
	if op.Kind == monitoring.Process {
		list = append(list, text(queueKey, op.Queue), attemptKey.Int(op.Attempt))
	}
	return list
}

// conventional are the instruments that the conventions ask for.
type conventional struct {
	process  messagingconv.ProcessDuration
	client   messagingconv.ClientOperationDuration
	sent     messagingconv.ClientSentMessages
	consumed messagingconv.ClientConsumedMessages
}

// conventionalBounds are the buckets, in seconds, that the conventions ask for.
var conventionalBounds = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

func newConventional(m metric.Meter) (c conventional, err error) {
	bounds := metric.WithExplicitBucketBoundaries(conventionalBounds...)
	if c.process, err = messagingconv.NewProcessDuration(m, bounds); err != nil {
		return c, err
	}
	if c.client, err = messagingconv.NewClientOperationDuration(m, bounds); err != nil {
		return c, err
	}
	if c.sent, err = messagingconv.NewClientSentMessages(m); err != nil {
		return c, err
	}
	c.consumed, err = messagingconv.NewClientConsumedMessages(m)
	return c, err
}

// measured are the attributes of a conventional metric. errorType is empty if nothing failed.
func measured(destination, errorType string) []attribute.KeyValue {
	list := []attribute.KeyValue{text(semconv.MessagingDestinationNameKey, destination)}
	if errorType != "" {
		list = append(list, semconv.ErrorTypeKey.String(errorType))
	}
	return list
}
