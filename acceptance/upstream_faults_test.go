// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestUpstreamFault_StatusCodeWithoutSecret(t *testing.T) {
	t.Parallel()
	for kind, code := range map[simulator.FaultKind]string{
		simulator.FaultDown:        "Code: 502",
		simulator.FaultUnavailable: "Code: 502",
		simulator.FaultThrottled:   "Code: 429",
		simulator.FaultHTML:        "Code: 502",
		simulator.FaultCut:         "Code: 502",
		simulator.FaultGarbage:     "Code: 502",
		simulator.FaultEmpty:       "Code: 502",
		simulator.FaultRefuse:      "Code: 400",
		simulator.FaultStall:       "Code: 504",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			for _, protocol := range simulator.Protocols() {
				name := string(protocol)
				timeout := "request_timeout=15s"
				if kind == simulator.FaultStall {
					timeout = "request_timeout=1s"
				}
				w.writeConfig(t, name, w.account(t, protocol), "verify_connection=false", timeout)
				w.writeRole(t, name, name)
				w.upstream.SetFault(protocol, simulator.Fault{Kind: kind})
				says(t, w.readOnce(t, name), code, name)
			}
			w.upstream.wantLogins(t, len(simulator.Protocols()))
		})
	}
}

func TestUpstreamFault_TokenServedDuringOutage(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.OAuth)
	before := w.readToken(t, "app")
	w.upstream.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
	for range 3 {
		if after := w.readToken(t, "app"); after.String("token_id") != before.String("token_id") {
			t.Error("the token is another one although upstream is down")
		}
	}
}

func TestUpstreamFault_RedirectNotFollowed(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer elsewhere.Close()
	w.writeConfig(t, "main", w.account(t, simulator.JWT), "verify_connection=false")
	w.writeRole(t, "app", "main")
	w.upstream.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRedirect, RedirectTo: elsewhere.URL})
	says(t, w.readOnce(t, "app"), "Code: 502")
	if visits.Load() > 0 {
		t.Error("the login followed a redirect, and took the password along")
	}
}

func TestUpstreamFault_WrongClockKeepsLifetime(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			w.upstream.SetClockOffset(offset)
			for _, protocol := range simulator.Protocols() {
				account := w.upstream.addAccount(t, simulator.Account{
					Protocol: protocol, TokenTTL: time.Hour, AbsoluteExpiry: protocol == simulator.FirstVision,
				})
				w.writeConfig(t, string(protocol), account)
				w.writeRole(t, string(protocol), string(protocol))
				response := w.readToken(t, string(protocol))
				if left := response.Int("expires_in"); left > 3600 || left < 3540 {
					t.Errorf("%s: a token of an hour has %d s left", protocol, left)
				}
			}
		})
	}
}

// readOnce reads a token that cannot be had, and returns what Vault said. It asks once: the vault command would ask again
// after a 5xx.
func (w *testVault) readOnce(t *testing.T, role string) string {
	t.Helper()
	client := w.rootClient(t)
	_, err := client.Logical().ReadWithContext(t.Context(), "mastersindia/token/"+role)
	if err == nil {
		t.Fatalf("a read of token/%s succeeded, and should have failed", role)
	}
	said := err.Error()
	for _, leaks := range []*harness.Leaks{w.secrets, w.tokens} {
		for _, finding := range leaks.SearchText("a response", []byte(said)) {
			t.Errorf("leaked: %s", finding)
		}
	}
	return said
}
