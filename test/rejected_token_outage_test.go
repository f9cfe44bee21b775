// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestRejected_ReplacedSoonAfterShortOutage: the rotation of a rejected token meets an outage of a second. It is made once that
// is over, not five minutes later: what is limited is how often it has happened, not how often it was asked for.
func TestRejected_ReplacedSoonAfterShortOutage(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		for _, fault := range []simulator.Fault{
			{Kind: simulator.FaultDown}, {Kind: simulator.FaultHTML}, {Kind: simulator.FaultThrottled, RetryAfter: 2 * time.Second},
		} {
			timed(t, fmt.Sprintf("%s, restart %t", fault.Kind, restart), func(t *testing.T) {
				s := gstMount(t, 24*time.Hour)
				first := s.token("app")
				advance(2 * time.Minute)
				s.Simulator.SetFault(simulator.JWT, fault)
				if a, err := s.ask(t.Context(), "app", reject(first.id)); err != nil || a.id != first.id {
					t.Fatalf("token %s (%v) during the outage, want the current one", a.id, err)
				}
				if got := s.Simulator.Counters().Faulted; got != 1 {
					t.Fatalf("%d logins met the outage, want 1", got)
				}
				advance(time.Second)
				s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
				if restart {
					s.Reload()
				}
				began := time.Now()
				for a := first; a.id == first.id; advance(time.Second) {
					if time.Since(began) > 30*time.Second {
						t.Fatalf("the rejected token is still handed out %s after the outage", time.Since(began))
					}
					var err error
					if a, err = s.ask(t.Context(), "app", reject(first.id)); err != nil {
						t.Fatal(err)
					}
				}
				s.wantLogins(3, "the first, the one that failed and its repetition")
			})
		}
	}
}

// TestRejected_WaitsNoLongerThanPlainRead: a slow rotation is in flight that another caller has started.
func TestRejected_WaitsNoLongerThanPlainRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 14 * time.Second})
		s.untilRotation(first)
		began := s.Upstream.LoginTimes()[1]
		for _, at := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 8 * time.Second} {
			go func() {
				advanceUntil(began.Add(at))
				from := time.Now()
				if _, err := s.ask(t.Context(), "app", reject(first.id)); err != nil {
					t.Errorf("a reader %s after the rotation began: %v", at, err)
				}
				if waited, most := time.Since(from), max(2*time.Second-at, 0)+5*time.Millisecond; waited > most {
					t.Errorf("a reader who came %s after the rotation began waited %s, want at most %s", at, waited, most)
				}
			}()
		}
		advanceUntil(began.Add(20 * time.Second))
		if a := s.token("app"); a.id == first.id {
			t.Error("the token was not rotated")
		}
		s.wantLogins(2)
	})
}

// lettered is the current token of role app, whose ID has a letter in it: nearly every one has.
func lettered(s *testMount) tokenResponse {
	s.t.Helper()
	for {
		if a := s.token("app"); strings.ToUpper(a.id) != a.id {
			return a
		}
		advance(time.Minute)
		s.mustRotate()
	}
}

func TestTokenRejected_IDInCapitals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		first := lettered(s)
		advance(2 * time.Minute)
		if a, err := s.ask(t.Context(), "app", reject(strings.ToUpper(first.id))); err != nil || a.id == first.id {
			t.Errorf("token %s (%v), want another one than the rejected", a.id, err)
		}
	})
}
