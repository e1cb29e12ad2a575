package consumer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// Config holds what may be left out. Its zero value works: 4 workers, a minute
// for each message, and three retries a minute apart.
type Config struct {
	// Bindings binds the main queue to exchanges. With none, messages are
	// published to the queue by its name. Only with DeclareAll.
	Bindings []Binding

	// Classic declares classic queues instead of quorum queues. Their retry
	// queues lose confirmed messages when the broker is killed while it puts
	// them back (up to a quarter of what was waiting, measured), and messages
	// that kill their process are not recognised. Queues of the other type are
	// not replaced: the broker refuses.
	Classic bool

	// Codec decodes bodies without a content type, of type
	// application/octet-stream, or of one that Codecs does not have. Nil means
	// codec.Raw if T is []byte, and codec.JSON otherwise.
	Codec codec.Codec

	// Codecs are further codecs, each for its content type.
	Codecs []codec.Codec

	// ConsumerTimeout is how long the broker lets a message be unacknowledged.
	// 0 means RabbitMQ's 30 minutes. Set it if the broker's is set otherwise: a
	// consumer that could exceed it is refused by New. Five minutes less are
	// used, or a sixth if that is less.
	ConsumerTimeout time.Duration

	// Declare says what to do about queues that may be missing.
	Declare Declare

	// Drain is how long running handlers have, when the consumer stops, until
	// their contexts end; three more seconds later Run returns. 0 means 25 s,
	// which is inside of Kubernetes' 30.
	Drain time.Duration

	// Grace is how long a handler may go on after its time is up before it is
	// taken for stuck. 0 means 10 s.
	Grace time.Duration

	// Immediate is how often a Retry of the first attempt runs again at once,
	// in the process, before the first wait. The runs share one Timeout and
	// one attempt number. 0 means none.
	Immediate int

	// Kicks are the names that Kicks lets its users change. All consumers of the
	// queue must have the same. The zero value is Kicks' own names. Only with
	// Waiting: Kicks.
	//
	// Which exchange the main queue is bound to, and by which keys, is said by
	// Bindings; with none, it is Kicks' own: sneakers, a direct exchange, by the
	// queue's name.
	Kicks topology.KicksNames

	// KicksUnbound leaves the main queue unbound, where Bindings is empty: as
	// Kicks does with bind: false, or an empty exchange.
	KicksUnbound bool

	// MaxAge bounds deferrals, from the first one. 0 means 24 h.
	MaxAge time.Duration

	// MaxBody bounds a compressed body's size when decompressed, in bytes. 0
	// means codec.DefaultLimit. Other bodies are bounded by the broker.
	MaxBody int

	// MaxStuck is how many handlers may be stuck at a time. Each is replaced by
	// another worker; at the bound the consumer takes no messages. 0 means as
	// many as Workers.
	MaxStuck int

	// Monitor is told what happens. Nil means that of the connection.
	Monitor monitoring.Monitor

	// Prefetch is how many messages are taken from the broker ahead of the
	// workers, those in work included. For a moment after the number changes,
	// and once when a subscription begins, it can be exceeded. 0 means two for each worker, fewer if
	// they could not be handled within ConsumerTimeout.
	Prefetch int

	// Retry says how often, and after which waits, a message is tried again.
	// The zero value is retry.Fixed(3, time.Minute).
	Retry retry.Policy

	// Silence is for how long a consumer that has nothing in work takes it that
	// nothing is there when its queue sends nothing. Then it asks the queue, about
	// that often while nothing comes, with a passive declaration on a channel of
	// its own. If three answers in a row are none of a queue that serves it, or do
	// not come within 10 s, the consumer is not ready, because of [ErrSilent], and
	// subscribes anew, on an AMQP connection of its own. An answer that tells nothing, as the one that the
	// user may not ask, changes nothing.
	//
	// 0 means a minute, and a negative value never to ask; less than a second is
	// refused. Nobody asks on a connection without heartbeats either, such as one
	// to the URL of a rabbittest.
	Silence time.Duration

	// Timeout is how long a handler has. 0 means 60 s.
	Timeout time.Duration

	// Waiting is the way in which messages wait between attempts. The zero value
	// is Tiers, which every RabbitMQ from 3.10 on can do. See docs/waiting.md.
	Waiting Waiting

	// Workers is how many handlers run at once. 0 means 4.
	Workers int
}

// Declare says what a consumer does about its queues when it connects.
type Declare int

