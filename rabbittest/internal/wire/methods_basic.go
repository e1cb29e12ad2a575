package wire

// The methods of class basic.
type (
	// BasicQos is basic.qos.
	BasicQos struct {
		PrefetchSize  uint32
		PrefetchCount uint16
		Global        bool
	}
	// BasicQosOk is basic.qos-ok.
	BasicQosOk struct{}
	// BasicConsume is basic.consume.
	BasicConsume struct {
		Queue, ConsumerTag                string
		NoLocal, NoAck, Exclusive, NoWait bool
		Arguments                         Table
	}
	// BasicConsumeOk is basic.consume-ok.
	BasicConsumeOk struct {
		ConsumerTag string
	}
	// BasicCancel is basic.cancel.
	BasicCancel struct {
		ConsumerTag string
		NoWait      bool
	}
	// BasicCancelOk is basic.cancel-ok.
	BasicCancelOk struct {
		ConsumerTag string
	}
	// BasicPublish is basic.publish.
	BasicPublish struct {
		Exchange, RoutingKey string
		Mandatory, Immediate bool
	}
	// BasicReturn is basic.return.
	BasicReturn struct {
		ReplyCode                       uint16
		ReplyText, Exchange, RoutingKey string
	}
	// BasicDeliver is basic.deliver.
	BasicDeliver struct {
		ConsumerTag          string
		DeliveryTag          uint64
		Redelivered          bool
		Exchange, RoutingKey string
	}
	// BasicGet is basic.get.
	BasicGet struct {
		Queue string
		NoAck bool
	}
	// BasicGetOk is basic.get-ok.
	BasicGetOk struct {
		DeliveryTag          uint64
		Redelivered          bool
		Exchange, RoutingKey string
		MessageCount         uint32
	}
	// BasicGetEmpty is basic.get-empty.
	BasicGetEmpty struct{}
	// BasicAck is basic.ack.
	BasicAck struct {
		DeliveryTag uint64
		Multiple    bool
	}
	// BasicReject is basic.reject.
	BasicReject struct {
		DeliveryTag uint64
		Requeue     bool
	}
	// BasicRecoverAsync is basic.recover-async.
	BasicRecoverAsync struct {
		Requeue bool
	}
	// BasicRecover is basic.recover.
	BasicRecover struct {
		Requeue bool
	}
	// BasicRecoverOk is basic.recover-ok.
	BasicRecoverOk struct{}
	// BasicNack is basic.nack.
	BasicNack struct {
		DeliveryTag       uint64
		Multiple, Requeue bool
	}
)

// The methods of class confirm.
type (
	// ConfirmSelect is confirm.select.
	ConfirmSelect struct {
		NoWait bool
	}
	// ConfirmSelectOk is confirm.select-ok.
	ConfirmSelectOk struct{}
)

// The methods of class tx.
type (
	// TxSelect is tx.select.
	TxSelect struct{}
	// TxSelectOk is tx.select-ok.
	TxSelectOk struct{}
	// TxCommit is tx.commit.
	TxCommit struct{}
	// TxCommitOk is tx.commit-ok.
	TxCommitOk struct{}
	// TxRollback is tx.rollback.
	TxRollback struct{}
	// TxRollbackOk is tx.rollback-ok.
	TxRollbackOk struct{}
)

