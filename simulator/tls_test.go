// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// newTLSBed serves the demo accounts over TLS with a certificate for the hosts.
func newTLSBed(t *testing.T, ca *simulator.CA, hosts ...string) (*simulator.Simulator, *httptest.Server) {
	t.Helper()
	sim := check.Value(simulator.New(simulator.Options{Accounts: simulator.DemoAccounts()}))(t)
	config := check.Value(ca.ServerTLS(hosts...))(t)
	server := httptest.NewUnstartedServer(sim)
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refusals are expected
	server.StartTLS()
	t.Cleanup(server.Close)
	return sim, server
}

func newCA(t *testing.T) *simulator.CA {
	t.Helper()
	return check.Value(simulator.NewCA())(t)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	pem := x509.NewCertPool()
	check.Require(t, pem.AppendCertsFromPEM(ca.CertPEM()), "the PEM cannot be read")
	tests := []struct {
		name   string
		hosts  []string
		server string // what the client believes to talk to
		roots  *x509.CertPool
		max    uint16
		ok     bool
	}{
		{"by address", nil, "127.0.0.1", ca.Pool(), 0, true},
		{"by address 6", nil, "::1", ca.Pool(), 0, true},
		{"by name", nil, "localhost", pem, 0, true},
		{"own name", []string{"simulator.example"}, "simulator.example", pem, 0, true},
		{"TLS 1.2", nil, "localhost", pem, tls.VersionTLS12, true},
		{"TLS 1.1", nil, "localhost", pem, tls.VersionTLS11, false},
		{"other name", nil, "other.example", pem, 0, false},
		{"system roots", nil, "localhost", nil, 0, false},
		{"other authority", nil, "localhost", newCA(t).Pool(), 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, server := newTLSBed(t, ca, test.hosts...)
			transport := &http.Transport{TLSClientConfig: &tls.Config{
				RootCAs: test.roots, ServerName: test.server, MaxVersion: test.max, MinVersion: tls.VersionTLS10,
			}}
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport}).Get(server.URL + "/_simulator/")
			if err == nil {
				response.Body.Close()
			}
			check.True(t, (err == nil) == test.ok, "got %v", err)
		})
	}
}

// TestTLSDown drops a connection although the client would like to speak HTTP/2.
func TestTLSDown(t *testing.T) {
	t.Parallel()
	ca := newCA(t)
	sim, server := newTLSBed(t, ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	path, body, _ := loginRequest(account(simulator.OAuth, nil))
	response, err := client.Post(server.URL+path, typeJSON, strings.NewReader(body))
	check.NoError(t, err)
	response.Body.Close()
	check.True(t, response.StatusCode == http.StatusOK && response.ProtoMajor == 1, "got %s %s", response.Proto, response.Status)
	sim.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
	second, err := client.Post(server.URL+path, typeJSON, strings.NewReader(body))
	if err == nil {
		second.Body.Close()
		t.Errorf("want no response, got %s", second.Status)
	}
}
