package wire

// The methods of class exchange.
type (
	// ExchangeDeclare is exchange.declare.
	ExchangeDeclare struct {
		Exchange, Type                                 string
		Passive, Durable, AutoDelete, Internal, NoWait bool
		Arguments                                      Table
	}
	// ExchangeDeclareOk is exchange.declare-ok.
	ExchangeDeclareOk struct{}
	// ExchangeDelete is exchange.delete.
	ExchangeDelete struct {
		Exchange         string
		IfUnused, NoWait bool
	}
	// ExchangeDeleteOk is exchange.delete-ok.
	ExchangeDeleteOk struct{}
	// ExchangeBind is exchange.bind.
	ExchangeBind struct {
		Destination, Source, RoutingKey string
		NoWait                          bool
		Arguments                       Table
	}
	// ExchangeBindOk is exchange.bind-ok.
	ExchangeBindOk struct{}
	// ExchangeUnbind is exchange.unbind.
	ExchangeUnbind struct {
		Destination, Source, RoutingKey string
		NoWait                          bool
		Arguments                       Table
	}
	// ExchangeUnbindOk is exchange.unbind-ok.
	ExchangeUnbindOk struct{}
)

// The methods of class queue.
type (
	// QueueDeclare is queue.declare.
	QueueDeclare struct {
		Queue                                           string
		Passive, Durable, Exclusive, AutoDelete, NoWait bool
		Arguments                                       Table
	}
	// QueueDeclareOk is queue.declare-ok.
	QueueDeclareOk struct {
		Queue                       string
		MessageCount, ConsumerCount uint32
	}
	// QueueBind is queue.bind.
	QueueBind struct {
		Queue, Exchange, RoutingKey string
		NoWait                      bool
		Arguments                   Table
	}
	// QueueBindOk is queue.bind-ok.
	QueueBindOk struct{}
	// QueuePurge is queue.purge.
	QueuePurge struct {
		Queue  string
		NoWait bool
	}
	// QueuePurgeOk is queue.purge-ok.
	QueuePurgeOk struct {
		MessageCount uint32
	}
	// QueueDelete is queue.delete.
	QueueDelete struct {
		Queue                     string
		IfUnused, IfEmpty, NoWait bool
	}
	// QueueDeleteOk is queue.delete-ok.
	QueueDeleteOk struct {
		MessageCount uint32
	}
	// QueueUnbind is queue.unbind.
	QueueUnbind struct {
		Queue, Exchange, RoutingKey string
		Arguments                   Table
	}
	// QueueUnbindOk is queue.unbind-ok.
	QueueUnbindOk struct{}
)

var (
	// exchange
	exchangeDeclareSpec   = &spec{"exchange.declare", 40, 10, func() Method { return new(ExchangeDeclare) }}
	exchangeDeclareOkSpec = &spec{"exchange.declare-ok", 40, 11, func() Method { return new(ExchangeDeclareOk) }}
	exchangeDeleteSpec    = &spec{"exchange.delete", 40, 20, func() Method { return new(ExchangeDelete) }}
	exchangeDeleteOkSpec  = &spec{"exchange.delete-ok", 40, 21, func() Method { return new(ExchangeDeleteOk) }}
	exchangeBindSpec      = &spec{"exchange.bind", 40, 30, func() Method { return new(ExchangeBind) }}
	exchangeBindOkSpec    = &spec{"exchange.bind-ok", 40, 31, func() Method { return new(ExchangeBindOk) }}
	exchangeUnbindSpec    = &spec{"exchange.unbind", 40, 40, func() Method { return new(ExchangeUnbind) }}
	exchangeUnbindOkSpec  = &spec{"exchange.unbind-ok", 40, 51, func() Method { return new(ExchangeUnbindOk) }}
	// queue
	queueDeclareSpec   = &spec{"queue.declare", 50, 10, func() Method { return new(QueueDeclare) }}
	queueDeclareOkSpec = &spec{"queue.declare-ok", 50, 11, func() Method { return new(QueueDeclareOk) }}
	queueBindSpec      = &spec{"queue.bind", 50, 20, func() Method { return new(QueueBind) }}
	queueBindOkSpec    = &spec{"queue.bind-ok", 50, 21, func() Method { return new(QueueBindOk) }}
	queuePurgeSpec     = &spec{"queue.purge", 50, 30, func() Method { return new(QueuePurge) }}
	queuePurgeOkSpec   = &spec{"queue.purge-ok", 50, 31, func() Method { return new(QueuePurgeOk) }}
	queueDeleteSpec    = &spec{"queue.delete", 50, 40, func() Method { return new(QueueDelete) }}
	queueDeleteOkSpec  = &spec{"queue.delete-ok", 50, 41, func() Method { return new(QueueDeleteOk) }}
	queueUnbindSpec    = &spec{"queue.unbind", 50, 50, func() Method { return new(QueueUnbind) }}
	queueUnbindOkSpec  = &spec{"queue.unbind-ok", 50, 51, func() Method { return new(QueueUnbindOk) }}
)

