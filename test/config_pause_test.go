// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

func TestConfigPause_ReadsFailWithReason(t *testing.T) { //nolint:tparallel // eachPair calls it
	eachPair(t, []bool{true, false}, []bool{false, true}, func(t *testing.T, before, restart bool) {
		w := jwtV1().mounted(t)
		w.EveryMinute()
		rejected := any("0123456789abcdef")
		if before {
			rejected = w.read("token/app").Data["token_id"]
		}
		w.quiet(func() { w.write("config/gst", map[string]any{"paused": true, "pause_reason": "year-end audit: 100%d"}) })
		w.reloadIf(restart)
		for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
			w.badRequest(op, "token/app", nil, "gst", "year-end audit: 100%d", "vault write mastersindia/config/gst paused=false")
		}
		w.badRequest(logical.UpdateOperation, "rotate/gst", nil, "year-end audit: 100%d")
		w.badRequest(logical.UpdateOperation, "token/app", map[string]any{"rejected_token_id": rejected}, "year-end audit: 100%d")
		w.quiet(func() { advance(48 * time.Hour) })
		w.badRequest(logical.ReadOperation, "token/app", nil, "gst", "year-end audit: 100%d")
	})
	timed(t, "without a reason", func(t *testing.T) {
		w := jwtV1().mounted(t, "paused", true)
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"paused": ""}, "paused: is empty") // as of an unset variable
		w.badRequest(logical.ReadOperation, "token/app", nil, "gst", "paused")
	})
}

func TestConfigPause_ResumedServesAgain(t *testing.T) {
	each(t, map[string]bool{"at once": false, "after a restart": true}, func(t *testing.T, restart bool) {
		w := jwtV1().mounted(t)
		w.read("token/app")
		w.write("config/gst", map[string]any{"paused": true})
		w.badRequest(logical.ReadOperation, "token/app", nil, "gst")
		w.reloadIf(restart)
		w.quiet(func() { w.write("config/gst", map[string]any{"paused": false}) })
		w.wantLiveToken()
	})
}

func TestConfigPause_CreatedPausedWithoutLogin(t *testing.T) {
	t.Parallel()
	timed(t, "created", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		w.quiet(func() { w.write("config/gst", jwtConfig("paused", true)) })
		check.Equal[any](t, w.read("config/gst").Data["paused"], true, "paused")
	})
	timed(t, "updated", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.quiet(func() { w.write("config/gst", map[string]any{"paused": true, "username": "clerk-two"}) })
	})
}

// A reason alone does not pause, and new credentials of a paused config are not verified: both writes succeed and say so.
func TestConfigPause_WarnsOfUnpausedAndUnverified(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		const notPaused, unverified = "The config is not paused: to pause it: vault write mastersindia/config/gst paused=true",
			"its login was not verified, since it is paused: after you resume it, see whether it logs in: vault write -f mastersindia/rotate/gst"
		for n, step := range []struct {
			data map[string]any
			says string
		}{
			{map[string]any{"pause_reason": "password leaked"}, notPaused},
			{map[string]any{"pause_reason": "password leaked"}, notPaused},
			{map[string]any{"pause_reason": ""}, ""},
			{map[string]any{"paused": true, "pause_reason": "password leaked"}, ""},
			{map[string]any{"pause_reason": "changed"}, ""},
			{map[string]any{"password": "mistyped"}, unverified},
			{map[string]any{"password": "mistyped again", "verify_connection": false}, ""},
			{map[string]any{"paused": false, "pause_reason": "kept"}, "The config was paused (changed) and is resumed now"},
		} {
			warns := warningsOf(w.write("config/gst", step.data))
			check.True(t, (warns == "") == (step.says == "") && strings.Contains(warns, step.says), "write %d warns %q", n, warns)
		}
		w.refusal(logical.UpdateOperation, "rotate/gst", nil)
	})
}

// An export from before the pause resumes the account, and paused=false may be for another config. A write of secrets is meant.
func TestConfigPause_ResumeWarns(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		export := w.read("config/gst").Data
		const resumed = "The config was paused (password leaked) and is resumed now: to pause it again: " +
			"vault write mastersindia/config/gst paused=true pause_reason=..."
		const replaced = "Config gst was paused already (password leaked), and that reason is replaced now."
		const reused = "The config is paused, and its pause_reason is the earlier one (password leaked): to change it: " +
			"vault write mastersindia/config/gst pause_reason=..."
		pause := map[string]any{"paused": true, "pause_reason": "password leaked"}
		for n, step := range []struct {
			data map[string]any
			says string
		}{
			{pause, ""},
			{export, resumed},
			{export, ""},
			{pause, ""},
			{pause, ""},
			{map[string]any{"paused": true, "pause_reason": "vendor breached"}, replaced},
			{map[string]any{"pause_reason": "password leaked"}, ""},
			{without(export, "paused", "pause_reason"), ""},
			{map[string]any{"paused": false}, resumed},
			{map[string]any{"paused": true}, reused},
			{map[string]any{"paused": false, "password": "pass-of-clerk"}, ""},
			{map[string]any{"paused": true, "pause_reason": ""}, ""},
			{map[string]any{"paused": false}, ""},
			{map[string]any{"paused": true}, ""},
		} {
			check.Equal(t, warningsOf(w.write("config/gst", step.data)), step.says, "write %d warns", n)
		}
	})
}

func TestConfigPause_WaitingReaderGetsNoToken(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		release := s.Upstream.Hold()
		done := s.async("token/app")
		s.waitUntil("the login", func() bool { return s.logins() == 1 })
		s.write("config/gst", map[string]any{"paused": true, "pause_reason": "audit"})
		release()
		r, refused := asRefusal(s.wait(done).unpack())
		check.True(t, refused && r.status == http.StatusBadRequest, "a reader of a config that is paused got %v, want 400", r)
		advance(time.Minute)
		s.badRequest(logical.ReadOperation, "token/app", nil, "audit")
	})
}

// Storage is still being told that a login begins when the account is paused. The login is not made.
func TestConfigPause_LoginNotSentYet(t *testing.T) {
	t.Parallel()
	slow := func(s *testMount) { s.Storage.Slow(mounttest.Put, "token/", 5*time.Second) }
	timed(t, "here", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		slow(s)
		reader := s.async("token/app")
		advance(time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"paused": true})
		advance(time.Second)
		paused, _ := s.read("config/gst").Data["paused"].(bool)
		check.Require(t, paused, "the pause is not stored")
		s.wantLogins(0, "when the pause was stored")
		s.wait(write)
		s.wait(reader)
		advance(time.Minute)
		s.wantLogins(0, "after the pause")
	})
	timed(t, "elsewhere", func(t *testing.T) {
		s := newClusters(t, time.Hour)
		slow(s.testMount)
		reader := s.async("token/app")
		advance(time.Second)
		s.elsewhere("config/gst", map[string]any{"paused": true})
		advance(time.Second)
		s.wantLogins(0, "when the pause was stored")
		s.wait(reader)
		advance(time.Minute)
		s.wantLogins(0, "after the pause")
	})
}
