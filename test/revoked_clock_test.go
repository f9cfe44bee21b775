// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"
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
			s.answering(one)
			first := s.token("app")
			advance(time.Minute)
			s.revoke("")
			s.answering(other)
			s.Clock.Jump(ahead)
			s.token("app")
			advance(5 * time.Minute)
			s.Clock.Jump(-ahead)
			advance(5 * time.Minute)
			s.answering(one)
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