const (
	// DeclareAll declares the main, retry and error queues, and the bindings.
	DeclareAll Declare = iota
	// DeclareOwn declares the retry and error queues. The main queue belongs
	// to someone else and must exist; it may be of any type. With Kicks it must
	// dead-letter as theirs do, or messages that are retried would be deleted:
	// it is refused if the broker tells that it does not.
	DeclareOwn
	// DeclareCheck declares nothing, and checks that the queues exist. It
	// cannot tell whether they have the right arguments, but for what DeclareOwn
	// says of Kicks. If handlers say
	// RetryAfter or Defer, those of Plan().Rungs must exist, too: they are
	// not checked, since most consumers do not need them.
	DeclareCheck
	// DeclareNone does nothing. What is missing shows when it is needed.
	DeclareNone
)

// String returns "all", "own", "check" or "none".
func (d Declare) String() string {
	switch d {
	case DeclareAll:
		return "all"
	case DeclareOwn:
		return "own"
	case DeclareCheck:
		return "check"
	case DeclareNone:
		return "none"
	default:
		return fmt.Sprintf("Declare(%d)", int(d))
	}
}

// Binding binds the main queue to an exchange.
type Binding struct {
	// Exchange is the exchange's name.
	Exchange string
	// Keys are the binding keys. None means one binding with an empty key,
	// which is what a fanout or headers exchange needs.
	Keys []string
	// Kind, if set, is the exchange's type, such as "topic": it is declared,
	// too. Otherwise the exchange must exist.
	Kind string
	// Transient makes an exchange that is declared not survive a restart of the
	// broker.
	Transient bool
	// Args are the arguments of each binding; a headers exchange needs some.
	Args map[string]any
}

const (
	defaultTimeout         = time.Minute
	defaultWorkers         = 4
	defaultDrain           = 25 * time.Second
	defaultGrace           = 10 * time.Second
	defaultMaxAge          = 24 * time.Hour
	defaultConsumerTimeout = 30 * time.Minute

	// drainGrace is what handlers have to return after ErrDraining.
	drainGrace = 3 * time.Second

	// maxCrashes is how many failed deliveries of one message are believed to
	// be accidents. It is well below topology.CrashLimit, at which the broker
	// moves the message itself, without saying why.
	maxCrashes = 10
	// suspectAt is from how many failed deliveries a message runs alone.
	suspectAt = 2
)

