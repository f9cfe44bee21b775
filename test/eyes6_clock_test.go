// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// TestRevoke_SupersededWhileClockWasAhead breaks section 2, revoke/ "acts on every unexpired token of the config, superseded ones
// included": the clock ran ahead by two days for a moment, in which somebody read. The token that had been superseded before is
// alive, and the kill switch has forgotten it.
func TestRevoke_SupersededWhileClockWasAhead(t *testing.T) {
	t.Parallel()
	timed(t, "superseded", func(t *testing.T) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		advance(time.Minute)
		s.mustRotate()
		advance(time.Minute)
		s.Clock.Jump(48 * time.Hour)
		s.token("app")
		s.Clock.Jump(-48 * time.Hour)
		advance(time.Minute)
		if !s.Simulator.TokenAlive(first.access) {
			t.Fatal("the token is dead")
		}
		out, warnings := s.revoke("")
		if s.Simulator.TokenAlive(first.access) {
			t.Errorf("revoke/ leaves token %s alive for 23 hours, and says %v with warnings %q", first.id, out, warnings)
		}
		one, warnings := s.revoke(first.id)
		if s.Simulator.TokenAlive(first.access) {
			t.Errorf("named, it is not revoked either: %v %q", one, warnings)
		}
	})
}

// TestRevoke_OwedWhileClockWasAhead breaks section 2, "and goes on to be told": the upstream was down at the revocation, and the
// clock ran ahead for two minutes. What was owed is forgotten.
func TestRevoke_OwedWhileClockWasAhead(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(s *testMount){
		"config deleted": func(s *testMount) { s.remove("config/gst") },
		"config there":   func(*testMount) {},
	} {
		timed(t, name, func(t *testing.T) {
			s := ksaMount(t, 24*time.Hour)
			s.EveryMinute()
			first := s.token("app")
			advance(time.Minute)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
			if out, _ := s.revoke(""); out[first.id].upstream != "unknown" {
				t.Fatalf("revoke/ says %v", out)
			}
			then(s)
			s.Clock.Jump(48 * time.Hour)
			_, _ = s.ask(t.Context(), "app", nil)
			_, _ = s.rotate()
			advance(2 * time.Minute)
			s.Clock.Jump(-48 * time.Hour)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
			advance(10 * time.Minute)
			if s.Simulator.TokenAlive(first.access) {
				t.Errorf("ten minutes after the upstream came back token %s is alive: nobody revokes it any more", first.id)
			}
		})
	}
}

// TestRevoke_OwedAtStartWithClockAhead breaks the same: the machine starts with a clock that is two days ahead, and sets it right a
// minute later. What the former process owed is never told.
func TestRevoke_OwedAtStartWithClockAhead(t *testing.T) {
	t.Parallel()
	timed(t, "restart", func(t *testing.T) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		advance(time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		if out, _ := s.revoke(""); out[first.id].upstream != "unknown" {
			t.Fatalf("revoke/ says %v", out)
		}
		s.Stop()
		s.Clock.Jump(48 * time.Hour)
		s.Start()
		advance(time.Minute)
		s.Clock.Jump(-48 * time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(time.Hour)
		if s.Simulator.TokenAlive(first.access) {
			t.Errorf("an hour after the upstream came back token %s is alive: nobody revokes it", first.id)
		}
	})
}

// TestRevoke_DuringClockAhead breaks section 2, revoke/ "acts on every unexpired token … and a warning where a token lives on": the
// kill switch is pulled while the clock is two days ahead for a moment. It answers 200 with no token and no warning, the token
// lives, and where no login has succeeded in between it is served again once the clock is right.
func TestRevoke_DuringClockAhead(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.FaultKind{"", simulator.FaultDown} {
		for _, ahead := range []time.Duration{0, 48 * time.Hour} {
			timed(t, "logins "+string(kind)+" "+ahead.String(), func(t *testing.T) {
				s := ksaMount(t, 24*time.Hour)
				s.EveryMinute()
				first := s.token("app")
				advance(10*time.Minute + 20*time.Second)
				if kind != "" {
					s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind, On: simulator.OnLogin})
				}
				s.Clock.Jump(ahead)
				out, warnings := s.revoke("")
				advance(10 * time.Second)
				s.Clock.Jump(-ahead)
				advance(time.Minute)
				if a, err := s.ask(t.Context(), "app", nil); err == nil && a.id == first.id {
					t.Errorf("token %s is served after revoke/", a.id)
				}
				if s.Simulator.TokenAlive(first.access) && len(warnings) == 0 {
					t.Errorf("token %s lives on, and revoke/ said %v without a warning", first.id, out)
				}
			})
		}
	}
}

// TestLookup_IssuedWhileClockWasAhead breaks section 2, lookup and "nothing is dropped": the ledger took no writes for a while, and
// the clock was 40 days ahead when it did again. The token is alive and served, and lookup says that it was not issued here.
func TestLookup_IssuedWhileClockWasAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 40 * 24 * time.Hour} {
		timed(t, ahead.String(), func(t *testing.T) {
			s := gstMount(t, 24*time.Hour)
			s.EveryMinute()
			s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
			first := s.token("app")
			advance(20 * time.Second)
			s.Clock.Jump(ahead)
			s.Storage.Heal()
			s.minute()
			advance(time.Second)
			s.Clock.Jump(-ahead)
			advance(10 * time.Minute)
			resp, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": first.id})
			if err != nil || !s.Simulator.TokenAlive(first.access) {
				t.Errorf("of a token that is alive: %v (%v)", err, resp)
			}
		})
	}
}

// TestRevoke_PausedAtStartWithClockAhead breaks section 2, revoke/ "acts on every unexpired token": the machine starts with a clock
// that is two days ahead and is set right a minute later. The tokens of an account that stays in memory, as a paused one does,
// count as expired for as long as the process lives.
func TestRevoke_PausedAtStartWithClockAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 48 * time.Hour} {
		timed(t, ahead.String(), func(t *testing.T) {
			s := ksaMount(t, 24*time.Hour)
			s.EveryMinute()
			first := s.token("app")
			s.write("config/gst", map[string]any{"paused": true})
			s.Stop()
			s.Clock.Jump(ahead)
			s.Start()
			advance(time.Minute)
			s.Clock.Jump(-ahead)
			advance(10 * time.Minute)
			out, warnings := s.revoke("")
			if s.Simulator.TokenAlive(first.access) {
				t.Errorf("revoke/ leaves token %s alive, and says %v with warnings %q", first.id, out, warnings)
			}
		})
	}
}
