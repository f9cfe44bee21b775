// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestRevoke_SupersededWhileClockWasAhead(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		first := s.token("app")
		advance(time.Minute)
		s.mustRotate()
		advance(time.Minute)
		s.Clock.Jump(48 * time.Hour)
		s.token("app")
		s.Clock.Jump(-48 * time.Hour)
		advance(time.Minute)
		check.Require(t, s.Simulator.TokenAlive(first.access), "the token is dead")
		out, warnings := s.revoke("")
		check.True(t, !s.Simulator.TokenAlive(first.access),
			"revoke/ leaves token %s alive for 23 hours, and says %v with warnings %q", first.id, out, warnings)
		one, warnings := s.revoke(first.id)
		check.True(t, !s.Simulator.TokenAlive(first.access), "named, it is not revoked either: %v %q", one, warnings)
	})
}

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
				s.wantNotRead(first.id)
				check.True(t, !s.Simulator.TokenAlive(first.access) || len(warnings) != 0,
					"token %s lives on, and revoke/ said %v without a warning", first.id, out)
			})
		}
	}
}

func TestVerification_RefusedStaysWithClockAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 48 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := gstMount(t, 24*time.Hour)
			s.token("app")
			wrong := map[string]any{"password": "mistyped"}
			_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
			s.wantLogins(2)
			advance(time.Minute)
			s.Clock.Jump(ahead)
			s.token("app")
			s.minute()
			sent := s.logins()
			s.Clock.Jump(-ahead)
			advance(time.Minute)
			_, _, err := s.Do(t.Context(), logical.UpdateOperation, "config/gst", wrong)
			check.True(t, codeOf(err) == http.StatusBadRequest, "the write is answered by %v", err)
			s.wantLogins(sent, "two minutes after the refusal, the clock was ahead by "+ahead.String())
		})
	}
}

// The marks of the last replaced rejected token (5 minutes) and of the last login by hand (10 s) outlast a clock that is set back.
func TestMarks_ClockSetBack(t *testing.T) {
	t.Parallel()
	timed(t, "rejected", func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		first := s.token("app")
		advance(2 * time.Minute)
		second, err := s.ask(t.Context(), "app", reject(first.id))
		check.Require(t, err == nil && second.id != first.id, "%v", err)
		s.Clock.Jump(-3 * time.Hour)
		advance(90 * time.Second)
		third, err := s.ask(t.Context(), "app", reject(second.id))
		check.True(t, err == nil && third.id == second.id, "a second rejected token was replaced 90 s after the first (%v)", err)
		s.wantLogins(2)
		advance(10 * time.Minute)
		a, err := s.ask(t.Context(), "app", reject(second.id))
		check.True(t, err == nil && a.id != second.id, "a rejected token was not replaced ten minutes after the last one (%v)", err)
		s.wantLogins(3)
	})
	timed(t, "forced", func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		s.token("app")
		s.mustRotate()
		s.Clock.Jump(-time.Hour)
		advance(time.Second)
		s.mustRotate()
		s.wantLogins(2)
	})
}
