package rabbitmq

import (
	"context"
	"fmt"
	"strings"
)

// CrashQueue ends the process of a quorum queue until its supervisor gives up: after three deaths in five seconds. From
// then on the queue is down, and nobody is told, until [Node.RecoverQueue] or the node's next start.
func (n *Node) CrashQueue(ctx context.Context, name string) error {
	const rounds = 20
	out, err := n.Ctl(ctx, "eval", fmt.Sprintf(`Q = %s,
		[case whereis(Q) of undefined -> ok; P -> exit(P, kill), timer:sleep(200) end || _ <- lists:seq(1, %d)], whereis(Q).`,
		serverOf(name), rounds))
	if err == nil && strings.TrimSpace(out) != "undefined" {
		err = fmt.Errorf("the process of %s lives: %s", name, out)
	}
	return err
}

// RecoverQueue starts the process of a quorum queue again that is down.
func (n *Node) RecoverQueue(ctx context.Context, name string) error {
	out, err := n.Ctl(ctx, "eval", fmt.Sprintf(`ra:restart_server(quorum_queues, {%s, node()}).`, serverOf(name)))
	if err == nil && strings.TrimSpace(out) != "ok" {
		err = fmt.Errorf("start the process of %s: %s", name, out)
	}
	return err
}

// serverOf is an Erlang term: the name of the process of a quorum queue in the first virtual host.
func serverOf(queue string) string { return fmt.Sprintf(`binary_to_atom(<<"%%2F_%s">>)`, queue) }
