// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// away are the faults of an upstream that is down or cannot be understood.
func away() []simulator.Fault {
	return []simulator.Fault{
		{Kind: simulator.FaultDown},
		{Kind: simulator.FaultUnavailable},
		{Kind: simulator.FaultThrottled}, // without a Retry-After
		{Kind: simulator.FaultHTML},
		{Kind: simulator.FaultCut},
		{Kind: simulator.FaultGarbage},
		{Kind: simulator.FaultEmpty},
		{Kind: simulator.FaultRedirect, RedirectTo: upstreamURL + "/elsewhere"},
	}
}

// doubling checks that the gaps double from 1 s to the longest, give or take a quarter and the time between two reads.
func doubling(t *testing.T, gaps []time.Duration, longest, between time.Duration) {
	t.Helper()
	want := time.Second
	for n, gap := range gaps {
		want = min(want, longest)
		if gap < want*3/4 || gap > want*5/4+between {
			t.Errorf("attempt %d came after %s, want %s ± 25 %%: all gaps %v", n+2, gap, want, gaps)
			return
		}
		want *= 2
	}
}

func TestBackoff_DoublesWhileUpstreamIsDown(t *testing.T) {
	type testCase struct {
		setting       string
		life, longest time.Duration
	}
	lives := []testCase{{"default_token_ttl", 24 * time.Hour, time.Minute}, {"max_token_ttl", 10 * time.Minute, 30 * time.Second}}
	eachPair(t, away(), lives, func(t *testing.T, fault simulator.Fault, c testCase) {
		s := gstMount(t, c.life, c.setting, int(c.life.Seconds()))
		s.EveryMinute()
		s.Simulator.SetFault(simulator.JWT, fault)
		const between = 250 * time.Millisecond
		check.RequireEqual(t, s.readEvery("app", between, 10*time.Minute), 0, "reads were served")
		gaps := s.gaps()
		counted := s.Simulator.Counters().Faulted
		check.Require(t, counted == len(gaps)+1 && counted >= 10, "%d of %d logins failed, want all, 10 or more", counted, len(gaps)+1)
		doubling(t, gaps, c.longest, between)
		// When it is back, no intervention is needed.
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(c.longest * 5 / 4)
		s.token("app")
	})
}

// The backoff of a rotation doubles as well, while the token is valid, and has jitter.
func TestBackoff_DoublesForFailedRotations(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		advance(59 * time.Minute)
		got, gaps := s.Simulator.Counters().Faulted, s.gaps()
		check.Require(t, len(gaps) > 0, "no rotation was tried")
		gaps = gaps[1:]
		check.Require(t, got >= 20 && got == len(gaps)+1, "%d rotations failed of %d; want all, and at least 20", got, len(gaps)+1)
		doubling(t, gaps, time.Minute, 20*time.Millisecond)
		different := make(map[time.Duration]bool)
		for _, gap := range gaps[6:] {
			different[gap.Round(100*time.Millisecond)] = true
		}
		check.True(t, len(different) >= 5, "the backoffs of a minute had no jitter: %v", different)
		check.True(t, s.token("app").id == first.id, "another token is served although no login succeeded")
	})
}

func TestBackoff_SaysIfUpstreamWasAsked(t *testing.T) {
	const tooMany, unavailable = http.StatusTooManyRequests, http.StatusServiceUnavailable
	type testCase struct {
		fault        simulator.Fault
		first, later int
	}
	eachOf(t, []testCase{
		{simulator.Fault{Kind: simulator.FaultDown}, http.StatusBadGateway, unavailable},
		{simulator.Fault{Kind: simulator.FaultUnavailable}, http.StatusBadGateway, unavailable},
		{simulator.Fault{Kind: simulator.FaultHTML}, http.StatusBadGateway, unavailable},
		{simulator.Fault{Kind: simulator.FaultGarbage}, http.StatusBadGateway, unavailable},
		{simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Minute}, http.StatusGatewayTimeout, unavailable},
		{simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Minute}, tooMany, tooMany},
		{simulator.Fault{Kind: simulator.FaultUnavailable, RetryAfter: time.Minute}, tooMany, tooMany},
		{simulator.Fault{Kind: simulator.FaultRefuse}, http.StatusBadRequest, http.StatusBadRequest},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, c.fault)
		for _, o := range s.readConcurrently(concurrentReaders, toApp, nil) {
			check.Require(t, codeOf(o.err) == c.first, "who waited for the login got %d (%v), want %d", codeOf(o.err), o.err, c.first)
		}
		for _, o := range s.readConcurrently(concurrentReaders, toApp, nil) {
			check.Require(t, o.err != nil && codeOf(o.err) == c.later && o.waited == 0,
				"during the backoff a reader got %d after %s (%v), want %d at once", codeOf(o.err), o.waited, o.err, c.later)
		}
		got := s.Simulator.Counters().Faulted
		check.True(t, got == 1 && s.logins() == 1, "%d logins, %d failed by the upstream; want 1 and 1", s.logins(), got)
	})
}

// The account was paused for the moment in which a login came to its end.
func TestBackoff_NotCausedByPauseDuringLogin(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		release := s.Upstream.Hold()
		go func() { _, _ = s.ask(t.Context(), "app", nil) }()
		advance(time.Second)
		s.write("config/gst", map[string]any{"paused": true})
		release()
		advance(100 * time.Millisecond)
		s.write("config/gst", map[string]any{"paused": false})
		s.revoke("")
		s.token("app")
	})
}

// A 429 without Retry-After beside a malformed request holds a corrected one back for seconds only.
func TestThrottled_WithoutRetryAfterInInvalidHold(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.refuseRequests()
		s.failsWith(http.StatusBadRequest)
		advance(2 * time.Minute)
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultQuota, Remaining: 1})
		_, err := s.rotate()
		check.Require(t, err != nil && s.Simulator.Counters().Faulted == 1, "rotate/ met no 429: %v", err)
		advance(2 * time.Minute)
		_, err = s.do(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
		check.True(t, err == nil, "two minutes after a 429 that asked for no wait: %v", err)
	})
}
