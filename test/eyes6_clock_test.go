// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

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
		s.Clock.Jump(0)
		s.token("app")
		s.Clock.Jump(0)
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
			s.Clock.Jump(0)
			_, _ = s.ask(t.Context(), "app", nil)
			_, _ = s.rotate()
			advance(2 * time.Minute)
			s.Clock.Jump(0)
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
		s.Clock.Jump(0)
		s.Start()
		advance(time.Minute)
		s.Clock.Jump(0)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(time.Hour)
		if s.Simulator.TokenAlive(first.access) {
			t.Errorf("an hour after the upstream came back token %s is alive: nobody revokes it", first.id)
		}
	})
}
