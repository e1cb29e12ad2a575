package engine

import "github.com/warren-mq/warren/rabbittest/internal/wire"

// refusal is what a user hears who may not do something.
func (n *Node) refusal(what Permission, kind, name, vhost, user string) *Error {
	access := "access"
	if n.profile.NamesAccess {
		access = string(what) + " access"
	}
	return ChannelFault(wire.AccessRefused, "%s to %s '%s' in vhost '%s' refused for user '%s'", access, kind, name, vhost, user)
}
