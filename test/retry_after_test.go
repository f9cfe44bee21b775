// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestRetryAfter_ObeyedForAnHour(t *testing.T) {
	kinds := []simulator.FaultKind{simulator.FaultThrottled, simulator.FaultUnavailable}
	waits := []time.Duration{10 * time.Second, 20 * time.Minute, time.Hour, 5 * time.Hour}
	eachPair(t, kinds, waits, func(t *testing.T, kind simulator.FaultKind, asked time.Duration) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind, RetryAfter: asked})
		want := min(asked, time.Hour)
		s.readEvery("app", max(want/600, time.Second), 4*want)
		for n, gap := range s.gaps() {
			check.Require(t, gap >= want && gap <= want+want/600+time.Second, "attempt %d came after %s, want %s", n+2, gap, want)
		}
		got := s.Simulator.Counters().Faulted
		check.True(t, got == s.logins() && got >= 3, "%d logins, %d throttled; want all, and at least 3 in 4 intervals", s.logins(), got)
	})
}

// The upstream asks rotate/ to wait for half an hour, while a hold runs that ends sooner.
func TestRetryAfter_LongerOneOfRotateIsObeyed(t *testing.T) {
	eachRestart(t, map[string]simulator.Fault{
		"throttled for two minutes":   {Kind: simulator.FaultThrottled, RetryAfter: 2 * time.Minute, Remaining: 1},
		"refused, for 15 minutes":     {Kind: simulator.FaultRefuse, Remaining: 1},
		"down, for about a second":    {Kind: simulator.FaultDown, Remaining: 1},
		"throttled for half a minute": {Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Second, Remaining: 1},
	}, func(t *testing.T, first simulator.Fault, restart bool) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, first)
		s.failed("app")
		if first.Kind == simulator.FaultRefuse {
			advance(10 * time.Minute)
		} else if first.RetryAfter > 0 {
			advance(first.RetryAfter / 2)
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Minute, Remaining: 1})
		if _, err := s.rotate(); codeOf(err) != http.StatusTooManyRequests {
			t.Fatalf("rotate/ got %d (%v), want 429", codeOf(err), err)
		}
		s.wantLogins(2, "one of them by rotate/")
		s.reloadIf(restart)
		for asked := time.Now(); time.Since(asked) < 29*time.Minute; advance(10 * time.Second) {
			if err := s.failure("app"); codeOf(err) != http.StatusTooManyRequests && first.Kind != simulator.FaultRefuse {
				t.Fatalf("a reader got %d (%v), want 429", codeOf(err), err)
			}
			s.wantLogins(2, "within the half hour of the Retry-After")
		}
		check.True(t, fmt.Sprint(s.status()["next_attempt_at"]) != "", "next_attempt_at is empty while the Retry-After runs")
		advance(2 * time.Minute)
		s.token("app")
	})
}
