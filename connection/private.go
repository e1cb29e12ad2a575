package connection

import (
	"context"
	"fmt"
)

// Private is an AMQP connection for one consumer, besides the one that all
// consumers of a [Connection] share. A message that the client library cannot
// read ends the connection that it is delivered to, again and again, until the
// broker's delivery limit moves it, and a quorum queue whose process is dead ends
// that of whoever subscribes: who meets one takes a private connection, so that
// the others keep theirs. Applications rarely need it. It is safe for concurrent
// use.
type Private struct {
	conn *Connection
	link *link
}

// Private returns a further AMQP connection. It does no I/O: the connection is
// dialled when it is first used, and again, for ever, when it is lost. The
// broker's management shows it as "billing/consume/" and the given name. It
// counts for Health. The caller closes it; Close of c does it, too, and then
// Session returns [ErrClosed].
func (c *Connection) Private(name string) *Private {
	p := &Private{conn: c, link: newLink(c.config, Consume, c.links[Consume].name+"/"+name)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		p.link.closing = true
	} else {
		c.privates[p] = struct{}{}
	}
	return p
}

// Session returns the live session, and waits for one until ctx ends. Its
// errors wrap that of ctx, or [ErrClosed].
func (p *Private) Session(ctx context.Context) (*Session, error) {
	s, err := p.link.session(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", p.conn.config.where(), err)
	}
	return s, nil
}

// Close closes the connection as [Connection.Close] does, and waits for its
// goroutines.
func (p *Private) Close(ctx context.Context) error {
	ctx, cancel := withDefaultTimeout(ctx, closeTimeout)
	defer cancel()
	defer func() { // after it: Close of the Connection waits for it as well
		p.conn.mu.Lock()
		delete(p.conn.privates, p)
		p.conn.mu.Unlock()
	}()
	if err := p.link.close(ctx); err != nil {
		return fmt.Errorf("close connection to %s: %w", p.conn.config.where(), err)
	}
	return nil
}
