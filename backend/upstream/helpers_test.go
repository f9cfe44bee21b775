// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/memorynet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Invented secrets. None is a substring of another, nor of an ordinary response.
const (
	testUser         = "asha@example.com"
	testPassword     = `Pä55😀 <w&rd>"'/\+%~!`
	testClientID     = "client-0042"
	testClientSecret = "s3cr+t/of=client&0042"
	testAudience     = "https://authorization.example/security/v1/token"
	testOpaqueToken  = "0123456789abcdef0123456789abcdef01234567"
)

// noon is what both clocks show in tests that do not say otherwise.
func noon() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }

type request struct {
	*http.Request
	body string
}

// server is an upstream that records what it is sent.
type server struct {
	*httptest.Server
	mu          sync.Mutex
	requests    []request
	connections int
}

// serve starts an upstream. It is stopped with the test.
func serve(t *testing.T, handle http.HandlerFunc) *server {
	t.Helper()
	s := newServer(handle)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// timed runs a test in time of its own.
func timed(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

// serveInMemory starts an upstream in a bubble that dial leads to, over TLS if secure is given, and stops it with the test.
func serveInMemory(
	t *testing.T, secure *tls.Config, handle http.HandlerFunc,
) (s *server, dial func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	s = newServer(handle)
	_ = s.Listener.Close()
	network := memorynet.New()
	s.Listener = network
	if secure != nil {
		s.Listener = tls.NewListener(network, secure)
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, network.Dial
}

func newServer(handle http.HandlerFunc) *server {
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, request{Request: r, body: string(body)})
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.Header().Set("Date", noon().Format(http.TimeFormat))
		handle(w, r)
	}))
	// Failed handshakes are what some tests are about; the server need not complain.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.connections++
			s.mu.Unlock()
		}
	}
	return s
}

func (s *server) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *server) connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// only returns the one request that was sent, and fails the test if there were more or none.
func (s *server) only(t *testing.T) request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	check.Require(t, len(s.requests) == 1, "the server was asked %d times, want once", len(s.requests))
	return s.requests[0]
}

// always sends the same response. Headers come as "Name: value".
func always(status int, contentType, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			if value == "" {
				// The server adds no header of its own where the map has a nil entry.
				w.Header()[name] = nil
				continue
			}
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func protocols() []upstream.Protocol {
	var names []upstream.Protocol
	for _, spec := range upstream.Specs() {
		names = append(names, spec.Protocol)
	}
	return names
}

// accountFor returns an account with every setting that the protocol uses with its default format.
func accountFor(p upstream.Protocol, url string) upstream.Account { return accountWith(p, "", url) }

// accountWith returns an account with every setting that the protocol uses with the format.
func accountWith(p upstream.Protocol, format upstream.Format, url string) upstream.Account {
	a := upstream.Account{Protocol: p, Format: format, TokenURL: url, RequestTimeout: 10 * time.Second}
	values := map[string]struct {
		at    *string
		value string
	}{
		upstream.FieldUsername:          {&a.Username, testUser},
		upstream.FieldPassword:          {&a.Password, testPassword},
		upstream.FieldClientID:          {&a.ClientID, testClientID},
		upstream.FieldClientSecret:      {&a.ClientSecret, testClientSecret},
		upstream.FieldScope:             {&a.Scope, "accounts cards misc"},
		upstream.FieldAssertionAudience: {&a.AssertionAudience, testAudience},
		upstream.FieldRefreshURL:        {&a.RefreshURL, url + "/refresh/"},
	}
	spec, _ := upstream.SpecOf(p)
	if format == "" {
		format = spec.DefaultFormat()
	}
	for _, field := range spec.Fields {
		_, used := spec.Use(field.Name, format)
		v, known := values[field.Name]
		switch {
		case used && known:
			*v.at = v.value
		case used && field.Default == "" && field.Name != upstream.FieldRefreshHeaders:
			panic("say in accountWith a value of " + field.Name)
		}
	}
	return a
}

func newClient(t *testing.T, a upstream.Account) upstream.Client {
	t.Helper()
	return newClientAt(t, a, noon())
}

func newClientAt(t *testing.T, a upstream.Account, now time.Time) upstream.Client {
	t.Helper()
	c, err := upstream.New(a, upstream.Options{Now: func() time.Time { return now }})
	check.Require(t, err == nil, "New: %v", err)
	return c
}

// login logs in at a server that always sends the same response, and checks that it got one request.
func login(t *testing.T, p upstream.Protocol, handle http.HandlerFunc) (*upstream.Token, error) {
	t.Helper()
	return loginAs(t, p, func(*upstream.Account) {}, handle)
}

// loginAs is login with another account.
func loginAs(
	t *testing.T, p upstream.Protocol, change func(*upstream.Account), handle http.HandlerFunc,
) (*upstream.Token, error) {
	t.Helper()
	s := serve(t, handle)
	a := accountFor(p, s.URL)
	change(&a)
	token, err := newClient(t, a).Login(context.Background())
	s.only(t)
	return token, err
}

// loginWith is login at jwt with another password, which must fail.
func loginWith(t *testing.T, password string, handle http.HandlerFunc) *upstream.Error {
	t.Helper()
	return mustFail(loginAs(t, upstream.JWT, func(a *upstream.Account) { a.Password = password }, handle))(t)
}

// parallel runs a subtest in parallel with others.
func parallel(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		f(t)
	})
}

