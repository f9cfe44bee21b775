// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package kubernetes

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// authority issues the certificates of one run.
type authority struct {
	*simulator.CA

	dir  string
	file string // holds its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{CA: check.Value(simulator.NewCA())(t), dir: t.TempDir()}
	a.file = a.write(t, "ca.crt", a.CertPEM())
	return a
}

// issue makes a key and a certificate of 127.0.0.1, for servers and clients, and returns the files that hold them.
func (a *authority) issue(t *testing.T, name string, groups ...string) (certFile, keyFile string) {
	t.Helper()
	cert := check.Value(a.Issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: groups}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}))(t)
	key := check.Value(x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey)))(t)
	return a.write(t, name+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})),
		a.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}))
}

// trust is the configuration of a client that trusts the authority, with a certificate of its own.
func (a *authority) trust(t *testing.T, certFile, keyFile string) *tls.Config {
	t.Helper()
	own := check.Value(tls.LoadX509KeyPair(certFile, keyFile))(t)
	return &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
}

// write puts a text into a file that only its owner can read.
func (a *authority) write(t *testing.T, name string, text []byte) string {
	t.Helper()
	file := filepath.Join(a.dir, name)
	check.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}
