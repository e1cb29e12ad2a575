package rabbittest

import (
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// maxHeartbeat is the longest that 16 bits can say. Some clients send it who cannot say "none".
const maxHeartbeat = 65535 * time.Second

// heartbeat keeps a connection alive, if the client wants that. All of it is guarded by the node's lock.
type heartbeat struct {
	conn     *conn
	interval time.Duration
	timer    *engine.Timer
	halves   int  // of the interval that have passed
	said     bool // something was sent in the last half
	heard    bool // something was received in the last interval
	silent   int  // intervals without a word from the client
}

// start turns heartbeats on. As in RabbitMQ the broker sends one when it has said nothing for half of the interval. Once
// in an interval it looks whether the client has said something, and hangs up the second time that it has not: after two
// to three intervals. (rabbit_heartbeat.erl; https://www.rabbitmq.com/docs/heartbeats)
func (h *heartbeat) start(c *conn, seconds uint16) {
	h.conn = c
	h.interval = time.Duration(seconds) * time.Second
	if h.interval == 0 || h.interval == maxHeartbeat {
		return
	}
	h.wind()
}

func (h *heartbeat) wind() {
	h.timer = h.conn.broker.node.At(time.Now().Add(h.interval/2), h.beat)
}

func (h *heartbeat) beat() {
	c := h.conn
	if c.stage == over {
		return
	}
	if !h.said && !c.cut && !c.deaf {
		c.pending = wire.AppendFrame(c.pending, wire.Frame{Type: wire.FrameHeartbeat})
		c.broker.talking = append(c.broker.talking, c)
	}
	h.said = false
	if h.halves++; h.halves%2 == 0 {
		if h.heard || !c.reads() {
			h.silent = 0
		} else if h.silent++; h.silent == 2 {
			c.sever()
			return
		}
		h.heard = false
	}
	h.wind()
}

func (h *heartbeat) stop() { h.timer.Stop() }
