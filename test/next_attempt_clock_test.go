// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"
)

// TestStatus_NextAttemptAfterClockSetBack: the clock was ahead when the hold began, and is set right. The next attempt is said to be
// when it is.
func TestStatus_NextAttemptAfterClockSetBack(t *testing.T) {
	t.Parallel()
	timed(t, "an hour", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.Clock.Jump(time.Hour)
		s.changePassword()
		s.failed("app")
		advance(time.Minute)
		s.Clock.Jump(-time.Hour)
		s.minute()
		said := moment(t, s.status(), "next_attempt_at")
		advance(14*time.Minute + time.Second)
		s.failed("app")
		s.wantLogins(2, "of which one is the probe after a quarter of an hour")
		if late := said.Sub(s.Clock.Now()); late > time.Minute {
			t.Errorf("status/ put the probe that was just made off to %s from now", late)
		}
	})
}
