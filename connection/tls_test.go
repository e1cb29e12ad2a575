package connection_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := new(authority)
	pair := a.sign(tb, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	var err error
	a.certificate, err = x509.ParseCertificate(pair.Certificate[0])
	must(tb, err)
	a.key = pair.PrivateKey.(*ecdsa.PrivateKey)
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.certificate)
	return a
}

// sign makes a certificate and its key, signed by itself if there is no a yet.
func (a *authority) sign(tb testing.TB, template *x509.Certificate) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(tb, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) server(tb testing.TB, expires time.Time) tls.Certificate {
	tb.Helper()
	return a.sign(tb, &x509.Certificate{
		DNSNames: []string{"broker.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: expires,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// front puts TLS in front of a broker, until the test ends, and returns its
// address.
func front(tb testing.TB, b brokers.Broker, config *tls.Config) string {
	tb.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	must(tb, err)
	backend := addressOf(tb, b.URL)
	var wg sync.WaitGroup
	tb.Cleanup(wg.Wait)
	tb.Cleanup(func() { _ = l.Close() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = client.Close() }()
				if client.(*tls.Conn).Handshake() != nil {
					return
				}
				server, err := net.Dial("tcp", backend)
				if err != nil {
					return
				}
				wg.Go(func() {
					_, _ = io.Copy(client, server)
					_ = client.Close()
				})
				_, _ = io.Copy(server, client)
				_ = server.Close()
			})
		}
	})
	return l.Addr().String()
}

func TestTLS(t *testing.T) {
	brokers.EachOverTCP(t, testTLS)
}

func testTLS(t *testing.T, b brokers.Broker) {
	ours, foreign := newAuthority(t), newAuthority(t)
	hour := time.Now().Add(time.Hour)
	good := front(t, b, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ours.server(t, hour)}})
	expired := front(t, b, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{ours.server(t, time.Now().Add(-time.Hour))},
	})
	port := good[strings.LastIndex(good, ":"):]
	mutual := func(version uint16) string {
		return front(t, b, &tls.Config{
			MinVersion: version, MaxVersion: version, Certificates: []tls.Certificate{ours.server(t, hour)},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool,
		})
	}
	mutual12, mutual13 := mutual(tls.VersionTLS12), mutual(tls.VersionTLS13)
	trusting := func(change func(*tls.Config)) *tls.Config {
		c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ours.pool}
		change(c)
		return c
	}
	client := ours.sign(t, &x509.Certificate{NotAfter: hour, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	stranger := foreign.sign(t, &x509.Certificate{NotAfter: hour, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	with := func(c tls.Certificate) *tls.Config {
		return trusting(func(t *tls.Config) {
			t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
		})
	}
	same := func(*tls.Config) {}

	for name, test := range map[string]struct {
		address string
		config  *tls.Config
		want    string // of the refusal; empty: it connects
	}{
		"our authority":                 {good, trusting(same), ""},
		"another name":                  {good, trusting(func(c *tls.Config) { c.ServerName = "broker.test" }), ""},
		"a wrong name":                  {good, trusting(func(c *tls.Config) { c.ServerName = "other.test" }), "other.test"},
		"a host that it is not for":     {"localhost" + port, trusting(same), "localhost"},
		"the system's authorities":      {good, nil, "unknown authority"},
		"a foreign authority":           {good, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: foreign.pool}, "unknown authority"},
		"expired":                       {expired, trusting(same), "expired"},
		"no TLS there":                  {addressOf(t, b.URL), trusting(same), "TLS handshake"},
		"a version that it has not":     {mutual12, trusting(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), "protocol version"},
		"a client certificate":          {mutual12, with(client), ""},
		"a client certificate, 1.3":     {mutual13, with(client), ""},
		"none, where one is wanted":     {mutual12, trusting(same), "remote error: tls"},
		"none, where one is wanted 1.3": {mutual13, trusting(same), "certificate required"},
		"a stranger's":                  {mutual12, with(stranger), "remote error: tls"},
		"a stranger's, 1.3":             {mutual13, with(stranger), "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick()
			cfg.TLS = test.config
			c := create(t, "amqps://guest:guest@"+test.address+"/", cfg)
			err := c.Connect(soon(t))
			var refused *connection.RefusedError
			switch {
			case test.want == "" && err != nil, test.want != "" && !errors.As(err, &refused):
				t.Fatalf("Connect says %v", err)
			case test.want != "" && !strings.Contains(err.Error(), test.want):
				t.Errorf("Connect says %v, not %s", err, test.want)
			}
			if test.config != nil && test.config.ServerName != "" && test.config.ServerName == test.address {
				t.Error("Config.TLS was changed")
			}
			if test.want != "" {
				return
			}
			ch, err := c.Channel(soon(t), connection.Consume)
			must(t, err)
			must(t, ch.Close())
			within(t, 5*time.Second, "Close", func() { must(t, c.Close(t.Context())) })
		})
	}
}
