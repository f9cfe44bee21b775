// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// living is the fixture with another life of its tokens.
func (f fixture) living(life time.Duration) fixture {
	f.account.TokenTTL, f.life = life, life
	return f
}

func TestLease_CappedByRoleAndMount(t *testing.T) {
	type testCase struct {
		role, mount, want time.Duration
	}
	each(t, map[string]testCase{
		"neither":                 {0, 768 * time.Hour, 24*time.Hour - margin},
		"the role":                {10 * time.Minute, 768 * time.Hour, 10 * time.Minute},
		"the mount":               {0, time.Hour, time.Hour},
		"the role below":          {10 * time.Minute, time.Hour, 10 * time.Minute},
		"the mount below":         {2 * time.Hour, time.Hour, time.Hour},
		"a limit beyond the life": {48 * time.Hour, 768 * time.Hour, 24*time.Hour - margin},
		"a second":                {time.Second, 768 * time.Hour, time.Second},
	}, func(t *testing.T, limits testCase) {
		w := newTestMountWith(t, func(w *testMount) { w.Node.SetMaxLease(limits.mount) }, jwtV1().account)
		w.mount(jwtV1())
		w.write("role/app", map[string]any{"max_ttl": limits.role.String()})
		resp := w.read("token/app")
		check.True(t, resp.Secret.TTL == limits.want && resp.Secret.MaxTTL == limits.want,
			"lease of %s, at most %s, want %s", resp.Secret.TTL, resp.Secret.MaxTTL, limits.want)
		check.True(t, len(resp.Warnings) == 0, "warnings %q on every read, want none", resp.Warnings)
	})
}

func TestLease_NewMountLimitWithinAMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newTestMountWith(t, func(w *testMount) { w.Node.SetMaxLease(time.Hour) }, jwtV1().account)
		w.mount(jwtV1())
		w.write("role/short", map[string]any{"config": "gst", "max_ttl": "11m"})
		w.read("token/app")
		w.Node.SetMaxLease(10 * time.Minute)
		advance(61 * time.Second)
		for _, path := range []string{"token/app", "token/short"} {
			check.Equal(t, w.read(path).Secret.TTL, 10*time.Minute, "%s: lease of", path)
		}
	})
}

// endLease ends a lease, as Vault does.
func (w *testMount) endLease(secret *logical.Secret) {
	w.t.Helper()
	resp, err := w.Backend().HandleRequest(w.t.Context(), w.leaseRequest(logical.RevokeOperation, secret))
	check.True(w.t, err == nil && (resp == nil || !resp.IsError()), "the lease cannot be ended: %v, %v", resp, err)
}

func TestLease_RevokeAlwaysSucceeds(t *testing.T) {
	each(t, map[string]func(w *testMount){
		"the config is gone":              func(w *testMount) { w.remove("config/gst") },
		"the role is gone":                func(w *testMount) { w.remove("role/app") },
		"the role and the config":         func(w *testMount) { w.remove("role/app"); w.remove("config/gst") },
		"the config is paused":            func(w *testMount) { w.write("config/gst", map[string]any{"paused": true}) },
		"the config was made again":       func(w *testMount) { w.remove("config/gst"); w.mount(jwtV1()) },
		"the upstream is down":            func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown}) },
		"the token has expired":           func(*testMount) { advance(48 * time.Hour) },
		"the token was revoked":           func(w *testMount) { w.write("revoke/gst", nil) },
		"the token was rotated":           func(w *testMount) { w.write("rotate/gst", nil) },
		"the engine was restarted":        func(w *testMount) { w.Reload() },
		"storage cannot be read":          func(w *testMount) { w.Storage.Fail(mounttest.Get, "", mounttest.ErrStorage()) },
		"storage cannot be written":       func(w *testMount) { w.Storage.Fail(mounttest.Put, "", mounttest.ErrStorage()) },
		"storage is gone":                 func(w *testMount) { w.LoseStorage() },
		"the entry of the token is wrong": func(w *testMount) { w.put("token/gst", "canary {"); w.Reload() },
	}, func(t *testing.T, happen func(w *testMount)) {
		w := jwtV1().mounted(t)
		secret := w.read("token/app").Secret
		happen(w)
		w.idle(func() { w.endLease(secret) })
	})
}

func TestLease_RevokeOfOtherVersions(t *testing.T) {
	each(t, map[string]map[string]any{
		"nothing known":         {"secret_type": "mastersindia_token"},
		"a later schema":        {"secret_type": "mastersindia_token", "schema": 99, "canary": map[string]any{"a": []any{1}}},
		"a schema as text":      {"secret_type": "mastersindia_token", "schema": "two"},
		"a schema over gRPC":    {"secret_type": "mastersindia_token", "schema": float64(1), "config": "gst", "role": "app"},
		"no schema":             {"secret_type": "mastersindia_token", "config": "gst", "role": "app"},
		"fields of other types": {"secret_type": "mastersindia_token", "schema": 1, "config": 5, "role": nil, "token_id": []any{}},
	}, func(t *testing.T, internal map[string]any) {
		w := jwtV1().mounted(t)
		token := w.read("token/app").Data["token_id"]
		w.idle(func() { w.endLease(&logical.Secret{InternalData: internal}) })
		w.quiet(func() { w.wantServed(token) })
	})
}

func TestLease_NotRenewable(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		secret := w.read("token/app").Secret
		w.idle(func() {
			resp, err := w.Backend().HandleRequest(t.Context(), w.leaseRequest(logical.RenewOperation, secret))
			check.True(t, err != nil || (resp != nil && resp.IsError()), "the lease was renewed: %v", resp)
		})
	})
}

// leaseRequest is Vault's request to end or renew a lease.
func (w *testMount) leaseRequest(op logical.Operation, secret *logical.Secret) *logical.Request {
	req := w.Request(op, "token/app", nil)
	req.Secret = secret
	return req
}

func TestLease_EndsFiveSecondsBeforeToken(t *testing.T) {
	const life = 20 * time.Minute
	fixturesTest(t, func(t *testing.T, f fixture) {
		s := f.living(life).mounted(t)
		first := s.token("app")
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		var last tokenResponse
		for {
			advance(457 * time.Millisecond)
			a, err := s.ask(t.Context(), "app", nil)
			if err != nil {
				break
			}
			check.Require(t, a.id == first.id, "another token although every login fails")
			want := time.Until(first.expires) - 5*time.Second
			check.Require(t, a.lease == want.Truncate(time.Second) && a.lease > 0,
				"lease of %s with %s to live, want %s", a.lease, want+5*time.Second, want.Truncate(time.Second))
			last = a
		}
		check.Require(t, s.Simulator.Counters().Faulted != 0, "the upstream was never asked")
		check.True(t, last.lease == time.Second, "the last lease was of %s, want 1s: a token is served down to 6 s", last.lease)
		left := time.Until(first.expires)
		check.True(t, left < 6*time.Second && left >= 5*time.Second, "reads began to fail with %s left, want just under 6s", left)
	})
}
