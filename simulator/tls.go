// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"time"
)

// CA is a certificate authority made for one run. Its key is never written anywhere.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Certificates begin a day ago and end in a month: the wrong clocks of tests are wrong by less.
const (
	certBackdate = 24 * time.Hour
	certLife     = 30 * 24 * time.Hour
)

const caName = "mastersindia-simulator CA (not for anything real)"

// NewCA makes a certificate authority.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := newCertificate(caName)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

// ServerTLS makes a server's configuration with a fresh certificate for the hosts, names or addresses. Without hosts it
// is for 127.0.0.1, ::1 and localhost. HTTP/2 is not offered, as its connections cannot be dropped one by one (see
// FaultDown): to offer it, add "h2" to NextProtos.
func (ca *CA) ServerTLS(hosts ...string) (*tls.Config, error) {
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1", "::1", "localhost"}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := newCertificate("mastersindia-simulator")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}, nil
}

// CertPEM is the authority's certificate, as ca_cert wants it.
func (ca *CA) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// IsCACert reports whether the text is the CertPEM of a simulator, and nothing more.
func IsCACert(text []byte) bool {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 || !bytes.Equal(pem.EncodeToMemory(block), text) {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && cert.Subject.CommonName == caName
}

// Pool is a pool with nothing but this authority, for a client's tls.Config.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func newCertificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{ // without a serial number it gets a random one
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-certBackdate),
		NotAfter:  now.Add(certLife),
	}
}
