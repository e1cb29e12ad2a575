package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
)

// urlVariable has the address of the broker, with user and password. There is no flag for it: every user of a machine can
// read the command lines of all processes.
const urlVariable = "AMQP_URL"

// accessFlags say which broker a command is about.
type accessFlags struct {
	host, user, vhost string
	tls               bool
	patience          time.Duration

	asked string // the URL with the password that was typed, so that it is asked for once
}

// helpAccess is for the help of every command that has these flags.
const helpAccess = `The broker is that of the environment variable AMQP_URL, amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// with TLS.
With --host or --user AMQP_URL is not looked at, and the password is asked for. Never put it on a command line.`

func (a *accessFlags) add(f *pflag.FlagSet) {
	f.StringVar(&a.host, "host", "", "`HOST[:PORT]` of the broker, instead of AMQP_URL")
	f.StringVar(&a.user, "user", "", "`NAME` to log in with, instead of AMQP_URL; the password is asked for")
	f.StringVar(&a.vhost, "vhost", "", "`NAME` of the virtual host, instead of that of AMQP_URL")
	f.BoolVar(&a.tls, "tls", false, "use TLS with --host or --user")
	f.DurationVar(&a.patience, "connect-timeout", 20*time.Second, "how long to try to reach the broker")
}

// url is the address of the broker, with the password. No error has any part of it.
func (a *accessFlags) url(ctx context.Context) (string, error) {
	if a.host != "" || a.user != "" {
		return a.ask(ctx)
	}
	text := os.Getenv(urlVariable)
	if text == "" {
		return "", usageError{errors.New("which broker? Set AMQP_URL, or give --host and --user")}
	}
	if a.tls {
		return "", usageError{errors.New("--tls goes with --host or --user; AMQP_URL begins with amqps:// for TLS")}
	}
	if a.vhost == "" {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", usageError{errors.New("AMQP_URL is no URL; special characters of a password are percent-encoded in it")}
	}
	return withVHost(u, a.vhost), nil
}

// ask asks for the password.
func (a *accessFlags) ask(ctx context.Context) (string, error) {
	if a.asked != "" {
		return a.asked, nil
	}
	host, user, vhost := a.host, a.user, a.vhost
	if host == "" {
		host = "localhost"
	}
	if user == "" {
		return "", usageError{errors.New("--host needs --user, too")}
	}
	if vhost == "" {
		vhost = "/"
	}
	password, err := ask(ctx, fmt.Sprintf("Password of %s at %s: ", printable(user), printable(host)), true)
	switch {
	case errors.Is(err, errNoTerminal):
		return "", usageError{fmt.Errorf("%w for the password; set AMQP_URL instead", err)}
	case err != nil:
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	u := &url.URL{Scheme: "amqp", User: url.UserPassword(user, password), Host: host}
	if a.tls {
		u.Scheme = "amqps"
	}
	a.asked = withVHost(u, vhost)
	return a.asked, nil
}

func withVHost(u *url.URL, vhost string) string {
	u.Path, u.RawPath = "/"+vhost, "/"+url.PathEscape(vhost)
	return u.String()
}

// connect connects to the broker, under the command's name. The caller closes the connection with hangUp. It says
// nothing by itself.
func (a *accessFlags) connect(cmd *cobra.Command) (*connection.Connection, error) {
	address, err := a.url(cmd.Context())
	if err != nil {
		return nil, err
	}
	conn, err := connection.New(address, connection.Config{
		Name: cmd.CommandPath(), Monitor: monitoring.Discard{}, MaxRedial: time.Second,
	})
	if err != nil {
		return nil, usageError{err}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), a.patience)
	defer cancel()
	if err := conn.Connect(ctx); err != nil {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

// hangUp says goodbye to the broker, also when the command was interrupted.
func hangUp(conn *connection.Connection) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = conn.Close(ctx) // what had to be confirmed is, and the rest goes back to its queue
}