func (*ExchangeDeclare) spec() *spec { return exchangeDeclareSpec }
func (m *ExchangeDeclare) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Exchange)
	c.shortstr(&m.Type)
	c.bits(&m.Passive, &m.Durable, &m.AutoDelete, &m.Internal, &m.NoWait)
	c.table(&m.Arguments)
}

func (*ExchangeDeclareOk) spec() *spec   { return exchangeDeclareOkSpec }
func (*ExchangeDeclareOk) fields(*coder) {}

func (*ExchangeDelete) spec() *spec { return exchangeDeleteSpec }
func (m *ExchangeDelete) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Exchange)
	c.bits(&m.IfUnused, &m.NoWait)
}

func (*ExchangeDeleteOk) spec() *spec   { return exchangeDeleteOkSpec }
func (*ExchangeDeleteOk) fields(*coder) {}

func (*ExchangeBind) spec() *spec { return exchangeBindSpec }
func (m *ExchangeBind) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Destination)
	c.shortstr(&m.Source)
	c.shortstr(&m.RoutingKey)
	c.bits(&m.NoWait)
	c.table(&m.Arguments)
}

func (*ExchangeBindOk) spec() *spec   { return exchangeBindOkSpec }
func (*ExchangeBindOk) fields(*coder) {}

func (*ExchangeUnbind) spec() *spec { return exchangeUnbindSpec }
func (m *ExchangeUnbind) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Destination)
	c.shortstr(&m.Source)
	c.shortstr(&m.RoutingKey)
	c.bits(&m.NoWait)
	c.table(&m.Arguments)
}

func (*ExchangeUnbindOk) spec() *spec   { return exchangeUnbindOkSpec }
func (*ExchangeUnbindOk) fields(*coder) {}

func (*QueueDeclare) spec() *spec { return queueDeclareSpec }
func (m *QueueDeclare) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.bits(&m.Passive, &m.Durable, &m.Exclusive, &m.AutoDelete, &m.NoWait)
	c.table(&m.Arguments)
}

func (*QueueDeclareOk) spec() *spec { return queueDeclareOkSpec }
func (m *QueueDeclareOk) fields(c *coder) {
	c.shortstr(&m.Queue)
	c.uint32(&m.MessageCount)
	c.uint32(&m.ConsumerCount)
}

func (*QueueBind) spec() *spec { return queueBindSpec }
func (m *QueueBind) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.shortstr(&m.Exchange)
	c.shortstr(&m.RoutingKey)
	c.bits(&m.NoWait)
	c.table(&m.Arguments)
}

func (*QueueBindOk) spec() *spec   { return queueBindOkSpec }
func (*QueueBindOk) fields(*coder) {}

func (*QueuePurge) spec() *spec { return queuePurgeSpec }
func (m *QueuePurge) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.bits(&m.NoWait)
}

func (*QueuePurgeOk) spec() *spec { return queuePurgeOkSpec }
func (m *QueuePurgeOk) fields(c *coder) {
	c.uint32(&m.MessageCount)
}

func (*QueueDelete) spec() *spec { return queueDeleteSpec }
func (m *QueueDelete) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.bits(&m.IfUnused, &m.IfEmpty, &m.NoWait)
}

func (*QueueDeleteOk) spec() *spec { return queueDeleteOkSpec }
func (m *QueueDeleteOk) fields(c *coder) {
	c.uint32(&m.MessageCount)
}

func (*QueueUnbind) spec() *spec { return queueUnbindSpec }
func (m *QueueUnbind) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.shortstr(&m.Exchange)
	c.shortstr(&m.RoutingKey)
	c.table(&m.Arguments)
}

func (*QueueUnbindOk) spec() *spec   { return queueUnbindOkSpec }
func (*QueueUnbindOk) fields(*coder) {}
