// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
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

// way is a way to log in.
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

// A vendor that has seen an assertion refuses it for as long as it lives: twenty rotations need twenty-one that differ.
func TestAssertion_TwentyRotationsNoReplay(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	account := w.assertionAccount(t, simulator.Account{TokenTTL: time.Minute}, "rotation_percent=1")
	seen := map[string]bool{}
	for deadline := time.Now().Add(2 * time.Minute); len(seen) <= 20 && time.Now().Before(deadline); {
		response := w.readToken(t, "app")
		w.upstream.wantAccepted(t, simulator.FirstVision, response)
		seen[response.String("token_id")] = true
	}
	counts := w.upstream.Counters().Of(simulator.FirstVision, account.Name())
	if len(seen) <= 20 || counts.LoginsOK < 21 || counts.LoginsRefused != 0 {
		t.Errorf("%d tokens were read; %d logins succeeded and %d were refused", len(seen), counts.LoginsOK, counts.LoginsRefused)
	}
}

// assertionAccount is the config "main" that logs in by assertion, with the role "app".
func (w *testVault) assertionAccount(t *testing.T, account simulator.Account, extra ...string) simulator.Account {
	t.Helper()
	account.Protocol = simulator.FirstVision
	account = w.upstream.addAccount(t, account)
	for _, way := range waysToLogIn() {
		if way.Config == "cards-emea" {
			w.writeLogin(t, "main", account, way.Login, extra...)
		}
	}
	w.writeRole(t, "app", "main")
	return account
}

// The vendor's clock counts: an assertion that is not valid by it is made again by what its Date says.
func TestAssertion_ClockTenMinutesOff(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			w.upstream.SetClockOffset(off)
			account := w.assertionAccount(t, simulator.Account{})
			response := w.readToken(t, "app")
			w.upstream.wantAccepted(t, simulator.FirstVision, response)
			if left := response.Int("expires_in"); left > 3600 || left < 3540 {
				t.Errorf("expires_in is %d, want a little less than 3600", left)
			}
			// The first assertion was not valid upstream. The clock is known from then on.
			w.vault(t, "write", "-f", "mastersindia/rotate/main")
			w.upstream.wantAccepted(t, simulator.FirstVision, w.readToken(t, "app"))
			counts := w.upstream.Counters().Of(simulator.FirstVision, account.Name())
			if counts.LoginsRefused == 0 || counts.LoginsOK != 2 {
				t.Errorf("%d logins succeeded and %d were refused: was the clock off at all?", counts.LoginsOK, counts.LoginsRefused)
			}
			skew := w.readJSON(t, "read", "-format=json", "mastersindia/status/main").Int("clock_skew_seconds")
			if want := int(off / time.Second); skew < want-2 || skew > want+2 {
				t.Errorf("clock_skew_seconds is %d, want %d", skew, want)
			}
		})
	}
}

// What an API request needs besides the token comes with it, one role for each GSTIN, and all from one login.
func TestRole_MetadataReturnedWithToken(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "pune", "main", "metadata=gstin=27ABCDE1234F2Z5", "metadata=mode=Buyer")
	w.writeRole(t, "goa", "main", "metadata=gstin=30ABCDE1234F2Z5", "lease=false")
	for role, gstin := range map[string]string{"pune": "27ABCDE1234F2Z5", "goa": "30ABCDE1234F2Z5"} {
		metadata, _ := w.readToken(t, role).Data["metadata"].(map[string]any)
		if metadata["gstin"] != gstin {
			t.Errorf("the metadata of role %s is %v", role, metadata)
		}
	}
	if w.readToken(t, "app").Data["metadata"] != nil {
		t.Error("a role without metadata responds with some")
	}
	says(t, w.refused(t, "write", "mastersindia/role/pune", "metadata=two words=1"), "metadata: a name must be")
	w.upstream.wantLogins(t, 1)
}