// each runs a test for each case, in parallel.
func each[C any](t *testing.T, cases map[string]C, f func(t *testing.T, c C)) {
	t.Helper()
	t.Parallel()
	for name, c := range cases {
		parallel(t, name, func(t *testing.T) { f(t, c) })
	}
}

func refresh(t *testing.T, handle http.HandlerFunc) (*upstream.Token, error) {
	t.Helper()
	s := serve(t, handle)
	token, err := newClient(t, accountFor(upstream.JWT, s.URL)).Refresh(context.Background(), "an-old-refresh-token")
	s.only(t)
	return token, err
}

// mustFail gives the error of a failed exchange: e := mustFail(client.Login(ctx))(t).
func mustFail(token *upstream.Token, err error) func(*testing.T) *upstream.Error {
	return func(t *testing.T) *upstream.Error {
		t.Helper()
		var e *upstream.Error
		check.Require(t, errors.As(err, &e) && token == nil && err.Error() == e.Error(),
			"got token %v and error %v, want an *upstream.Error and no more", token, err)
		check.True(t, e.Kind != "" && e.Op != "" && (e.Cause != "" && e.Cause != upstream.CauseToken) == (e.Kind == upstream.Unavailable),
			"the error %#v lacks its kind, its operation or its cause", *e)
		return e
	}
}

// mustBe checks the kind and, for unavailable, the cause of an error, written as "kind" or "kind/cause".
func mustBe(t *testing.T, e *upstream.Error, want string) {
	t.Helper()
	got := string(e.Kind)
	if e.Cause != "" && e.Cause != upstream.CauseToken {
		got += "/" + string(e.Cause)
	}
	check.True(t, got == want, "got kind %s, want %s (%v)", got, want, e)
}

// claims are written into test tokens.
type claims map[string]any

// makeJWT returns a JWT whose header is as broken as those in the vendors' samples: only its payload can be read.
func makeJWT(c claims) string {
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return "eyo0eXbroken." + base64.RawURLEncoding.EncodeToString(payload) + ".c2lnbmF0dXJl"
}

// soapResponse puts the content of a response element into an envelope as NuSOAP writes it.
func soapResponse(element, content string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="ISO-8859-1"?><SOAP-ENV:Envelope `+
		`xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">`+
		`<SOAP-ENV:Body><ns1:%[1]s xmlns:ns1="urn:server">%[2]s</ns1:%[1]s></SOAP-ENV:Body></SOAP-ENV:Envelope>`,
		element, content)
}

func soapSuccess(token, expiresIn string) string {
	return soapResponse("access_new_tokenResponse", "<access_token>"+token+"</access_token><expires_in>"+expiresIn+
		"</expires_in><token_type>bearer</token_type><error_description/>")
}

func firstVisionErrors(code string, status int, reason string) string {
	return fmt.Sprintf(`[{"detail": "Please refer to invalid-params for error details", "errorCode": %q,
		"instance": "/v1/api/oauth/token", "invalid-params": [%q], "source": "AGT", "status": %d, "title": "Unauthorized"}]`,
		code, reason, status)
}
