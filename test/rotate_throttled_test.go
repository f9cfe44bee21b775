// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestRotate_RefusedInThrottleKeepsRetryAfter: rotate/ may log in during a Retry-After. Where the upstream refuses the credentials
// then, the next login is made when the Retry-After is over, and not at the breaker's first probe.
func TestRotate_RefusedInThrottleKeepsRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour})
		s.failsWith(http.StatusTooManyRequests)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.changePassword()
		advance(10 * time.Minute)
		if _, err := s.rotate(); codeOf(err) != http.StatusBadRequest {
			t.Fatalf("rotate/ with refused credentials: %v", err)
		}
		s.wantLogins(2, "the throttled one and the forced one")
		s.readEvery("app", time.Minute, 49*time.Minute)
		s.wantLogins(2, "within the hour of the Retry-After")
	})
}