var (
	// basic
	basicQosSpec          = &spec{"basic.qos", 60, 10, func() Method { return new(BasicQos) }}
	basicQosOkSpec        = &spec{"basic.qos-ok", 60, 11, func() Method { return new(BasicQosOk) }}
	basicConsumeSpec      = &spec{"basic.consume", 60, 20, func() Method { return new(BasicConsume) }}
	basicConsumeOkSpec    = &spec{"basic.consume-ok", 60, 21, func() Method { return new(BasicConsumeOk) }}
	basicCancelSpec       = &spec{"basic.cancel", 60, 30, func() Method { return new(BasicCancel) }}
	basicCancelOkSpec     = &spec{"basic.cancel-ok", 60, 31, func() Method { return new(BasicCancelOk) }}
	basicPublishSpec      = &spec{"basic.publish", 60, 40, func() Method { return new(BasicPublish) }}
	basicReturnSpec       = &spec{"basic.return", 60, 50, func() Method { return new(BasicReturn) }}
	basicDeliverSpec      = &spec{"basic.deliver", 60, 60, func() Method { return new(BasicDeliver) }}
	basicGetSpec          = &spec{"basic.get", 60, 70, func() Method { return new(BasicGet) }}
	basicGetOkSpec        = &spec{"basic.get-ok", 60, 71, func() Method { return new(BasicGetOk) }}
	basicGetEmptySpec     = &spec{"basic.get-empty", 60, 72, func() Method { return new(BasicGetEmpty) }}
	basicAckSpec          = &spec{"basic.ack", 60, 80, func() Method { return new(BasicAck) }}
	basicRejectSpec       = &spec{"basic.reject", 60, 90, func() Method { return new(BasicReject) }}
	basicRecoverAsyncSpec = &spec{"basic.recover-async", 60, 100, func() Method { return new(BasicRecoverAsync) }}
	basicRecoverSpec      = &spec{"basic.recover", 60, 110, func() Method { return new(BasicRecover) }}
	basicRecoverOkSpec    = &spec{"basic.recover-ok", 60, 111, func() Method { return new(BasicRecoverOk) }}
	basicNackSpec         = &spec{"basic.nack", 60, 120, func() Method { return new(BasicNack) }}
	// confirm
	confirmSelectSpec   = &spec{"confirm.select", 85, 10, func() Method { return new(ConfirmSelect) }}
	confirmSelectOkSpec = &spec{"confirm.select-ok", 85, 11, func() Method { return new(ConfirmSelectOk) }}
	// tx
	txSelectSpec     = &spec{"tx.select", 90, 10, func() Method { return new(TxSelect) }}
	txSelectOkSpec   = &spec{"tx.select-ok", 90, 11, func() Method { return new(TxSelectOk) }}
	txCommitSpec     = &spec{"tx.commit", 90, 20, func() Method { return new(TxCommit) }}
	txCommitOkSpec   = &spec{"tx.commit-ok", 90, 21, func() Method { return new(TxCommitOk) }}
	txRollbackSpec   = &spec{"tx.rollback", 90, 30, func() Method { return new(TxRollback) }}
	txRollbackOkSpec = &spec{"tx.rollback-ok", 90, 31, func() Method { return new(TxRollbackOk) }}
)

func (*BasicQos) spec() *spec { return basicQosSpec }
func (m *BasicQos) fields(c *coder) {
	c.uint32(&m.PrefetchSize)
	c.uint16(&m.PrefetchCount)
	c.bits(&m.Global)
}

func (*BasicQosOk) spec() *spec   { return basicQosOkSpec }
func (*BasicQosOk) fields(*coder) {}

func (*BasicConsume) spec() *spec { return basicConsumeSpec }
func (m *BasicConsume) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.shortstr(&m.ConsumerTag)
	c.bits(&m.NoLocal, &m.NoAck, &m.Exclusive, &m.NoWait)
	c.table(&m.Arguments)
}

func (*BasicConsumeOk) spec() *spec { return basicConsumeOkSpec }
func (m *BasicConsumeOk) fields(c *coder) {
	c.shortstr(&m.ConsumerTag)
}

func (*BasicCancel) spec() *spec { return basicCancelSpec }
func (m *BasicCancel) fields(c *coder) {
	c.shortstr(&m.ConsumerTag)
	c.bits(&m.NoWait)
}

func (*BasicCancelOk) spec() *spec { return basicCancelOkSpec }
func (m *BasicCancelOk) fields(c *coder) {
	c.shortstr(&m.ConsumerTag)
}

