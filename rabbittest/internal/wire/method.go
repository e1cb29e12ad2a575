package wire

import "fmt"

// Method is a method of AMQP 0-9-1: a pointer to one of the structs of this
// package, in whichever direction it goes.
type Method interface {
	spec() *spec
	// fields hands the method's fields to c, in the order of the wire. It is the
	// one description of a method: c reads them or writes them.
	fields(c *coder)
}

// spec is what all methods of one kind share.
type spec struct {
	name          string
	class, method uint16
	make          func() Method
}

// Name is the name of a method as the specification writes it: "queue.declare".
func Name(m Method) string { return m.spec().name }

// ID returns the numbers of a method.
func ID(m Method) (class, method uint16) {
	s := m.spec()
	return s.class, s.method
}

// ClassBasic is the one class that has methods with content.
const ClassBasic uint16 = 60

// HasContent says whether a header and a body follow the method.
func HasContent(m Method) bool {
	switch m.(type) {
	case *BasicPublish, *BasicReturn, *BasicDeliver, *BasicGetOk:
		return true
	default:
		return false
	}
}

// New makes the method that has those numbers, or says that there is none.
func New(class, method uint16) (Method, bool) {
	s := byID[id{class, method}]
	if s == nil {
		return nil, false
	}
	return s.make(), true
}

// ParseMethod reads the payload of a method frame. Its errors are of type *Error.
func ParseMethod(payload []byte) (Method, error) {
	c := coder{b: payload}
	var class, method uint16
	c.uint16(&class)
	c.uint16(&method)
	if c.broken {
		return nil, Unknown(Frame{Type: FrameMethod, Payload: payload})
	}
	m, ok := New(class, method)
	if !ok {
		return nil, unreadable(fmt.Sprintf("no method has the numbers %d.%d", class, method))
	}
	m.fields(&c)
	if c.broken || len(c.b) > 0 {
		return nil, &Error{
			Code: FrameError, Text: "FRAME_ERROR - cannot decode " + numbers(payload[4:]),
			Class: class, Method: method,
		}
	}
	if c.wrong != nil {
		return nil, c.wrong
	}
	return m, nil
}

// AppendMethod appends the payload of a method frame to b.
func AppendMethod(b []byte, m Method) []byte {
	c := coder{b: b, writing: true}
	class, method := ID(m)
	c.uint16(&class)
	c.uint16(&method)
	m.fields(&c)
	return c.b
}

type id struct{ class, method uint16 }

var byID = index(
	connectionStartSpec, connectionStartOkSpec, connectionSecureSpec, connectionSecureOkSpec, connectionTuneSpec,
	connectionTuneOkSpec, connectionOpenSpec, connectionOpenOkSpec, connectionCloseSpec, connectionCloseOkSpec,
	connectionBlockedSpec, connectionUnblockedSpec, connectionUpdateSecretSpec, connectionUpdateSecretOkSpec,
	channelOpenSpec, channelOpenOkSpec, channelFlowSpec, channelFlowOkSpec, channelCloseSpec, channelCloseOkSpec,
	accessRequestSpec, accessRequestOkSpec,
	exchangeDeclareSpec, exchangeDeclareOkSpec, exchangeDeleteSpec, exchangeDeleteOkSpec, exchangeBindSpec,
	exchangeBindOkSpec, exchangeUnbindSpec, exchangeUnbindOkSpec,
	queueDeclareSpec, queueDeclareOkSpec, queueBindSpec, queueBindOkSpec, queuePurgeSpec, queuePurgeOkSpec,
	queueDeleteSpec, queueDeleteOkSpec, queueUnbindSpec, queueUnbindOkSpec,
	basicQosSpec, basicQosOkSpec, basicConsumeSpec, basicConsumeOkSpec, basicCancelSpec, basicCancelOkSpec,
	basicPublishSpec, basicReturnSpec, basicDeliverSpec, basicGetSpec, basicGetOkSpec, basicGetEmptySpec,
	basicAckSpec, basicRejectSpec, basicRecoverAsyncSpec, basicRecoverSpec, basicRecoverOkSpec, basicNackSpec,
	confirmSelectSpec, confirmSelectOkSpec,
	txSelectSpec, txSelectOkSpec, txCommitSpec, txCommitOkSpec, txRollbackSpec, txRollbackOkSpec,
)

func index(specs ...*spec) map[id]*spec {
	m := make(map[id]*spec, len(specs))
	for _, s := range specs {
		m[id{s.class, s.method}] = s
	}
	return m
}
