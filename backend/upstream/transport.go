// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// maxHeader is the longest head of a response, in bytes.
const maxHeader = 64 << 10

// dialer makes a connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// network is how an account's requests reach the upstream.
type network struct {
	dial  dialer
	proxy func(*http.Request) (*url.URL, error)
	roots *x509.CertPool
}

// newNetwork reads the account's roots and proxy.
func newNetwork(a Account, o Options) (network, error) {
	roots, err := Certificates(a.CACert)
	if err != nil {
		return network{}, fmt.Errorf("ca_cert %w", err)
	}
	proxy, err := proxyFrom(a.ProxyURL)
	if err != nil {
		return network{}, err
	}
	n := network{dial: o.DialContext, proxy: proxy, roots: roots}
	if n.dial == nil {
		n.dial = (&net.Dialer{}).DialContext
	}
	return n, nil
}

// transport returns a transport for one request. When ctx ends, so does the dial, and every connection is closed.
//
// Logins are hours apart, so a connection that is kept open is of no use, and a cause of failures: an HTTP/2 connection
// that stopped responding would be given the next attempts as well, net/http sends some requests again when a connection that
// was kept breaks, and it has no deadline for a SOCKS5 handshake, nor for a connection that the server has said goodbye on.
func (n network) transport(ctx context.Context) *http.Transport {
	return &http.Transport{
		Proxy:                  n.proxy,
		OnProxyConnectResponse: checkProxy,
		// The transport's own context is not that of the request: it goes on when the request has given up.
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := n.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			return conn, nil
		},
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.roots},
		ForceAttemptHTTP2: true,
		// On a connection that waits for its next request, net/http logs what comes, and that may be the rest of a token.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// proxyFrom returns how the transport finds its proxy.
func proxyFrom(text string) (func(*http.Request) (*url.URL, error), error) {
	if text == "" {
		return proxyFromEnvironment, nil
	}
	u, ok := parseURL(text, "http", "https", "socks5", "socks5h")
	if !ok {
		return nil, errors.New("proxy_url must be an http, https or socks5 URL")
	}
	return http.ProxyURL(u), nil
}

// unreadableProxyError is the variable of the environment that cannot be read. Its value may hold a password.
type unreadableProxyError struct{ variable string }

func (e *unreadableProxyError) Error() string {
	return e.variable + " in Vault's environment is not the URL of a proxy"
}

// proxyFromEnvironment is http.ProxyFromEnvironment, but for a proxy that cannot be read: that ignores it, and goes past it.
func proxyFromEnvironment(r *http.Request) (*url.URL, error) {
	env := httpproxy.FromEnvironment()
	variable, value := "HTTPS_PROXY", &env.HTTPSProxy
	if r.URL.Scheme == "http" {
		variable, value = "HTTP_PROXY", &env.HTTPProxy
	}
	_, err := url.Parse(*value)
	if _, bare := url.Parse("http://" + *value); err == nil || bare == nil { // host:port is fine, too
		return env.ProxyFunc()(r.URL)
	}
	*value = "http://proxy"
	if u, err := env.ProxyFunc()(r.URL); u == nil { // NO_PROXY
		return nil, err
	}
	return nil, &unreadableProxyError{variable}
}

// Certificates reads PEM certificates; nil, for the system's roots, where there is no text. x509's own
// AppendCertsFromPEM skips what it cannot read, and so does package pem: a root that is left out would be found missing
// by a login that fails.
func Certificates(text string) (*x509.CertPool, error) {
	if text == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	found := 0
	block, rest := pem.Decode([]byte(text))
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("must contain certificates only, and no key")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("contains a certificate that cannot be read")
		}
		pool.AddCert(cert)
		found++
	}
	if strings.Count(text, "-----BEGIN") > found || strings.Count(text, "-----END") > found {
		return nil, errors.New("contains an incomplete certificate")
	}
	if found == 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("must be PEM certificates (-----BEGIN CERTIFICATE-----)")
	}
	return pool, nil
}
