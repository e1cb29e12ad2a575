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
	said     bool // something was sent since the last beat
	heard    bool // something was received since
	silent   int  // beats without a word from the client
}

// start turns heartbeats on. As in RabbitMQ the broker sends one when it has been silent for half of the interval, and
// hangs up when the client has been silent for two. https://www.rabbitmq.com/docs/heartbeats
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
	if h.heard || c.paused || c.broker.faults.paused || c.blocked {
		h.silent = 0
	} else {
		h.silent++
	}
	if h.silent > 4 { // halves
		c.sever()
		return
	}
	if !h.said && !c.cut && !c.deaf {
		c.pending = wire.AppendFrame(c.pending, wire.Frame{Type: wire.FrameHeartbeat})
		c.broker.talking = append(c.broker.talking, c)
	}
	h.said, h.heard = false, false
	h.wind()
}

func (h *heartbeat) stop() { h.timer.Stop() }
