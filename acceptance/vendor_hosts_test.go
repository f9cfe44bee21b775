// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
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

// vendorHosts plays all the vendors' hosts at once: it is a proxy that leads whichever host it is asked for to the simulator, with
// a certificate for that host. So the presets can be tried as they are, and nothing leaves the machine.
type vendorHosts struct {
	simulator   http.Handler
	secure      string // address of the simulator with TLS
	url, caFile string

	mu    sync.Mutex
	hosts []string
}

func newVendorHosts(t *testing.T, sim http.Handler, caFile string) *vendorHosts {
	t.Helper()
	ca := must.Get(simulator.NewCA())(t)
	must.Do(t, os.WriteFile(caFile, ca.CertPEM(), 0o600))
	secure := httptest.NewUnstartedServer(sim)
	secure.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return ca.ServerTLS(hello.ServerName)
	}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	v := &vendorHosts{simulator: sim, secure: secure.Listener.Addr().String(), caFile: caFile}
	proxy := httptest.NewServer(v)
	t.Cleanup(proxy.Close)
	v.url = proxy.URL
	return v
}

// env is what leads a process to the vendors.
func (v *vendorHosts) env() []string {
	return []string{"HTTPS_PROXY=" + v.url, "HTTP_PROXY=" + v.url, "SSL_CERT_FILE=" + v.caFile}
}

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
	near, ahead, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", v.secure)
	if err != nil {
		return
	}
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(far, ahead)
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far)
}
