package rabbittest

import (
	"fmt"
	"regexp"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
)

// The versions of RabbitMQ that a [Broker] can play.
const (
	V3_10 = "3.10"
	V4_0  = "4.0"
	V4_3  = "4.3"
)

// Options say what a broker is like. The zero value is RabbitMQ 4.3 as it comes, with three differences that make tests
// end: heartbeats are off unless a client insists, a consumer may keep a delivery for ever, and a wrong password is
// refused at once.
type Options struct {
	// Version is the RabbitMQ to play: V3_10, V4_0 or V4_3. Empty means V4_3.
	Version string

	// Users may log in. None means guest, with the password guest, who may do everything.
	Users []User

	// VHosts are the virtual hosts. None means "/".
	VHosts []string

	// Heartbeat is what the broker proposes, in whole seconds. 0 proposes none; a client that wants heartbeats all the
	// same gets them. While heartbeats are on, a bubble's clock never stands still, so a test that hangs spins instead
	// of ending with a report.
	Heartbeat time.Duration

	// MaxMessageSize bounds the body of a message, in bytes. 0 means that of the version: 128 MiB for 3.10, 16 MiB
	// later. A bigger one closes the channel.
	MaxMessageSize int

	// ConsumerTimeout is how long a consumer may keep a delivery before the broker closes its channel, or cancels it
	// (4.3). 0 means for ever; RabbitMQ has 30 minutes.
	ConsumerTimeout time.Duration
}

// User is someone who may log in. The three patterns say what they may do, as those of rabbitmqctl set_permissions; nil
// permits everything.
type User struct {
	Name, Password         string
	Configure, Write, Read *regexp.Regexp
}

// settings are Options that were checked.
type settings struct {
	Options
	profile engine.Profile
	users   map[string]User
}

func (o Options) settings() (settings, error) {
	s := settings{Options: o, users: map[string]User{}}
	if s.Version == "" {
		s.Version = V4_3
	}
	var err error
	if s.profile, err = engine.ProfileOf(s.Version); err != nil {
		return s, fmt.Errorf("Options.Version: %w", err)
	}
	if len(s.VHosts) == 0 {
		s.VHosts = []string{"/"}
	}
	if len(s.Users) == 0 {
		s.Users = []User{{Name: "guest", Password: "guest"}}
	}
	for _, u := range s.Users {
		s.users[u.Name] = u
	}
	switch {
	case s.Heartbeat < 0 || s.Heartbeat%time.Second != 0 || s.Heartbeat > maxHeartbeat:
		return s, fmt.Errorf("Options.Heartbeat is not a number of seconds from 0 to %d: %v", maxHeartbeat/time.Second, s.Heartbeat)
	case s.MaxMessageSize < 0:
		return s, fmt.Errorf("Options.MaxMessageSize is negative: %d", s.MaxMessageSize)
	case s.ConsumerTimeout < 0:
		return s, fmt.Errorf("Options.ConsumerTimeout is negative: %v", s.ConsumerTimeout)
	}
	return s, nil
}

// permit is the node's question about a user.
func (s *settings) permit(user, _ string, what engine.Permission, resource string) bool {
	u := s.users[user]
	pattern := map[engine.Permission]*regexp.Regexp{
		engine.Configure: u.Configure, engine.Write: u.Write, engine.Read: u.Read,
	}[what]
	return pattern == nil || pattern.MatchString(resource)
}
