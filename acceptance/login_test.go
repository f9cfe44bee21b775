// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// coldReaders is enough to pile up while a login is in flight, and few enough for two cores.
const coldReaders = 100

func TestSharedLogin_HundredColdReaders(t *testing.T) {
	t.Parallel()
	for _, protocol := range simulator.Protocols() {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			w.writeConfig(t, "main", w.account(t, protocol), "verify_connection=false")
			for role := range 3 {
				w.writeRole(t, fmt.Sprintf("app-%d", role), "main")
			}
			w.upstream.SetFault(protocol, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Second})
			ids := w.readAtOnce(t, coldReaders)
			for _, id := range ids {
				check.Equal(t, id, ids[0], "readers got different tokens")
			}
			w.upstream.wantLogins(t, 1)
		})
	}
}

// readAtOnce reads through the roles app-0, app-1 and app-2 in turn, all at the same time, and returns the token_id of each
// response.
func (w *testVault) readAtOnce(t *testing.T, readers int) []string {
	t.Helper()
	client := w.rootClient(t)
	ids := make([]string, readers)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range ids {
		group.Go(func() error {
			response, err := client.Logical().ReadWithContext(ctx, fmt.Sprintf("mastersindia/token/app-%d", i%3))
			if err != nil {
				return err
			}
			ids[i], _ = response.Data["token_id"].(string)
			return nil
		})
	}
	check.NoError(t, group.Wait())
	return ids
}

func TestProtocol_EachTokenAccepted(t *testing.T) {
	t.Parallel()
	for _, way := range waysToLogIn() {
		t.Run(way.protocol+" "+way.Config, func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			protocol := simulator.Protocol(way.protocol)
			w.writeLogin(t, "main", w.account(t, protocol), way.Login)
			w.writeRole(t, "app", "main")
			response := w.readToken(t, "app")
			w.upstream.wantAccepted(t, protocol, response)
			w.upstream.wantLogins(t, 1) // The login that verified the account gave the token.

			life := int(way.TokenTTL / time.Second)
			left := response.Int("expires_in")
			check.True(t, left <= life && left >= life-60, "expires_in is %d, want a little less than %d", left, life)
			check.True(t, response.LeaseDuration > 0 && response.LeaseDuration <= left,
				"the lease lives %d s, the token %d s", response.LeaseDuration, left)
			check.True(t, response.LeaseDuration >= left-6,
				"the lease lives %d s of the token's %d s, want all but 5", response.LeaseDuration, left)
			if response.Renewable || response.LeaseID == "" || len(response.Warnings) > 0 {
				t.Errorf("want a lease that is not renewable and no warning, got %q, renewable %t, %q",
					response.LeaseID, response.Renewable, response.Warnings)
			}
		})
	}
}

type way struct {
	simulator.Login

	protocol string
}

func waysToLogIn() []way {
	var ways []way
	for _, protocol := range simulator.Protocols() {
		for _, login := range simulator.Logins(protocol) {
			ways = append(ways, way{login, string(protocol)})
		}
	}
	return ways
}

// writeLogin stores an account with one way to log in, as the preset of the real endpoint has it.
func (w *testVault) writeLogin(t *testing.T, name string, account simulator.Account, login simulator.Login, extra ...string) {
	t.Helper()
	settings := login.SettingsFor(account)
	if login.Preset != "" {
		settings = append(settings, "preset="+login.Preset, "protocol="+string(account.Protocol))
	}
	settings = append(settings, "token_url="+w.upstream.url+login.Path)
	if login.RefreshPath != "" {
		settings = append(settings, "refresh_url="+w.upstream.url+login.RefreshPath)
	}
	if login.Preset != "" && !slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, "scope=") }) {
		// The preset fills it, and the account's usual way to log in would name another.
		if scope := w.readJSON(t, "read", "-format=json", "mastersindia/preset/"+login.Preset).String("scope"); scope != "" {
			settings = append(settings, "scope="+scope)
		}
	}
	w.writeConfig(t, name, account, append(settings, extra...)...)
}

func TestLease_BoundedByMountWithoutWarning(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.vault(t, "secrets", "tune", "-max-lease-ttl=30m", "mastersindia")
	w.app(t, simulator.JWT)
	response := w.readToken(t, "app")
	check.True(t, response.LeaseDuration == 1800 && len(response.Warnings) == 0,
		"got a lease of %d s and warnings %q, want 1800 s and none", response.LeaseDuration, response.Warnings)
}

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
				check.Contains(t, w.readOnce(t, name), code, name)
			}
			w.upstream.wantLogins(t, len(simulator.Protocols()))
		})
	}
}

// readOnce reads a token that cannot be had, and returns what Vault said. It asks once: the vault command would ask again
// after a 5xx.
func (w *testVault) readOnce(t *testing.T, role string) string {
	t.Helper()
	client := w.rootClient(t)
	_, err := client.Logical().ReadWithContext(t.Context(), "mastersindia/token/"+role)
	check.Require(t, err != nil, "a read of token/%s succeeded, and should have failed", role)
	said := err.Error()
	for _, leaks := range []*harness.Leaks{w.secrets, w.tokens} {
		for _, finding := range leaks.SearchText("a response", []byte(said)) {
			t.Errorf("leaked: %s", finding)
		}
	}
	return said
}