func (*BasicPublish) spec() *spec { return basicPublishSpec }
func (m *BasicPublish) fields(c *coder) {
	c.reservedUint16()
	c.short(&m.Exchange) // RabbitMQ saves the time to look at these
	c.short(&m.RoutingKey)
	c.bits(&m.Mandatory, &m.Immediate)
}

func (*BasicReturn) spec() *spec { return basicReturnSpec }
func (m *BasicReturn) fields(c *coder) {
	c.uint16(&m.ReplyCode)
	c.shortstr(&m.ReplyText)
	c.shortstr(&m.Exchange)
	c.shortstr(&m.RoutingKey)
}

func (*BasicDeliver) spec() *spec { return basicDeliverSpec }
func (m *BasicDeliver) fields(c *coder) {
	c.shortstr(&m.ConsumerTag)
	c.uint64(&m.DeliveryTag)
	c.bits(&m.Redelivered)
	c.shortstr(&m.Exchange)
	c.shortstr(&m.RoutingKey)
}

func (*BasicGet) spec() *spec { return basicGetSpec }
func (m *BasicGet) fields(c *coder) {
	c.reservedUint16()
	c.shortstr(&m.Queue)
	c.bits(&m.NoAck)
}

func (*BasicGetOk) spec() *spec { return basicGetOkSpec }
func (m *BasicGetOk) fields(c *coder) {
	c.uint64(&m.DeliveryTag)
	c.bits(&m.Redelivered)
	c.shortstr(&m.Exchange)
	c.shortstr(&m.RoutingKey)
	c.uint32(&m.MessageCount)
}

func (*BasicGetEmpty) spec() *spec { return basicGetEmptySpec }
func (*BasicGetEmpty) fields(c *coder) {
	c.reservedShortstr()
}

func (*BasicAck) spec() *spec { return basicAckSpec }
func (m *BasicAck) fields(c *coder) {
	c.uint64(&m.DeliveryTag)
	c.bits(&m.Multiple)
}

func (*BasicReject) spec() *spec { return basicRejectSpec }
func (m *BasicReject) fields(c *coder) {
	c.uint64(&m.DeliveryTag)
	c.bits(&m.Requeue)
}

func (*BasicRecoverAsync) spec() *spec { return basicRecoverAsyncSpec }
func (m *BasicRecoverAsync) fields(c *coder) {
	c.bits(&m.Requeue)
}

func (*BasicRecover) spec() *spec { return basicRecoverSpec }
func (m *BasicRecover) fields(c *coder) {
	c.bits(&m.Requeue)
}

func (*BasicRecoverOk) spec() *spec   { return basicRecoverOkSpec }
func (*BasicRecoverOk) fields(*coder) {}

func (*BasicNack) spec() *spec { return basicNackSpec }
func (m *BasicNack) fields(c *coder) {
	c.uint64(&m.DeliveryTag)
	c.bits(&m.Multiple, &m.Requeue)
}

func (*ConfirmSelect) spec() *spec { return confirmSelectSpec }
func (m *ConfirmSelect) fields(c *coder) {
	c.bits(&m.NoWait)
}

func (*ConfirmSelectOk) spec() *spec   { return confirmSelectOkSpec }
func (*ConfirmSelectOk) fields(*coder) {}

func (*TxSelect) spec() *spec   { return txSelectSpec }
func (*TxSelect) fields(*coder) {}

func (*TxSelectOk) spec() *spec   { return txSelectOkSpec }
func (*TxSelectOk) fields(*coder) {}

func (*TxCommit) spec() *spec   { return txCommitSpec }
func (*TxCommit) fields(*coder) {}

func (*TxCommitOk) spec() *spec   { return txCommitOkSpec }
func (*TxCommitOk) fields(*coder) {}

func (*TxRollback) spec() *spec   { return txRollbackSpec }
func (*TxRollback) fields(*coder) {}

func (*TxRollbackOk) spec() *spec   { return txRollbackOkSpec }
func (*TxRollbackOk) fields(*coder) {}
