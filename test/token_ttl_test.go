// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestTokenTTL_IsPlannedRotation(t *testing.T) {
	eachOf(t, []int{1, 33, 66, 90, 100}, func(t *testing.T, percent int) {
		w := oauth().mounted(t, "rotation_percent", percent)
		began := time.Now()
		data := w.read("token/app").Data
		period, ttl := seconds(t, data, "rotation_period"), seconds(t, data, "ttl")
		planned := time.Hour * time.Duration(percent) / 100
		check.True(t,
			period >= time.Second && period <= time.Hour && period >= planned-10*time.Second && period <= planned+10*time.Second,
			"rotation_period is %s, want %s", period, planned)
		check.True(t, ttl >= 5*time.Second && ttl <= time.Hour, "ttl is %s, want at least 5s and at most the token's life", ttl)
		check.True(t, ttl >= planned-10*time.Second && ttl <= planned+10*time.Second+time.Minute,
			"ttl is %s, want the time until the rotation after %s", ttl, planned)
		at := moment(t, data, "last_vault_rotation")
		check.True(t, at.Sub(began).Abs() <= time.Second, "last_vault_rotation is %s, want %s", at, began)
	})
}

// With a longer ttl just before a rotation, clients that follow it would come too late.
func TestTokenTTL_CountsDownToTheRotation(t *testing.T) {
	eachOf(t, []string{"token/app", "token/many"}, func(t *testing.T, path string) {
		w := oauth().living(10 * time.Minute).mounted(t)
		w.write("role/many", map[string]any{"config": "gst", "lease": false})
		first := w.read(path).Data
		planned := time.Now().Add(seconds(t, first, "ttl"))
		advance(time.Until(planned) - 6*time.Second)
		least := time.Hour
		for {
			data := w.read(path).Data
			if data["token_id"] != first["token_id"] {
				break
			}
			ttl, until := seconds(t, data, "ttl"), time.Until(planned)
			least = min(least, ttl)
			check.True(t, ttl <= max(until, 0)+time.Second && ttl >= time.Second, "ttl is %s, %s before the rotation", ttl, until)
			advance(250 * time.Millisecond)
		}
		check.True(t, least == time.Second, "the least ttl before the rotation is %s, want 1s", least)
	})
}

// While a rotation is overdue the TTL is never below five. It never passes the token's end.
func TestTokenTTL_BelowFiveBeforeRotationOnly(t *testing.T) {
	eachNamed(t, map[string]func(w *testMount){
		"in peace":                    func(*testMount) {},
		"while the upstream is down":  func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown}) },
		"while logins are refused":    func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultRefuse}) },
		"while logins are throttled":  func(w *testMount) { w.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultThrottled}) },
		"while logins take very long": func(w *testMount) { w.slow(14 * time.Second) },
	}, func(t *testing.T, name string, disturb func(w *testMount)) {
		f := oauth().living(10 * time.Minute)
		w := f.mounted(t)
		planned := time.Now().Add(seconds(t, w.read("token/app").Data, "ttl"))
		disturb(w)
		for began := time.Now(); time.Since(began) < 9*time.Minute+50*time.Second; advance(7300 * time.Millisecond) {
			resp, err := w.tryRead("token/app", nil)
			check.Require(t, err == nil, "%s after the first read: %v", time.Since(began), err)
			ttl, left := seconds(t, resp.Data, "ttl"), seconds(t, resp.Data, "expires_in")
			check.True(t, ttl <= left+time.Second, "ttl is %s, but the token ends in %s", ttl, left)
			overdue := time.Now().After(planned) && name != "in peace"
			check.True(t, !overdue || ttl >= 5*time.Second || ttl >= left-time.Second, "ttl is %s, want at least 5s", ttl)
			check.True(t, seconds(t, resp.Data, "rotation_period") >= time.Second, "rotation_period is below a second")
		}
	})
}

// TestTokenTTL_LoweredDuringLogin: what a login brings lives no longer than the settings allow that are in force when it ends.
func TestTokenTTL_LoweredDuringLogin(t *testing.T) {
	eachOf(t, []string{"max_token_ttl", "default_token_ttl"}, func(t *testing.T, field string) {
		s := gstMount(t, 24*time.Hour)
		s.Simulator.SetAccount(jwtAccount(withTTL(24*time.Hour), func(a *simulator.Account) {
			a.OmitExpiry = field == "default_token_ttl"
		}))
		release := s.Upstream.Hold()
		reader := s.async("token/app")
		advance(time.Second)
		check.Require(t, s.logins() == 1, "no login is in flight")
		s.write("config/gst", map[string]any{field: "1h"})
		release()
		s.wait(reader)
		a := s.token("app")
		check.True(t, a.left <= time.Hour, "a token has %s left, and %s is an hour", a.left, field)
		s.wantLogins(1, "by a reader")
	})
}
