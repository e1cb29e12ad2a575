// Package warrenfx lends Warren to Fx applications.
//
//	fx.New(
//		warrenfx.Module,
//		fx.Supply(warrenfx.Config{URL: os.Getenv("AMQP_URL")}),
//		fx.Provide(NewBilling), // func(...) *Billing
//		warrenfx.Consume("orders", (*Billing).Charge, consumer.Config{Workers: 8}),
//		fx.StopTimeout(35*time.Second),
//	).Run()
//
// [Consume] is for methods of something that the container makes, [ConsumeFunc] for functions that need nothing of it, and
// [AsConsumer] for constructors, where codec, monitor or workers come from the container. [AsMonitor] adds monitors.
//
// # What the module provides
//
// A *connection.Connection and a *publisher.Publisher, made of the [Config] that the application supplies. If a
// *slog.Logger is there, the log of events goes to it, or else to slog.Default().
//
// Consumers are in the group "warren.consumers", of type *consumer.Consumer: whoever serves a readiness probe asks for
// that. Monitors are in the group "warren.monitors", of type monitoring.Monitor.
//
// # Start
//
// The broker is dialled, then all consumers begin, and the start of the application ends when every one is subscribed to
// its queue. It fails a little before fx.StartTimeout if there is no broker, and at once if the broker refuses: the
// credentials, or a queue whose arguments are not the consumer's. See [Config.StartWithoutBroker] for another way.
//
// What runs later does not depend on the context of the start, which ends with it.
//
// # Stop
//
// First all consumers stop, at once and side by side: they take no more messages, and what runs has until
// consumer.Config.Drain, but not longer than fx.StopTimeout leaves, to finish. What is not finished then stays with the
// broker. Then the publisher waits for the broker's word on what it has sent, the connection is closed, and the monitors
// send what they have left. So handlers and monitors can use everything until they are done.
//
// All consumers share one hook. Publisher, connection and monitors have one each, and Fx stops in the opposite order of
// dependencies: what handlers use stops after the consumers and, if it was made with the publisher, before that. A
// buffer that publishes its rest when it stops can do so.
//
// fx.StopTimeout bounds the stops of everything together and is 15 s if nothing was said: too little for handlers that
// need 20. A module cannot set it. Set it to the Drain of your consumers and ten seconds more, and Kubernetes'
// terminationGracePeriodSeconds to more than that.
//
// # Failure
//
// A consumer goes on for as long as there is hope, and tells its monitor what is wrong. If its Run ends with an error all
// the same (the broker refuses its queues, the connection was closed), the application is shut down, with
// [Config.ExitCode]. If a consumer stops before everything that it had taken is settled, fx.App.Stop returns a
// *consumer.DrainError, and fx.App.Run exits with 1. Nothing is lost by either: the broker has the messages.
package warrenfx

import (
	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/publisher"
)

// Module provides the connection and the publisher, and runs the consumers. It needs a [Config]. An application names it
// once; modules of the application that consume or publish do not repeat it.
var Module = fx.Module("warren",
	fx.Provide(newMonitors, newConnection, newPublisher),
	fx.Invoke(run),
)

// Config is what an application supplies, with fx.Supply or from a constructor.
type Config struct {
	// URL is where the broker is: see connection.New. It must be set. No error and no log line has the password.
	URL string

	// Connection configures the connection. Its zero value works. Its Monitor is told everything, and so is each monitor
	// of the group; nil means monitoring.Log, here, too, so that adding a monitor takes away no log. To be rid of the log,
	// set it to monitoring.Discard{}.
	Connection connection.Config

	// Publisher configures the publisher. Its zero value works.
	Publisher publisher.Config

	// StartWithoutBroker lets the application start at once, whether there is a broker or not, for one that has more to do
	// than to consume. Consumers subscribe when they can; ask Health of them, or of the connection, whether they have.
	// What the broker refuses for good shuts the application down then, instead of failing its start; a
	// wrong password is told and tried again, as it may be mended there.
	StartWithoutBroker bool

	// ExitCode is what the application exits with when a consumer has failed for good. 0 means 1.
	ExitCode int
}
