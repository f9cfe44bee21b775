// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// file holds its certificate, pem is the same.
	file string
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir(), key: newKey(t)}
	template := certificate(pkix.Name{CommonName: "test authority"})
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert, a.pem = sign(t, template, template, a.key, a.key)
	a.file = a.write(t, "ca.crt", a.pem)
	return a
}

// issue makes a key and a certificate of 127.0.0.1, for servers and clients, and returns the files that hold them.
func (a *authority) issue(t *testing.T, name string, groups ...string) (certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	template := certificate(pkix.Name{CommonName: name, Organization: groups})
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	_, text := sign(t, template, a.cert, key, a.key)
	der := check.Value(x509.MarshalECPrivateKey(key))(t)
	return a.write(t, name+".crt", text), a.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// trust is the TLS configuration of a client that trusts the authority, with a certificate of its own.
func (a *authority) trust(t *testing.T, certFile, keyFile string) *tls.Config {
	t.Helper()
	own := check.Value(tls.LoadX509KeyPair(certFile, keyFile))(t)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
}

func (a *authority) write(t *testing.T, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(a.dir, name)
	check.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return check.Value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

func certificate(name pkix.Name) *x509.Certificate {
	return &x509.Certificate{
		Subject: name, SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func sign(t *testing.T, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, []byte) {
	t.Helper()
	der := check.Value(x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by))(t)
	cert := check.Value(x509.ParseCertificate(der))(t)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
