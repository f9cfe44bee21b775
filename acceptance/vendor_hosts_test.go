// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/must"
	"vault-plugin-secrets-mastersindia/simulator"
)

// vendors plays all the vendors' hosts at once: it is a proxy that leads whichever host it is asked for to the simulator, with
// a certificate for that host. So the presets can be tried as they are, and nothing leaves the machine.
type vendorHosts struct {
	simulator http.Handler
	ca        *simulator.CA
	url       string
	caFile    string

	mu    sync.Mutex
	hosts []string
}

func newVendorHosts(t *testing.T, sim http.Handler, caFile string) *vendorHosts {
	t.Helper()
	ca := must.Get(simulator.NewCA())(t)
	v := &vendorHosts{simulator: sim, ca: ca, caFile: caFile}
	must.Do(t, os.WriteFile(caFile, ca.CertPEM(), 0o600))
	proxy := httptest.NewServer(v)
	t.Cleanup(proxy.Close)
	v.url = proxy.URL
	return v
}

// env is what leads a process to the vendors.
func (v *vendorHosts) env() []string {
	return []string{"HTTPS_PROXY=" + v.url, "HTTP_PROXY=" + v.url, "SSL_CERT_FILE=" + v.caFile}
}

// asked returns the hosts that were asked for so far.
func (v *vendorHosts) asked() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.hosts...)
}

// ServeHTTP serves a proxy's requests: CONNECT for https, everything else for plain http.
func (v *vendorHosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.hosts = append(v.hosts, r.URL.Hostname())
	v.mu.Unlock()
	if r.Method != http.MethodConnect {
		v.simulator.ServeHTTP(w, r)
		return
	}
	config, err := v.ca.ServerTLS(r.URL.Hostname())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	v.serve(r.Context(), tls.Server(bufferedConn{conn, buffered.Reader}, config))
}

// serve handles the requests of one connection, until it ends.
func (v *vendorHosts) serve(ctx context.Context, conn net.Conn) {
	listener := &oneConn{conn: conn, done: make(chan struct{})}
	server := &http.Server{
		Handler:     v.simulator,
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				listener.end()
			}
		},
	}
	_ = server.Serve(listener) // it ends with the connection
}

// bufferedConn reads first what the proxy's server has read ahead.
type bufferedConn struct {
	net.Conn

	ahead *bufio.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.ahead.Read(p) }

// oneConn is a listener that accepts one connection.
type oneConn struct {
	conn net.Conn
	once sync.Once
	over sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	var conn net.Conn
	l.once.Do(func() { conn = l.conn })
	if conn != nil {
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) end() { l.over.Do(func() { close(l.done) }) }

func (l *oneConn) Close() error {
	l.end()
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
