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
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: caName}, NotBefore: time.Now().Add(-certBackdate), NotAfter: time.Now().Add(certLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
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
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	cert, err := ca.Issue(template)
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, err
}

// Issue makes a certificate of the template, which is valid now where that has no times.
func (ca *CA) Issue(template *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-certBackdate), time.Now().Add(certLife)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	// Without a serial number it gets a random one.
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
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
