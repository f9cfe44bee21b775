// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestScheduler_ClockCorrectedLeavesUnreadAccountsAlone: the clock was a year ahead when the account was read last. Nobody reads
// it since the clock is right.
func TestScheduler_ClockCorrectedLeavesUnreadAccountsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.Clock.Jump(365 * 24 * time.Hour)
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(-365 * 24 * time.Hour)
		advance(24 * time.Hour)
		if got := s.logins(); got > 3 {
			t.Errorf("%d logins in a day without a read", got)
		}
	})
}
