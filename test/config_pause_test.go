// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestAPausedConfigGivesNoTokenAndTheReason(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"with a token": true, "without one": false} {
		for where, restart := range map[string]bool{"": false, " after a restart": true} {
			timed(t, name+where, func(t *testing.T) {
				w := jwtV1().mounted(t)
				if before {
					w.read("token/app")
				}
				w.quiet(func() { w.write("config/gst", map[string]any{"paused": true, "pause_reason": "year-end audit: 100%d"}) })
				if restart {
					w.Reload()
				}
				for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
					w.badRequest(op, "token/app", nil, "gst", "year-end audit: 100%d")
				}
				w.quiet(func() { advance(48 * time.Hour) })
				w.badRequest(logical.ReadOperation, "token/app", nil, "gst", "year-end audit: 100%d")
			})
		}
	}
	timed(t, "without a reason", func(t *testing.T) {
		w := jwtV1().mounted(t, "paused", true)
		w.badRequest(logical.ReadOperation, "token/app", nil, "gst", "paused")
	})
	timed(t, "asked to rotate", func(t *testing.T) {
		w := jwtV1().mounted(t, "paused", true, "pause_reason", "audit")
		w.quiet(func() { w.says(w.refusal(logical.UpdateOperation, "rotate/gst", nil).message, "audit") })
	})
}

func TestAConfigThatIsPausedNoMoreServesAgain(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"at once": false, "after a restart": true} {
		timed(t, name, func(t *testing.T) {
			w := jwtV1().mounted(t)
			w.read("token/app")
			w.write("config/gst", map[string]any{"paused": true})
			w.badRequest(logical.ReadOperation, "token/app", nil, "gst")
			if restart {
				w.Reload()
			}
			w.quiet(func() { w.write("config/gst", map[string]any{"paused": false}) })
			if token := text(t, w.read("token/app").Data, "access_token"); !w.Simulator.TokenAlive(token) {
				t.Error("the token is not alive upstream")
			}
		})
	}
}

func TestAConfigIsMadePausedWithoutALogin(t *testing.T) {
	t.Parallel()
	timed(t, "created", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		w.quiet(func() { w.write("config/gst", jwtConfig("paused", true)) })
		if got := w.read("config/gst").Data["paused"]; got != true { //nolint:revive // it may be of any type
			t.Errorf("paused is %v, want true", got)
		}
	})
	timed(t, "updated", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.quiet(func() { w.write("config/gst", map[string]any{"paused": true, "username": "clerk-two"}) })
	})
}

func TestALoginInFlightGivesNothingToAPausedConfig(t *testing.T) {
	t.Parallel()
	timed(t, "paused after a second", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.slow(5 * time.Second)
		answer := w.async("token/app")
		advance(time.Second)
		w.write("config/gst", map[string]any{"paused": true, "pause_reason": "audit"})
		written := time.Now()
		r := w.wait(answer)
		if _, refused := asRefusal(r.unpack()); !refused && r.at.After(written) {
			t.Errorf("%s after the write that paused the config a reader was given a token", r.at.Sub(written))
		}
		advance(time.Minute)
		w.badRequest(logical.ReadOperation, "token/app", nil, "audit")
	})
}
