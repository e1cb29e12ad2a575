//go:build linux || darwin

package faults_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/netproxy"
)

// over is how a run's consumer and publisher reach the node.
type over int

const (
	overTCP over = iota
	overTLS
	byName // by a name, which a server of names must tell the address of
)

// accessFaults happen to what is between an address and a connection.
var accessFaults = []fault{
	{name: "TLS: connections reset", over: overTLS, alone: true, n: 5, hold: 500 * time.Millisecond, inject: func(b *bench) { b.net.Cut() }},
	{
		name: "TLS: cut after so many bytes", over: overTLS, alone: true, hold: 6 * time.Second,
		inject: func(b *bench) {
			b.net.CutAt(netproxy.ToBroker, 30_011)
			b.net.CutAt(netproxy.FromBroker, 50_021)
		},
		undo: func(b *bench) {
			b.net.CutAt(netproxy.ToBroker, 0)
			b.net.CutAt(netproxy.FromBroker, 0)
		},
	},
	{
		name: "TLS: black hole", over: overTLS, alone: true, hold: 5 * time.Second,
		inject: func(b *bench) { b.net.Freeze() }, undo: func(b *bench) { b.net.Release() },
	},
	{name: "TLS: broker killed", over: overTLS, alone: true, inject: func(b *bench) { must(b.t, b.node.Kill()) }, undo: boot},
	{
		name: "TLS: the broker's certificate has expired, and is replaced", over: overTLS, alone: true, hold: 4 * time.Second,
		inject: func(b *bench) {
			b.certify(-time.Hour)
			b.net.Cut()
		},
		undo: func(b *bench) { b.certify(time.Hour) },
	},
	{
		name: "DNS: nobody knows the name", over: byName, alone: true, hold: 4 * time.Second,
		inject: func(b *bench) {
			b.access.names.set(nobodyKnows)
			b.net.Cut()
		},
		undo: func(b *bench) { b.access.names.set(known) },
	},
	{
		name: "DNS: no answer", over: byName, alone: true, hold: 8 * time.Second,
		inject: func(b *bench) {
			b.access.names.set(silent)
			b.net.Cut()
		},
		undo: func(b *bench) { b.access.names.set(known) },
	},
}

// access is what it takes to reach a node over TLS, and by a name.
type access struct {
	folder string // with the node's certificate and key
	port   int    // for TLS
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
	names  *nameServer
}

// newAccess makes a node's certificate, and starts a server of names. Conf is for the node's configuration.
func newAccess(t *testing.T) (a *access, conf string) {
	t.Helper()
	a = &access{folder: t.TempDir(), names: serveNames(t)}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	a.port = free.Addr().(*net.TCPAddr).Port
	must(t, free.Close())
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	must(t, err)
	a.ca, err = x509.ParseCertificate(der)
	must(t, err)
	a.write(t, "ca.pem", "CERTIFICATE", der)
	must(t, a.sign(t, 24*time.Hour))
	return a, fmt.Sprintf(`listeners.ssl.1 = 127.0.0.1:%d
ssl_options.cacertfile = %[2]s/ca.pem
ssl_options.certfile = %[2]s/node.pem
ssl_options.keyfile = %[2]s/key.pem
ssl_options.verify = verify_none`, a.port, a.folder)
}

// sign writes a certificate for the node that is good for so long.
func (a *access) sign(t *testing.T, good time.Duration) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(good),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.ca, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	a.write(t, "node.pem", "CERTIFICATE", der)
	a.write(t, "key.pem", "PRIVATE KEY", private)
	return nil
}

func (a *access) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(a.folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// certify gives the node another certificate, which further connections get to see.
func (b *bench) certify(good time.Duration) {
	b.t.Helper()
	must(b.t, b.access.sign(b.t, good))
	b.ctl("eval", "ssl:clear_pem_cache().")
}

// reach fills in how to get to the node, and returns the URL.
func (b *bench) reach(how over, cfg *connection.Config) string {
	direct := b.node.URL()
	u, err := url.Parse(direct)
	must(b.t, err)
	switch how {
	case overTLS:
		u.Scheme, u.Host = "amqps", net.JoinHostPort("127.0.0.1", strconv.Itoa(b.access.port))
		trusted := x509.NewCertPool()
		trusted.AddCert(b.access.ca)
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trusted}
	case byName:
		u.Host = net.JoinHostPort("rabbit.test.", u.Port()) // the dot keeps this machine's search list out of it
		b.net = netproxy.New((&net.Dialer{Resolver: b.access.names.resolver()}).DialContext)
		cfg.Dial = b.net.Dial
	case overTCP:
	}
	return u.String()
}

// answer is what a server of names says to everyone.
type answer int32

const (
	known       answer = iota // 127.0.0.1
	nobodyKnows               // there is no such name
	silent                    // nothing
)

// nameServer is a server of names, over UDP.
type nameServer struct {
	address string
	says    atomic.Int32
}

func (s *nameServer) set(a answer) { s.says.Store(int32(a)) }

// serveNames starts a server of names, until the test ends.
func serveNames(t *testing.T) *nameServer {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	s := &nameServer{address: socket.LocalAddr().String()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		question := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(question)
			if err != nil {
				return
			}
			if reply := s.reply(question[:n]); reply != nil {
				_, _ = socket.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = socket.Close()
		<-ended
	})
	return s
}

// reply answers a question (RFC 1035, section 4): the header, the question as it came, and an address if one is asked for.
func (s *nameServer) reply(question []byte) []byte {
	const header = 12
	end := header
	for end < len(question) && question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the name's end, its type and class
	if end > len(question) || s.says.Load() == int32(silent) {
		return nil
	}
	reply := append([]byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question[header:end]...)
	const address = 1
	switch {
	case s.says.Load() == int32(nobodyKnows):
		reply[3] |= 3
	case question[end-3] == address:
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, address, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return reply
}

// resolver asks this server, whichever the system would ask.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.address)
	}}
}
