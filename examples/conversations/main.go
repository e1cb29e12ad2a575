// Conversations imports customers' conversations from an API that limits its callers: the kind of work that
// Warren is for. README.md says what it shows.
//
//	go run ./examples/conversations
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// settings are what can be chosen on the command line.
type settings struct {
	url           string // empty for a broker in this process
	queue         string
	conversations int
	rate          int
	workers       int
	timeout       time.Duration
	verbose       bool
}

func main() {
	var s settings
	s.url = os.Getenv("AMQP_URL")
	flag.StringVar(&s.queue, "queue", "conversations.import", "the main queue")
	flag.IntVar(&s.conversations, "n", 300, "how many conversations there are to import, a hundred have every kind of trouble")
	flag.IntVar(&s.rate, "rate", 60, "how many requests a second the provider allows")
	flag.IntVar(&s.workers, "workers", 8, "how many jobs are in work at once")
	flag.DurationVar(&s.timeout, "timeout", time.Second, "how long a job has before it is retried")
	flag.BoolVar(&s.verbose, "v", false, "log every event")
	flag.Parse()

	// On ctrl-c, or when Kubernetes says so, the jobs in work are finished and the others stay with the broker.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r, err := run(ctx, s, log.New(os.Stdout, "", 0))
	stop()
	if err == nil {
		err = r.check()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conversations:", err)
		os.Exit(1)
	}
}

// run imports all conversations, and reports.
func run(ctx context.Context, s settings, out *log.Logger) (r report, err error) {
	if s.conversations < 1 || s.rate < 1 {
		return r, errors.New("-n and -rate must be at least 1")
	}
	all := conversations(s.conversations)
	api, base, err := startProvider(all, s.rate)
	if err != nil {
		return r, err
	}
	defer api.close()

	books, monitor := watch(s.verbose)
	soon, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	cfg := connection.Config{Name: "conversations", Monitor: monitor}
	if s.url == "" {
		out.Print("AMQP_URL is not set: this runs on a test broker in the process, which ends with it")
		broker, err := rabbittest.Start(rabbittest.Options{})
		if err != nil {
			return r, err
		}
		defer broker.Close()
		s.url, cfg.Dial = broker.URL(), broker.Dial
	}
	conn, err := connection.Open(soon, s.url, cfg)
	if err != nil {
		return r, fmt.Errorf("%w\nIs RabbitMQ running there, and AMQP_URL right? Without AMQP_URL this program brings a broker along:\n\n"+
			"\tenv -u AMQP_URL go run ./examples/conversations", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.Background())) }()

	im := newImporter(base, s.workers)
	defer im.client.CloseIdleConnections()
	c, err := consumer.New(conn, s.queue, im.handle, consumer.Config{
		Workers: s.workers,
		Timeout: s.timeout,
		Retry:   retry.Exponential(3, 500*time.Millisecond, 2*time.Second), // 500 ms, 1 s, 2 s; real ones wait longer
	})
	if err != nil {
		return r, err
	}

	if err := c.Declare(soon); err != nil { // so that there are queues to publish to
		return r, err
	}
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- c.Run(consuming) }()

	began := time.Now()
	list := jobs(all)
	if err := publish(ctx, conn, s.queue, list, books); err != nil {
		stop()
		return r, errors.Join(err, <-ran)
	}
	out.Printf("published %d jobs for %d conversations to %s in %.2f s",
		len(list), len(all), s.queue, time.Since(began).Seconds())
	progress(ctx, books, began, out)
	stop()
	if err := <-ran; err != nil {
		return r, err
	}
	r = report{sums: books.now(), stored: im.store.len(), answers: api.answers(), took: time.Since(began)}
	if r.queues, err = measure(conn, c.Plan()); err != nil {
		return r, err
	}
	out.Print(r)
	return r, nil
}

// watch makes the monitor. The books count what becomes of each message; what is left is trouble with the broker,
// which must not be silent, and is logged. With verbose, everything is.
func watch(verbose bool) (*tally, monitoring.Monitor) {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	logged := monitoring.Log(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	if verbose {
		books := newTally(monitoring.Discard{})
		return books, monitoring.All(books, logged)
	}
	books := newTally(logged)
	return books, books
}
