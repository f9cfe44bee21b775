// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestRevoke_ClockFarAheadForAMoment: the clock runs ahead by a month or more for some minutes, and is set right. A revoked token
// is not served after that either.
func TestRevoke_ClockFarAheadForAMoment(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Hour, 40 * 24 * time.Hour} {
		timed(t, ahead.String(), func(t *testing.T) {
			const one = `{"token":"token-number-one","expires_in":3600}`
			const other = `{"token":"token-number-two","expires_in":3600}`
			s := gstMount(t, time.Hour)
			s.EveryMinute()
			s.loginsReturn(one)
			first := s.token("app")
			advance(time.Minute)
			s.revoke("")
			s.loginsReturn(other)
			s.Clock.Jump(ahead)
			s.token("app")
			advance(5 * time.Minute)
			s.Clock.Jump(-ahead)
			advance(5 * time.Minute)
			s.loginsReturn(one)
			advance(2 * time.Hour)
			for range 20 {
				if a, err := s.ask(t.Context(), "app", nil); err == nil && a.id == first.id {
					t.Fatal("a revoked token was served")
				}
				advance(time.Minute)
			}
		})
	}
}

// TestLedger_ClockFarAheadForAMoment: the same of what the ledger remembers.
func TestLedger_ClockFarAheadForAMoment(t *testing.T) {
	t.Parallel()
	timed(t, "forty days", func(t *testing.T) {
		const ahead = 40 * 24 * time.Hour
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		a := s.token("app")
		advance(time.Minute)
		s.lookUp("token_id", a.id)
		s.Clock.Jump(ahead)
		advance(2 * time.Hour)
		s.Clock.Jump(-ahead)
		advance(time.Minute)
		if _, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": a.id}); err != nil {
			t.Errorf("two hours after the token was issued: %v", err)
		}
	})
}
