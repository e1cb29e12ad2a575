package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/rabbittest"
)

// brokerFlags are the flags of warren broker.
type brokerFlags struct {
	listen     string
	management string
	options    rabbittest.Options
	users      users
}

func brokerCommand() *cobra.Command {
	var flags brokerFlags
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Serve a RabbitMQ that lives in this process",
		Long: `Serve a RabbitMQ that lives in this process: for tests of programs in any language,
on machines that have no RabbitMQ. It keeps everything in memory, and forgets it when
it ends. It knows no TLS and no limits on what clients may use: never let strangers
reach it.

When it is ready it prints where it listens, one line each:

    amqp://127.0.0.1:5672
    http://127.0.0.1:15672

With --management it answers two requests of RabbitMQ's management API, with basic
authentication: GET /api/connections/ lists the connections, and
DELETE /api/connections/NAME closes one (X-Reason: says why).

SIGINT and SIGTERM end it. Exit codes: 0 ended by a signal, 1 cannot serve, 2 bad flags.`,
		Example: `  warren broker
  warren broker --listen 127.0.0.1:0 --version 3.10
  warren broker --management 127.0.0.1:15672 --user guest:guest --user shop:secret --vhost / --vhost shop`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return flags.serve(cmd) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&flags.listen, "listen", "127.0.0.1:5672", "`HOST:PORT` for AMQP 0-9-1; port 0 takes a free one")
	f.StringVar(&flags.management, "management", "", "`HOST:PORT` for the management API; without it there is none")
	f.StringVar(&flags.options.Version, "version", rabbittest.V4_3, "`RELEASE` of RabbitMQ to play: 3.10, 4.0 or 4.3")
	f.Var(&flags.users, "user", "`NAME:PASSWORD` of someone who may do everything; may be repeated (default guest:guest)")
	f.StringArrayVar(&flags.options.VHosts, "vhost", nil, "`NAME` of a virtual host; may be repeated (default /)")
	f.DurationVar(&flags.options.Heartbeat, "heartbeat", time.Minute, "heartbeat to propose, in whole seconds; 0 proposes none")
	f.DurationVar(&flags.options.ConsumerTimeout, "consumer-timeout", 30*time.Minute, "how long a consumer may keep a delivery; 0 means for ever")
	f.IntVar(&flags.options.MaxMessageSize, "max-message-size", 0, "most `BYTES` of a body; 0 means what that RabbitMQ takes")
	_ = cmd.RegisterFlagCompletionFunc("version", cobra.FixedCompletions(
		[]cobra.Completion{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// serve is the command: it serves until the command's context ends.
func (f *brokerFlags) serve(cmd *cobra.Command) error {
	f.options.Users = f.users
	broker, err := rabbittest.Start(f.options)
	if err != nil {
		return usageError{errors.New(strings.TrimPrefix(err.Error(), "Options."))}
	}
	defer broker.Close()
	defer broker.Stop() // tells the clients

	address, err := broker.Listen(f.listen)
	if err != nil {
		return err
	}
	ready := fmt.Sprintf("amqp://%s\n", address) // without a slash: after it would come the virtual host
	warnStrangers(cmd, address)

	failed := make(chan error, 1)
	var serving sync.WaitGroup
	defer serving.Wait()
	if f.management != "" {
		l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", f.management)
		if err != nil {
			return err
		}
		ready += fmt.Sprintf("http://%s\n", l.Addr())
		warnStrangers(cmd, l.Addr())
		server := &http.Server{Handler: broker.Management(), ReadHeaderTimeout: 10 * time.Second}
		defer shutDown(server)
		serving.Go(func() { failed <- server.Serve(l) })
	}
	if _, err := fmt.Fprint(cmd.OutOrStdout(), ready); err != nil {
		return err
	}
	select {
	case <-cmd.Context().Done():
		return nil
	case err := <-failed:
		return err
	}
}

// shutDown lets requests that run come to an end, which takes no time here.
func shutDown(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
}

// warnStrangers says so if others than this machine can reach an address.
func warnStrangers(cmd *cobra.Command, address net.Addr) {
	if tcp, ok := address.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		cmd.PrintErrf("warren: WARNING: %s can be reached from other machines, and has no security: "+
			"no TLS, no limits, passwords that everyone knows. Whoever reaches it can read, delete and fill everything.\n", address)
	}
}

// users are a flag that can be repeated.
type users []rabbittest.User

func (u *users) String() string {
	var names []string
	for _, one := range *u {
		names = append(names, one.Name+":"+one.Password)
	}
	return strings.Join(names, ",")
}

func (u *users) Type() string { return "NAME:PASSWORD" }

func (u *users) Set(text string) error {
	name, password, found := strings.Cut(text, ":")
	if !found || name == "" {
		return errors.New("it is not NAME:PASSWORD")
	}
	*u = append(*u, rabbittest.User{Name: name, Password: password})
	return nil
}
