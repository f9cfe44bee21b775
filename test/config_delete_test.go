// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// remove sends a delete that must succeed, and returns its warnings.
func (w *testMount) remove(path string) (warnings string) {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.DeleteOperation, path, nil)
	r, refused := asRefusal(resp, err)
	check.Require(w.t, !refused, "delete %s: %d %s", path, r.status, r.message)
	return warningsOf(resp)
}

func TestConfigDelete_DropsTokens(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		token := text(t, w.read("token/app").Data, "access_token")
		w.quiet(func() {
			w.remove("config/gst")
			advance(48 * time.Hour) // past the rotation
		})
		for key, value := range w.stored() {
			w.hides(key+" "+value, append(f.secrets(), token)...)
		}
		w.wantAbsent("config/gst")
	})
}

// A deletion warns of roles that fail now and of tokens that live on upstream, if there are any.
func TestConfigDelete_WarnsOfWhatIsLeft(t *testing.T) { //nolint:tparallel // fixturesTest calls it
	deleted := func(w *testMount) (warnings string) {
		w.t.Helper()
		warnings = w.remove("config/gst")
		w.wantAbsent("config/gst")
		return warnings
	}
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		w.write("role/kiosk", map[string]any{"config": "gst"})
		expires := text(t, w.read("token/app").Data, "expires_at")
		said := deleted(w)
		w.says(said, "roles fail now, since they name the deleted config: app, kiosk.", "vault write mastersindia/role/app config=...",
			"Deleting a config revokes nothing: 1 of its tokens may be valid upstream until "+expires, "vault read mastersindia/ledger/gst")
		if f.config["refresh_url"] != nil {
			w.says(said, "before you delete a config, revoke its tokens: vault write -f mastersindia/revoke/gst")
		} else {
			w.says(said, "they could not have been revoked here before either")
		}
		w.hides(said, f.secrets()...)
		w.read("ledger/gst")
	})
	timed(t, "a token that the upstream would not revoke", func(t *testing.T) {
		w := jwtV2().mounted(t)
		w.read("token/app")
		w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse, On: simulator.OnRefresh})
		w.write("revoke/gst", nil)
		w.says(deleted(w), "1 of its tokens may be valid upstream until", "they could not have been revoked here before either")
	})
	timed(t, "many roles", func(t *testing.T) {
		w := jwtV1().mounted(t)
		for n := range 20 {
			w.write(fmt.Sprintf("role/r%02d", n), map[string]any{"config": "gst"})
		}
		w.says(deleted(w), "app, r00, r01, r02, r03 and perhaps more.")
	})
	timed(t, "all revoked, no role", func(t *testing.T) {
		w := jwtV2().mounted(t)
		w.read("token/app")
		w.write("revoke/gst", nil)
		w.remove("role/app")
		check.Equal(t, deleted(w), "", "nothing is left, and the warning")
	})
	timed(t, "storage hangs and fails", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			switch {
			case kind == mounttest.List:
				return mounttest.Fault{Err: mounttest.ErrStorage()}
			case kind == mounttest.Get && strings.HasPrefix(key, "config/"):
				return mounttest.Fault{Wait: time.Hour}
			default:
				return mounttest.Fault{}
			}
		})
		began := time.Now()
		w.remove("config/gst")
		atMost(t, time.Since(began), 3*time.Second, "the deletion took")
		w.Storage.Heal()
		w.badRequest(logical.ReadOperation, "token/app", nil, "does not exist")
	})
}

func TestConfigDelete_RoleSaysWhatToType(t *testing.T) {
	each(t, map[string]bool{"at once": false, "after a restart": true}, func(t *testing.T, restart bool) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.remove("config/gst")
		w.reloadIf(restart)
		for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
			w.badRequest(op, "token/app", nil, "gst", "vault write mastersindia/config/gst")
		}
		check.Equal(t, w.read("role/app").Data["config"], "gst", "the role names config")
	})
}

func TestConfigDelete_RecreatedConfigStartsFresh(t *testing.T) {
	eachPair(t, fixtures(), []bool{false, true}, func(t *testing.T, f fixture, restart bool) {
		w := f.mounted(t)
		old := w.read("token/app").Data["token_id"]
		w.remove("config/gst")
		w.reloadIf(restart)
		w.quiet(func() { w.write("config/gst", with(f.config, "verify_connection", false)) })
		w.reloadIf(restart)
		w.loggingIn(1, func() {
			check.True(t, w.read("token/app").Data["token_id"] != old, "the token of the deleted config is served")
		})
	})
}

func TestConfigDelete_DuringLoginLeavesNoToken(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		w.slow(5 * time.Second)
		response := w.async("token/app")
		advance(time.Second)
		w.remove("config/gst")
		r, refused := asRefusal(w.wait(response).unpack())
		check.True(t, refused && r.status == http.StatusBadRequest, "the reader got %v, want status 400", r)
		w.says(r.message, "gst")
		advance(time.Minute)
		for key := range w.stored() {
			check.True(t, !strings.HasPrefix(key, "token/") && !strings.HasPrefix(key, "config/"), "%s is stored after its config was deleted", key)
		}
		w.badRequest(logical.ReadOperation, "token/app", nil, "gst")
	})
}

// What is kept of a deleted config is which of its tokens were revoked, and when they end.
func TestConfigDelete_ReadsOfTheRoleWriteNothing(t *testing.T) {
	mountTest(t, jwtV1(), func(_ *testing.T, w *testMount) {
		w.read("token/app")
		w.write("revoke/gst", nil)
		w.remove("config/gst")
		advance(time.Second)
		w.unwritten(func() {
			for range 10 {
				w.refused(logical.ReadOperation, "token/app", nil)
				synctest.Wait()
			}
		})
	})
}

// A Retry-After was over two hours before the config was deleted and written again.
func TestConfigDelete_ThrottleThatIsOverIsForgotten(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute})
		s.failsWith(http.StatusTooManyRequests)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(2 * time.Hour)
		s.remove("config/gst")
		s.write("config/gst", jwtConfig("verify_connection", false))
		s.wantState("idle")
	})
}

// TestConfigDelete_SaysUntilToldEnd deletes a config whose token max_token_ttl ends: the upstream takes it for longer.
func TestConfigDelete_SaysUntilToldEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(24*time.Hour)))
		s.write("config/gst", jwtConfig("verify_connection", false, "max_token_ttl", "1h"))
		s.write("role/app", map[string]any{"config": "gst"})
		first := s.token("app")
		advance(30 * time.Minute)
		resp, err := s.do(t.Context(), logical.DeleteOperation, "config/gst", nil)
		check.NoError(t, err)
		check.Contains(t, warningsOf(resp), "valid upstream until 2000-01-02T00:00:00Z")
		advance(2 * time.Hour)
		found := s.lookUp("token_id", first.id)
		check.True(t, found.UsableUntil.After(time.Now()), "lookup: usable_until %s, %s", found.UsableUntil, found.Advice)
	})
}
