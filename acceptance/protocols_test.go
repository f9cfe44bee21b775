// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

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
			if left > life || left < life-60 {
				t.Errorf("expires_in is %d, want a little less than %d", left, life)
			}
			if response.LeaseDuration <= 0 || response.LeaseDuration > left {
				t.Errorf("the lease lives %d s, the token %d s", response.LeaseDuration, left)
			}
			if response.LeaseDuration < left-6 {
				t.Errorf("the lease lives %d s of the token's %d s, want all but 5", response.LeaseDuration, left)
			}
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
		settings = append(settings, w.presetSettings(t, login.Preset)...)
	}
	w.writeConfig(t, name, account, append(settings, extra...)...)
}

// presetSettings are those that the preset fills and that the account's usual way to log in would name otherwise.
func (w *testVault) presetSettings(t *testing.T, preset string) []string {
	t.Helper()
	if scope := w.readJSON(t, "read", "-format=json", "mastersindia/preset/"+preset).String("scope"); scope != "" {
		return []string{"scope=" + scope}
	}
	return nil
}

func TestLease_BoundedByMountWithoutWarning(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.vault(t, "secrets", "tune", "-max-lease-ttl=30m", "mastersindia")
	w.app(t, simulator.JWT)
	response := w.readToken(t, "app")
	if response.LeaseDuration != 1800 || len(response.Warnings) > 0 {
		t.Errorf("got a lease of %d s and warnings %q, want 1800 s and none", response.LeaseDuration, response.Warnings)
	}
}
