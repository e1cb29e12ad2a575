package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Profile says in what the versions of RabbitMQ differ. Facts were observed on Debian's 3.10.8, 4.0.5 and 4.3.6.
type Profile struct {
	// Version is what the server says of itself in connection.start.
	Version string

	// TrustsDeaths: an x-death header that a client sends is counted on (until 4.0).
	TrustsDeaths bool
	// LastDeath: x-last-death-… headers are set beside x-first-death-….
	LastDeath bool
	// DropsCC: a dead letter that gets another routing key loses its CC header.
	DropsCC bool
	// ReversesDeaths: each death turns x-death round before it is counted, if it has two entries or more (3.10). So in
	// a cycle of three queues a message looks as if it had gone round without a rejection, and is dropped.
	ReversesDeaths bool

	// DeliveryLimit is what a quorum queue has without x-delivery-limit; negative for none.
	DeliveryLimit int64
	// ZeroDeliveryCount: what basic.get takes from a quorum queue has x-delivery-count the first time, too.
	ZeroDeliveryCount bool
	// KeepsFailures: how often a message failed in a quorum queue goes along when it is dead-lettered, and the next
	// quorum queue counts on (4.0).
	KeepsFailures bool
	// AcquiredCount: quorum queues show every return in x-acquired-count, and only failures in x-delivery-count, which
	// alone count for the limit (4.3).
	AcquiredCount bool
	// ClassicFailures: classic queues count failures, too, and a message that failed before it was dead-lettered is
	// marked as redelivered (4.3).
	ClassicFailures bool
	// RejectIsFailure: basic.reject is a failure, and basic.nack is not (4.3). Before, they are the same, and a failure
	// without requeue alone.
	RejectIsFailure bool
	// PriorityTakesOver: the single active consumer of a quorum queue gives way to one of a higher priority (4.0).
	PriorityTakesOver bool
	// SleepyActivation: when the single active consumer of a classic queue is cancelled, the next one gets nothing
	// before something else happens to the queue (3.10).
	SleepyActivation bool
	// SleepyHandover: a single active consumer of a quorum queue that makes way for a higher priority, and gives back by
	// requeue what it has, leaves the queue without an active one (4.0).
	SleepyHandover bool
	// LimitLeavesRoom: for each message that dies by the delivery limit its consumer may hold one more than its
	// prefetch, for good (3.10).
	LimitLeavesRoom bool
	// DropsBackwards: of several messages that a quorum queue drops at once, the last is dead-lettered first (until
	// 4.0).
	DropsBackwards bool
	// NoUnlimited: a delivery limit of -1 is no absence of one, but less than 0 (3.10).
	NoUnlimited bool
	// PurgesDeadLetters: a purge takes the dead letters along that wait for their target (4.3).
	PurgesDeadLetters bool
	// ChecksDeliveryMode: a delivery mode must be 1 or 2 (3.10).
	ChecksDeliveryMode bool
	// RewritesExpiration: an expiration is passed on as a number, without a plus or leading zeros (4.0).
	RewritesExpiration bool
	// UserFirst: the user id is looked at before the rest of a message (3.10), and else after it.
	UserFirst bool
	// QuorumLevels is how many priorities a quorum queue tells apart: 1, 2 (above 4 or not) or 32.
	QuorumLevels int

	// RefusesGlobalQos: consuming from a quorum queue on a channel with a global limit is refused; later the limit is
	// ignored.
	RefusesGlobalQos bool
	// IgnoresGlobalQos: basic.qos with global set is the same as without.
	IgnoresGlobalQos bool
	// UnknownTypeCloses: an unknown exchange type ends the connection, and not only the channel.
	UnknownTypeCloses bool
	// DefaultsToClassic: a queue declared without x-queue-type is remembered as having said classic.
	DefaultsToClassic bool
	// TimeoutCancels: a quorum queue's consumer that keeps a delivery for too long is cancelled (if the client has done so
	// already, the channel is closed), and a classic one's is left alone; before, the channel was closed in all cases.
	TimeoutCancels bool
	// NamesAccess: a refusal says which kind of access was wanted.
	NamesAccess bool
	// GuardsPassive: a passive declare needs a permission, whichever.
	GuardsPassive bool
	// ClassicArguments and QuorumArguments are the arguments of queue.declare that each type knows, in the order in
	// which they are compared (capabilities() of rabbit_classic_queue.erl and rabbit_quorum_queue.erl).
	ClassicArguments, QuorumArguments []string
	// ClassicConsumer, QuorumConsumer and StreamConsumer are the same of basic.consume.
	ClassicConsumer, QuorumConsumer, StreamConsumer []string
	// DeadToConsumers is what one is told who subscribes to a quorum queue without a process, with the queue in it.
	DeadToConsumers string
	// QuorumInGet is how a refusal of basic.get calls the type.
	QuorumInGet string
	// EmptyTypeIsDefault: an empty x-queue-type is none.
	EmptyTypeIsDefault bool
	// IgnoresQueueMode: x-queue-mode may have any value.
	IgnoresQueueMode bool
	// QueueVersion1: x-queue-version may be 1.
	QueueVersion1 bool
	// RefusesMasterLocator: x-queue-master-locator ends the connection.
	RefusesMasterLocator bool
	// MostHashes is how many # a topic may be bound with; 0 for any number.
	MostHashes int
	// LogExchange: amq.rabbitmq.log is there, though nothing is published to it by default.
	LogExchange bool
	// FirstHeader: of two headers of one name, the first is kept, and headers are sorted from the first (4.0). Before,
	// the broker sorts them when it adds one.
	FirstHeader bool
	// StrictNumbers: in a headers exchange, a float is no integer.
	StrictNumbers bool
	// RepliesAreNoQueue: a direct reply that is mandatory is returned as well as delivered, its delivery tag is used
	// again, it does not wait for tx.commit, and an address that was never given is the broker's own fault (before 4.3).
	RepliesAreNoQueue bool
	// LargestMessage is what the limit of a body can be set to, in bytes. A refusal says if it was set to less.
	LargestMessage int
	// MaxMessageSize is the default limit of a body, in bytes.
	MaxMessageSize int

	// Mechanisms are the ways to log in, as the server names them.
	Mechanisms string
	// ProtocolHeader is the answer to a client that begins with another one.
	ProtocolHeader string
	// FrameMin is the least frame_max, and what a frame may have before one is agreed upon.
	FrameMin uint32
	// BoundsContent: a body that is longer than its header says, or is said to be longer than ContentMax, ends the
	// connection. Before, one that was too long never ended.
	BoundsContent bool
}

