package rabbitmq

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range from which systems take the ports of outgoing connections: a
// client that redials a node which is down could else be given the node's own port.
const (
	firstPort = 10_240
	lastPort  = 32_767
)

// freePorts finds n ports that nothing listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", address(port)) //nolint:noctx // it never waits
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // only at the end, or a port could be found twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports: no luck from %d to %d", n, firstPort, lastPort)
}

// address is the address of a port of this machine that only this machine can reach.
func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
