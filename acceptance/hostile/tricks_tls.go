// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// tlsTricks are handshakes that must not succeed.
func tlsTricks() []Trick {
	refused := func(name string, change func(*Server, *tls.Config) error) Trick {
		return Trick{
			Name: name, Speaks: TLS, Kind: unavailable, Code: http.StatusBadGateway, Unheard: true, tls: change,
			response: says(httpResponse("200 OK", "application/json", `{"token":"`+goodToken()+`"}`)),
		}
	}
	raw := func(name string, code int, play func(*Visit)) Trick {
		return Trick{Name: name, Speaks: TLS, Kind: unavailable, Code: code, Unheard: true, raw: play}
	}
	return []Trick{
		refused("a certificate of another authority", func(_ *Server, c *tls.Config) error {
			other, err := simulator.NewCA()
			if err != nil {
				return err
			}
			strange, err := other.ServerTLS(serverName)
			if err == nil {
				c.Certificates = strange.Certificates
			}
			return err
		}),
		refused("a certificate for another name", func(s *Server, c *tls.Config) error {
			other, err := s.ca.ServerTLS("elsewhere.example")
			if err == nil {
				c.Certificates = other.Certificates
			}
			return err
		}),
		refused("a certificate that vouches for itself", vouchesForItself),
		refused("a certificate that has expired", validBetween(-2*time.Hour, -time.Hour)),
		refused("a certificate of tomorrow", validBetween(time.Hour, 2*time.Hour)),
		refused("TLS 1.1 at most", func(_ *Server, c *tls.Config) error {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return nil
		}),
		refused("another protocol by ALPN", func(_ *Server, c *tls.Config) error {
			c.NextProtos = []string{"imap"}
			return nil
		}),
		raw("silence in the handshake", http.StatusGatewayTimeout, func(v *Visit) { v.linger() }),
		raw("plain HTTP at an https URL", http.StatusBadGateway, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")),
		raw("noise in the handshake", http.StatusBadGateway, says(strings.Repeat("\x16\x03\x03\x00\x04noise", 100))),
		raw("a fatal alert", http.StatusBadGateway, says("\x15\x03\x03\x00\x02\x02\x28")),
		raw("endless alerts", http.StatusBadGateway, func(v *Visit) { v.flood("\x15\x03\x03\x00\x02\x01\x5a") }),
		raw("a record that is too long", http.StatusBadGateway, says("\x16\x03\x03\xff\xff"+strings.Repeat("x", 1<<16))),
		raw("a handshake message of 16 MB", http.StatusBadGateway, func(v *Visit) {
			if v.send("\x16\x03\x03\x40\x00\x02\xff\xff\xff" + strings.Repeat("x", 1<<14-4)) {
				v.flood("\x16\x03\x03\x40\x00" + strings.Repeat("x", 1<<14))
			}
		}),
		raw("the end of the connection in the handshake", http.StatusBadGateway, func(v *Visit) {
			_, _ = v.Read(make([]byte, 1)) // the client has begun
		}),
		raw("an echo of the handshake", http.StatusBadGateway, func(v *Visit) {
			hello := make([]byte, 1<<14)
			n, _ := v.Read(hello)
			says(string(hello[:n]))(v)
		}),
	}
}

// validBetween is a certificate that is right, but for its times, which count from now.
func validBetween(from, to time.Duration) func(*Server, *tls.Config) error {
	return func(s *Server, c *tls.Config) error {
		cert, err := s.ca.Issue(&x509.Certificate{
			NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		})
		c.Certificates = []tls.Certificate{cert}
		return err
	}
}

func vouchesForItself(_ *Server, c *tls.Config) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return err
}