// checked returns cfg with its defaults, or an error that names the field.
func (cfg Config) checked() (Config, error) {
	for _, d := range []struct {
		name  string
		value *time.Duration
		unset time.Duration
	}{
		{"ConsumerTimeout", &cfg.ConsumerTimeout, defaultConsumerTimeout},
		{"Drain", &cfg.Drain, defaultDrain},
		{"Grace", &cfg.Grace, defaultGrace},
		{"MaxAge", &cfg.MaxAge, defaultMaxAge},
		{"Timeout", &cfg.Timeout, defaultTimeout},
	} {
		if *d.value < 0 {
			return cfg, fmt.Errorf("Config.%s is negative: %v", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.unset
		}
	}
	for _, n := range []struct {
		name  string
		value int
		most  int
	}{
		{"Immediate", cfg.Immediate, 1000},
		{"MaxBody", cfg.MaxBody, math.MaxInt},
		{"MaxStuck", cfg.MaxStuck, 1 << 16},
		{"Prefetch", cfg.Prefetch, math.MaxUint16}, // AMQP counts it in 16 bits
		{"Workers", cfg.Workers, 1 << 16},
	} {
		if n.value < 0 || n.value > n.most {
			return cfg, fmt.Errorf("Config.%s is %d, not between 0 and %d", n.name, n.value, n.most)
		}
	}
	switch {
	case cfg.Silence == 0:
		cfg.Silence = defaultSilence
	case cfg.Silence > 0 && cfg.Silence < time.Second:
		return cfg, fmt.Errorf("Config.Silence is %v, less than a second", cfg.Silence)
	}
	if cfg.Workers == 0 {
		cfg.Workers = defaultWorkers
	}
	if cfg.Declare < DeclareAll || cfg.Declare > DeclareNone {
		return cfg, fmt.Errorf("Config.Declare is unknown: %v", cfg.Declare)
	}
	if err := cfg.Retry.Validate(); err != nil {
		return cfg, fmt.Errorf("Config.Retry: %w", err)
	}
	if err := cfg.checkBindings(); err != nil {
		return cfg, err
	}
	if _, err := cfg.prefetch(cfg.Workers); err != nil {
		return cfg, err
	}
	if cfg.Waiting != Kicks && (cfg.Kicks != topology.KicksNames{} || cfg.KicksUnbound) {
		return cfg, fmt.Errorf("Config.Kicks is set, but Config.Waiting is %v", cfg.Waiting)
	}
	return cfg, nil
}

// checkBindings checks the bindings, and copies them: what is declared must not
// change later.
func (cfg *Config) checkBindings() error {
	if len(cfg.Bindings) > 0 && cfg.Declare != DeclareAll {
		return fmt.Errorf("Config.Bindings needs DeclareAll, not %v: only who declares the main queue binds it", cfg.Declare)
	}
	cfg.Bindings = slices.Clone(cfg.Bindings)
	for i := range cfg.Bindings {
		if err := cfg.Bindings[i].check(fmt.Sprintf("Config.Bindings[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

// check is about the binding of that name.
func (b *Binding) check(name string) error {
	switch {
	case b.Exchange == "":
		return fmt.Errorf("%s.Exchange is empty: every queue is bound to that by its name", name)
	case len(b.Exchange) > math.MaxUint8:
		return fmt.Errorf("%s.Exchange has %d bytes, at most 255 are possible", name, len(b.Exchange))
	case b.Transient && b.Kind == "":
		return fmt.Errorf("%s.Transient is about an exchange to declare, but Kind is empty", name)
	}
	b.Keys = slices.Clone(b.Keys)
	for i, k := range b.Keys {
		if len(k) > math.MaxUint8 {
			return fmt.Errorf("%s.Keys[%d] has %d bytes, at most 255 are possible", name, i, len(k))
		}
	}
	args, err := confirm.Table(b.Args)
	if err != nil {
		return fmt.Errorf("%s.Args: %w", name, err)
	}
	b.Args = args
	return nil
}

// patience is how long a message may be held unacknowledged, at most.
func (cfg *Config) patience() time.Duration {
	return cfg.ConsumerTimeout - min(5*time.Minute, cfg.ConsumerTimeout/6)
}

// prefetch returns how many messages to take ahead with so many workers. The
// last of them waits for those before it, each for Timeout at worst, and must
// still be settled before the broker loses its patience.
func (cfg *Config) prefetch(workers int) (int, error) {
	rounds := int64(cfg.patience() / (cfg.Timeout + cfg.Grace))
	fits := func(prefetch int) bool { return int64((prefetch+workers-1)/workers) <= rounds }
	if cfg.Prefetch > 0 {
		if !fits(cfg.Prefetch) {
			return 0, fmt.Errorf("Config.Prefetch %d with %d workers and a Timeout of %v could hold a message for longer than %v, "+
				"and the broker would take it back; see ConsumerTimeout", cfg.Prefetch, workers, cfg.Timeout, cfg.patience())
		}
		return cfg.Prefetch, nil
	}
	if !fits(workers) {
		return 0, fmt.Errorf("Config.Timeout %v could hold a message for longer than %v, "+
			"and the broker would take it back; see ConsumerTimeout", cfg.Timeout, cfg.patience())
	}
	n := min(2*workers, math.MaxUint16)
	for !fits(n) {
		n--
	}
	return n, nil
}

// queueType is the type of the queues that are Warren's own.
func (cfg *Config) queueType() topology.Type {
	if cfg.Classic {
		return topology.Classic
	}
	return topology.Quorum
}

// means returns how a consumer lets messages wait in a way, and what it needs for
// that.
func (cfg *Config) means(queue string, waiting Waiting) (*means, error) {
	w := waiting.way(cfg)
	if w == nil {
		return nil, fmt.Errorf("Config.Waiting is unknown: %v", waiting)
	}
	if err := topology.CheckName(queue, cfg.Retry.Waits()); err != nil {
		return nil, err
	}
	p, err := w.plan(queue, cfg)
	if err != nil {
		return nil, err
	}
	for _, b := range cfg.Bindings {
		if b.Kind != "" {
			p.Exchanges = append(p.Exchanges, topology.Exchange{Name: b.Exchange, Kind: b.Kind, Durable: !b.Transient})
		}
		keys := b.Keys
		if len(keys) == 0 {
			keys = []string{""}
		}
		for _, k := range keys {
			p.Bindings = append(p.Bindings, topology.Binding{Exchange: b.Exchange, Queue: queue, Key: k, Args: maps.Clone(b.Args)})
		}
	}
	return &means{way: w, plan: p}, nil
}
