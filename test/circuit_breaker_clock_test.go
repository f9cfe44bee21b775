// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"time"
)

// TestBreaker_StaysOpenWhenClockSetBack: the other clock of this process knows how much of the hold has passed.
func TestBreaker_StaysOpenWhenClockSetBack(t *testing.T) {
	t.Parallel()
	for _, back := range []time.Duration{10 * time.Minute, time.Hour, 30 * 24 * time.Hour} {
		timed(t, fmt.Sprint(back), func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.changePassword()
			s.failed("app")
			s.wantRefusedLogins(1)
			advance(time.Minute)
			s.Clock.Jump(-back)
			s.failed("app")
			s.wantLogins(1, "14 minutes before the probe")
			advance(14*time.Minute + time.Second)
			s.failed("app")
			s.wantLogins(2, "after 15 minutes")
		})
	}
}
