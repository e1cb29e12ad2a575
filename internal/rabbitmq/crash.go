package rabbitmq

import (
	"context"
	"fmt"
	"strings"
)

// CrashQueue ends the process of a quorum queue until its supervisor gives up: after three deaths in five seconds. From
// then on the queue is down, and nobody is told, until [Node.RecoverQueue] or the node's next start.
func (n *Node) CrashQueue(ctx context.Context, name string) error {
	// A supervisor restarts at once, so who is not there for a second does not come again.
	return n.eval(ctx, "crash "+name, fmt.Sprintf(`Q = %s,
		F = fun F(_, 10) -> ok;
			F(0, _) -> lives;
			F(N, Missed) -> case whereis(Q) of
				undefined -> timer:sleep(100), F(N-1, Missed+1);
				P -> exit(P, kill), timer:sleep(20), F(N-1, 0)
			end
		end, F(1000, 0).`, serverOf(name)))
}

// RecoverQueue starts the process of a quorum queue again that is down, and sees to it that it stays.
func (n *Node) RecoverQueue(ctx context.Context, name string) error {
	return n.eval(ctx, "recover "+name, fmt.Sprintf(`Q = %s,
		F = fun F(0) -> {died, catch ra:restart_server(quorum_queues, {Q, node()})};
			F(N) ->
				case whereis(Q) of
					undefined -> catch ra:restart_server(quorum_queues, {Q, node()});
					_ -> there
				end,
				timer:sleep(1000),
				case whereis(Q) of undefined -> F(N-1); _ -> ok end
		end, F(30).`, serverOf(name)))
}

// eval evaluates an expression of Erlang on the node, which must come to ok.
func (n *Node) eval(ctx context.Context, what, expression string) error {
	out, err := n.Ctl(ctx, "eval", expression)
	if err == nil && strings.TrimSpace(out) != "ok" {
		err = fmt.Errorf("%s: %s", what, out)
	}
	return err
}

// serverOf is an Erlang term: the name of the process of a quorum queue in the first virtual host.
func serverOf(queue string) string { return fmt.Sprintf(`binary_to_atom(<<"%%2F_%s">>)`, queue) }
