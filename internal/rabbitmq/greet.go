package rabbitmq

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// greet begins an AMQP connection and returns the version that the broker says it has. Unlike a login it
// works whatever users the node has. A broker that answers has finished its boot: it listens last.
func greet(ctx context.Context, addr string) (version string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("greet %s: %w", addr, err)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return "", err
	}

	// The answer is a method frame with connection.start: type 1, channel 0, size, class 10, method 10.
	var head [7]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return "", err
	}
	size := binary.BigEndian.Uint32(head[3:])
	if head[0] != 1 || size < 4 || size > 1<<16 {
		return "", fmt.Errorf("not an AMQP 0-9-1 broker: %q", head)
	}
	start := make([]byte, size)
	if _, err := io.ReadFull(conn, start); err != nil {
		return "", err
	}
	if !bytes.HasPrefix(start, []byte{0, 10, 0, 10}) {
		return "", errors.New("the broker did not begin with connection.start")
	}
	return versionIn(start)
}

// versionIn finds the version, a long string, among the properties of a connection.start.
func versionIn(start []byte) (string, error) {
	_, value, ok := bytes.Cut(start, []byte("\x07versionS"))
	if !ok || len(value) < 4 {
		return "", errors.New("the broker did not say its version")
	}
	size, value := binary.BigEndian.Uint32(value), value[4:]
	if int64(len(value)) < int64(size) {
		return "", errors.New("the broker's version is cut short")
	}
	return string(value[:size]), nil
}
