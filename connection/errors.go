package connection

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	// ErrClosed is what is returned after Close.
	ErrClosed = errors.New("the connection is closed")

	// ErrNotConnected is what Health returns while there is no connection. It
	// comes with the error of the last dial, or of what ended the connection.
	ErrNotConnected = errors.New("not connected")

	// ErrBlocked is what Health and publishing return while the broker takes no
	// messages because it is short of memory or disk. A publish with this error
	// has not begun: the broker does not have the message.
	ErrBlocked = errors.New("the broker takes no messages")

	// ErrUnreadable is what ends a connection on which the broker delivered a
	// message that the client library cannot read: its headers are larger than
	// a frame may be, or have a type that the library does not know. The
	// message is still with the broker.
	ErrUnreadable = errors.New("the broker sent a message that the client cannot read")

	errNoAnswer = errors.New("the broker does not answer")
	errLost     = errors.New("the connection was lost")
)

// RefusedError is a broker that refuses the connection for a reason that will
// not pass by itself: user, password, virtual host, permission, a connection
// limit, or a certificate. Warren goes on dialling, slowly.
//
// RabbitMQ answers a wrong user name or password by hanging up after some
// seconds, and a broker that dies looks the same. Such a refusal is believed
// when it was seen twice in a row.
type RefusedError struct {
	// Address is the node's host and port.
	Address string
	// Err is the reason: an *amqp091.Error, or an error of crypto/tls.
	Err error
}

// Error names the address and the reason.
func (e *RefusedError) Error() string { return fmt.Sprintf("refused by %s: %v", e.Address, e.Err) }

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// refusal tells whether a dial failed for good. guessed says that the client
// only concluded it from the end of the handshake: RabbitMQ hangs up without a
// word after a wrong password, but so does a broker that dies in that moment.
func refusal(err error) (refused, guessed bool) {
	var ae *amqp.Error
	if errors.As(err, &ae) {
		switch ae.Code {
		case amqp.AccessRefused, amqp.NotAllowed: // 403 user, 530 vhost or limit
			return true, !ae.Server && ae != amqp.ErrSASL
		case amqp.FrameError:
			// With TLS 1.3 the broker judges our certificate after the handshake.
			return !ae.Server && badCertificate(ae.Reason), false
		}
		return false, false
	}
	var (
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	return err != nil && (errors.As(err, &cert) || errors.As(err, &record) || errors.As(err, &host) ||
		errors.As(err, &unknown) || errors.As(err, &invalid) || badCertificate(err.Error())), false
}

// badCertificate tells whether a text of crypto/tls means that the other side
// does not accept us. Its type for this is not exported.
func badCertificate(text string) bool {
	_, alert, ok := strings.Cut(text, "remote error: tls: ")
	if !ok {
		return false
	}
	for _, s := range []string{"certificate", "access denied", "handshake failure", "protocol version"} {
		if strings.Contains(alert, s) {
			return true
		}
	}
	return false
}

// unreadable tells whether the client's reader gave up on a frame that it
// received whole, rather than on the connection. The client wraps its reader's
// error as the text of a 501, so the text is all there is to compare.
func unreadable(e *amqp.Error) bool {
	if e == nil || e.Server || e.Code != amqp.FrameError {
		return false
	}
	switch e.Reason {
	case amqp.ErrFrameTooLarge.Error(), amqp.ErrSyntax.Error(), amqp.ErrFrame.Error():
		return true
	}
	return false
}
