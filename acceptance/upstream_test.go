// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// upstream is a simulator in the test's own process, so that tests can order faults and read counters. All that it hands out
// is noted as something that must not leak.
type upstream struct {
	*simulator.Simulator

	url       string
	caFile    string
	client    *http.Client
	testVault *testVault
	// heard counts all requests, whatever they are.
	heard atomic.Int64

	mu sync.Mutex
	// began are when the requests of each path began, and moments when they began and ended.
	began, moments map[string][]time.Time
}

func newUpstream(t *testing.T, w *testVault) *upstream {
	t.Helper()
	u := &upstream{testVault: w, caFile: w.file("ca.pem"), began: map[string][]time.Time{}, moments: map[string][]time.Time{}}
	sim, err := simulator.New(simulator.Options{OnSecret: func(what simulator.Secret, value string) { u.note(t, what, value) }})
	check.NoError(t, err)
	u.Simulator = sim
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u.heard.Add(1)
		u.noteTime(u.began, r.URL.Path)
		u.noteTime(u.moments, r.URL.Path)
		defer u.noteTime(u.moments, r.URL.Path)
		sim.ServeHTTP(rw, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // Tests of certificates and of dropped connections make it talk.
	server.StartTLS()
	t.Cleanup(server.Close)
	u.url, u.client = server.URL, server.Client()
	u.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	check.NoError(t, os.WriteFile(u.caFile, cert, 0o600))
	return u
}

func (u *upstream) noteTime(times map[string][]time.Time, path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	times[path] = append(times[path], time.Now())
}

// loginTimes are when the logins of a protocol's accounts began or, of moments, began and ended.
func (u *upstream) loginTimes(times map[string][]time.Time, protocol simulator.Protocol) []time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(times[simulator.FullLogin(protocol).Path])
}

// addAccount makes an account known. Credentials that are missing are made up, with the characters that encodings change, so
// that a login proves that they arrive unharmed and a leak is found in whatever form.
func (u *upstream) addAccount(t *testing.T, account simulator.Account) simulator.Account {
	t.Helper()
	made := rand.Text()[:8]
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	for _, name := range simulator.Needs(account.Protocol) {
		switch name {
		case "username":
			fill(&account.Username, "user-"+made+"@example.com")
		case "password":
			fill(&account.Password, canary("password"))
		case "client_id":
			fill(&account.ClientID, "client-"+made)
		case "client_secret":
			fill(&account.ClientSecret, canary("client-secret"))
		default:
			t.Fatalf("accounts of protocol %s need %s, which this test does not know", account.Protocol, name)
		}
	}
	u.SetAccount(account)
	for label, secret := range map[string]string{"password": account.Password, "client_secret": account.ClientSecret} {
		if secret == "" {
			continue
		}
		check.NoError(t, u.testVault.secrets.Add(label+" of "+account.Name(), secret))
	}
	return account
}

// canary returns a new secret that is found again in whatever form.
func canary(what string) string { return fmt.Sprintf(`%s "<&>'+%%2B \ü€ %s`, what, rand.Text()) }

func (u *upstream) loginURL(protocol simulator.Protocol) string {
	return u.url + simulator.FullLogin(protocol).Path
}

func (u *upstream) logins() int { return u.Counters().Logins }

func (u *upstream) wantLogins(t *testing.T, want int) {
	t.Helper()
	check.Equal(t, u.logins(), want, "upstream saw N logins")
}

// wantAccepted checks that upstream's business call accepts the token of a response.
func (u *upstream) wantAccepted(t *testing.T, protocol simulator.Protocol, response harness.Secret) {
	t.Helper()
	status, body, accepted, err := simulator.CallBusiness(
		t.Context(), u.url, u.client, protocol, response.String("access_token"), response.String("client_id"))
	check.NoError(t, err)
	check.True(t, accepted, "upstream refused the token: %d %s", status, body)
}

// note notes what must not leak: it must show up nowhere, but an access token in the responses to readers.
func (u *upstream) note(t *testing.T, what simulator.Secret, value string) {
	t.Helper()
	leaks := u.testVault.secrets
	if what == simulator.AccessToken {
		leaks = u.testVault.tokens
	}
	if err := leaks.Add(string(what), value); err != nil {
		t.Error(err)
	}
}
