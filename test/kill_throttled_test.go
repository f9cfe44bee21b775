// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestRevoke_ThrottledUpstreamIsLeftAlone: the upstream that is to kill a token says when to come back. It is not asked every
// minute until then.
func TestRevoke_ThrottledUpstreamIsLeftAlone(t *testing.T) {
	t.Parallel()
	timed(t, "Retry-After of half an hour", func(t *testing.T) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{
			Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Minute, On: simulator.OnRefresh,
		})
		s.revoke("")
		advance(29 * time.Minute)
		refreshes := 0
		for _, r := range s.heard() {
			if strings.Contains(r.URL, "refresh") {
				refreshes++
			}
		}
		if refreshes > 1 {
			t.Errorf("the refresh endpoint was asked %d times within 29 minutes, and had said to come back in 30", refreshes)
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(5 * time.Minute)
		if s.Simulator.TokenAlive(first.access) {
			t.Error("the token was not killed when the upstream could be asked again")
		}
	})
}
