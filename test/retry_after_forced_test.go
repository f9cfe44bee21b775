// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestRotate_LongerRetryAfterIsObeyed: rotate/ is told to come back in half an hour, while an earlier hold runs that ends sooner.
// The engine does not log in by itself before that.
func TestRotate_LongerRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]simulator.Fault{
		"throttled for two minutes":   {Kind: simulator.FaultThrottled, RetryAfter: 2 * time.Minute, Remaining: 1},
		"refused, for 15 minutes":     {Kind: simulator.FaultRefuse, Remaining: 1},
		"down, for about a second":    {Kind: simulator.FaultDown, Remaining: 1},
		"throttled for half a minute": {Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Second, Remaining: 1},
	} {
		timed(t, name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Simulator.SetFault(simulator.JWT, first)
			s.failed("app")
			if first.Kind == simulator.FaultRefuse {
				advance(10 * time.Minute)
			} else if first.RetryAfter > 0 {
				advance(first.RetryAfter / 2)
			}
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Minute, Remaining: 1})
			if _, err := s.rotate(); err == nil {
				t.Fatal("rotate/ is not throttled")
			}
			s.wantLogins(2, "one of them by rotate/")
			asked := time.Now()
			for time.Since(asked) < 29*time.Minute {
				advance(10 * time.Second)
				_, _ = s.ask(t.Context(), "app", nil)
				if s.logins() > 2 {
					t.Fatalf("the engine has logged in %s after it was told to come back in 30 m", time.Since(asked))
				}
			}
			if at := fmt.Sprint(s.status()["next_attempt_at"]); at == "" {
				t.Error("next_attempt_at is empty while the Retry-After runs")
			}
		})
	}
}