func TestToken_ResponseHasEveryField(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	account := w.account(t, simulator.OAuth)
	w.writeConfig(t, "main", account)
	w.writeRole(t, "app", "main")
	response := w.readToken(t, "app")

	token := response.String("access_token")
	sum := sha256.Sum256([]byte(token))
	for field, want := range map[string]string{
		"token_type":    "Bearer",
		"authorization": "Bearer " + token,
		"token_id":      hex.EncodeToString(sum[:])[:16],
		"config":        "main",
		"client_id":     account.ClientID,
	} {
		if got := response.String(field); got != want {
			t.Errorf("%s is not what it should be; want %d characters, got %d", field, len(want), len(got))
		}
	}
	issued, err1 := time.Parse(time.RFC3339, response.String("issued_at"))
	expires, err2 := time.Parse(time.RFC3339, response.String("expires_at"))
	if err1 != nil || err2 != nil || expires.Sub(issued).Round(time.Minute) != time.Hour {
		t.Errorf("issued_at %q and expires_at %q are not an hour apart", response.String("issued_at"), response.String("expires_at"))
	}
	if _, err := time.Parse(time.RFC3339Nano, response.String("last_vault_rotation")); err != nil {
		t.Errorf("last_vault_rotation: %v", err)
	}
	if ttl, period := response.Int("ttl"), response.Int("rotation_period"); ttl < 5 || ttl > 3600 || period < 1 || period > 3600 {
		t.Errorf("ttl %d and rotation_period %d do not fit a token of an hour", ttl, period)
	}
	for field := range response.Data {
		switch field {
		case "access_token", "token_type", "authorization", "token_id", "issued_at", "expires_at", "expires_in", "config",
			"client_id", "ttl", "rotation_period", "last_vault_rotation":
		default:
			t.Errorf("the response has a field %s, of which the contract knows nothing", field)
		}
	}
}

func TestProtocol_EachRequestFormatLogsIn(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	formats := map[simulator.Protocol][]string{
		simulator.JWT:         {"json", "form", "multipart"},
		simulator.OAuth:       {"json", "form"},
		simulator.FirstVision: {"json", "query"}, // each of the others has an endpoint of its own
	}
	for protocol, list := range formats {
		for _, format := range list {
			name := string(protocol) + "-" + format
			w.writeConfig(t, name, w.account(t, protocol), "request_format="+format)
			w.writeRole(t, name, name)
			w.upstream.wantAccepted(t, protocol, w.readToken(t, name))
		}
	}
}

func TestToken_SharedByRolesOfConfig(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "other", "main", "max_ttl=10m")
	first, second, other := w.readToken(t, "app"), w.readToken(t, "app"), w.readToken(t, "other")
	if first.String("token_id") != second.String("token_id") || first.String("token_id") != other.String("token_id") {
		t.Error("readers of one config got different tokens")
	}
	written := w.readJSON(t, "write", "-force", "-format=json", "mastersindia/token/app")
	if written.String("token_id") != first.String("token_id") || written.LeaseID == "" {
		t.Errorf("a write to token/app gave token %s under the lease %q, want token %s", written.String("token_id"), written.LeaseID,
			first.String("token_id"))
	}
	if first.LeaseID == second.LeaseID {
		t.Error("two readers share one lease: the first to end it would end it for both")
	}
	if other.LeaseDuration != 600 {
		t.Errorf("a role with max_ttl=10m gave a lease of %d s", other.LeaseDuration)
	}
	w.upstream.wantLogins(t, 1)
}

func TestRole_WithoutLease(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	w.writeRole(t, "many", "main", "lease=false")
	response := w.readToken(t, "many")
	if response.LeaseID != "" || response.LeaseDuration != 0 {
		t.Errorf("a role with lease=false gave the lease %q of %d s", response.LeaseID, response.LeaseDuration)
	}
	if response.Int("ttl") < 5 {
		t.Errorf("without a lease clients go by ttl, which is %v", response.Data["ttl"])
	}
	says(t, w.refused(t, "write", "mastersindia/role/many", "config=main", "lease=false", "max_ttl=1h"), "max_ttl")
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