// ContentMax is what a header may say at most of the size of its body, where that is bounded.
const ContentMax = 512 << 20

var (
	classicArguments = []string{
		"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
		"x-max-length-bytes", "x-max-priority", "x-overflow", "x-queue-mode", "x-queue-version",
		"x-single-active-consumer", "x-queue-type", "x-queue-master-locator",
	}
	quorumArguments = []string{
		"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-expires", "x-max-length",
		"x-max-length-bytes", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-overflow",
		"x-single-active-consumer", "x-queue-type", "x-quorum-initial-group-size", "x-delivery-limit", "x-message-ttl",
		"x-queue-leader-locator",
	}
	// streamArguments are refused by both.
	streamArguments = []string{"x-initial-cluster-size", "x-max-age", "x-stream-max-segment-size-bytes"}
)

func (p *Profile) argumentsOf(quorum bool) []string {
	if quorum {
		return p.QuorumArguments
	}
	return p.ClassicArguments
}

var profiles = []Profile{
	{
		Version:            "3.10.8",
		QuorumInGet:        "quorum",
		TrustsDeaths:       true,
		RepliesAreNoQueue:  true,
		UserFirst:          true,
		ReversesDeaths:     true,
		SleepyActivation:   true,
		LimitLeavesRoom:    true,
		DropsBackwards:     true,
		NoUnlimited:        true,
		ClassicArguments:   classicArguments,
		QuorumArguments:    quorumArguments,
		QueueVersion1:      true,
		ClassicConsumer:    []string{"x-cancel-on-ha-failover", "x-priority", "x-credit"},
		QuorumConsumer:     []string{"x-priority", "x-credit"},
		StreamConsumer:     []string{"x-stream-offset", "x-credit"},
		ChecksDeliveryMode: true,
		DropsCC:            true,
		DeliveryLimit:      -1,
		ZeroDeliveryCount:  true,
		QuorumLevels:       1,
		RefusesGlobalQos:   true,
		UnknownTypeCloses:  true,
		MaxMessageSize:     128 << 20,
		LargestMessage:     128 << 20,
		Mechanisms:         "AMQPLAIN PLAIN",
		ProtocolHeader:     "AMQP\x00\x00\x09\x01",
		FrameMin:           4096,
	},
	{
		Version:            "4.0.5",
		RepliesAreNoQueue:  true,
		QuorumInGet:        "quorum",
		LastDeath:          true,
		FirstHeader:        true,
		StrictNumbers:      true,
		ClassicArguments:   slices.Concat(classicArguments, []string{"x-queue-leader-locator"}),
		QuorumArguments:    quorumArguments,
		QueueVersion1:      true,
		ClassicConsumer:    []string{"x-priority"},
		QuorumConsumer:     []string{"x-priority"},
		StreamConsumer:     []string{"x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"},
		DeliveryLimit:      20,
		SleepyHandover:     true,
		DropsBackwards:     true,
		KeepsFailures:      true,
		PriorityTakesOver:  true,
		RewritesExpiration: true,
		QuorumLevels:       2,
		RefusesGlobalQos:   true,
		DefaultsToClassic:  true,
		NamesAccess:        true,
		MaxMessageSize:     16 << 20,
		LargestMessage:     ContentMax,
		Mechanisms:         "PLAIN AMQPLAIN ANONYMOUS",
		ProtocolHeader:     "AMQP\x03\x01\x00\x00", // it prefers AMQP 1.0
		FrameMin:           4096,
	},
	{
		Version:            "4.3.6",
		QuorumInGet:        `<<"quorum">>`,
		LastDeath:          true,
		MostHashes:         2,
		LogExchange:        true,
		FirstHeader:        true,
		StrictNumbers:      true,
		KeepsFailures:      true,
		ClassicFailures:    true,
		RejectIsFailure:    true,
		PriorityTakesOver:  true,
		PurgesDeadLetters:  true,
		RewritesExpiration: true,
		DeliveryLimit:      20,
		AcquiredCount:      true,
		ClassicArguments:   slices.Concat(classicArguments, []string{"x-queue-leader-locator"}),
		QuorumArguments: slices.Concat(quorumArguments, []string{
			"x-consumer-disconnected-timeout", "x-consumer-timeout",
			"x-delayed-retry-type", "x-delayed-retry-min", "x-delayed-retry-max",
		}),
		EmptyTypeIsDefault:   true,
		ClassicConsumer:      []string{"x-priority"},
		QuorumConsumer:       []string{"x-priority", "x-consumer-timeout"},
		StreamConsumer:       []string{"x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered"},
		IgnoresQueueMode:     true,
		RefusesMasterLocator: true,
		QuorumLevels:         32,
		IgnoresGlobalQos:     true,
		DefaultsToClassic:    true,
		TimeoutCancels:       true,
		NamesAccess:          true,
		GuardsPassive:        true,
		DeadToConsumers:      "failed consuming from quorum %s: noproc",
		MaxMessageSize:       16 << 20,
		Mechanisms:           "ANONYMOUS PLAIN AMQPLAIN",
		ProtocolHeader:       "AMQP\x03\x01\x00\x00",
		FrameMin:             8192,
		BoundsContent:        true,
	},
}

// ProfileOf returns how a version of RabbitMQ behaves. The version is given by its first two numbers, as "3.10", or in
// full; the versions that were observed are the ones that are known.
func ProfileOf(version string) (Profile, error) {
	for _, p := range profiles {
		if p.Version == version || strings.HasPrefix(p.Version, version+".") && strings.Contains(version, ".") {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("no RabbitMQ version %q is known here; there are %s", version, strings.Join(Versions(), ", "))
}

// Versions lists the versions that are known, oldest first, as "3.10".
func Versions() []string {
	var list []string
	for p := range slices.Values(profiles) {
		list = append(list, p.Version[:strings.LastIndexByte(p.Version, '.')])
	}
	return list
}
