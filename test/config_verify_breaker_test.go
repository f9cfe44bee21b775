// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// A verification with the stored password fails. Its hold is one for readers too.
func TestVerification_FailureHoldsLogins(t *testing.T) {
	throttled := func(d time.Duration) simulator.Fault {
		return simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: d, Remaining: 1}
	}
	type testCase struct {
		refused bool          // the upstream has another password
		probe   time.Duration // after a first refusal; 0 is none
		fault   simulator.Fault
		hold    time.Duration
		code    int // of readers meanwhile; 0 is any
	}
	eachRestart(t, map[string]testCase{
		"throttled":          {false, 0, throttled(10 * time.Minute), 9 * time.Minute, http.StatusTooManyRequests},
		"refused":            {true, 0, simulator.Fault{}, 14 * time.Minute, http.StatusBadRequest},
		"a probe, refused":   {true, 2 * time.Hour, simulator.Fault{}, 50 * time.Minute, http.StatusBadRequest},
		"a probe, throttled": {true, 20 * time.Minute, throttled(time.Hour), 59 * time.Minute, 0},
		"a probe, down":      {true, 20 * time.Minute, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1}, 59 * time.Minute, 0},
	}, func(t *testing.T, c testCase, restart bool) {
		s := gstMount(t, time.Hour)
		if c.refused {
			s.changePassword()
		}
		if c.probe > 0 {
			s.failed("app")
			advance(c.probe)
		}
		s.Simulator.SetFault(simulator.JWT, c.fault)
		before := s.logins()
		s.refusal(logical.UpdateOperation, "config/gst", branch("7"))
		s.wantLogins(before+1, "by the verification")
		s.reloadIf(restart)
		for range c.hold / time.Minute {
			advance(time.Minute)
			err := s.failure("app")
			check.True(t, c.code == 0 || codeOf(err) == c.code, "a reader got %d (%v), want %d", codeOf(err), err, c.code)
		}
		s.wantLogins(before+1, "while the hold runs")
		if !c.refused {
			advance(2 * time.Minute)
			s.token("app")
		}
	})
}

// Deleting a throttled config and writing it again brings the next login no nearer.
func TestThrottled_HoldsAfterDeletion(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, verified bool) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute})
		s.failed("app")
		s.wantLogins(1, "that was throttled")
		s.remove("config/gst")
		_, _ = s.do(t.Context(), logical.UpdateOperation, "config/gst", jwtConfig("verify_connection", verified))
		s.failed("app")
		s.wantLogins(1, "while the Retry-After runs")
	})
}

func TestConfig_UnverifiedWriteDuringHold(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		change := map[string]any{"headers": map[string]any{"X-Site": "7"}}
		r := s.refusal(logical.UpdateOperation, "config/gst", change)
		s.says(r.message, "verify_connection=false", "reads are served a token now, and would then fail")
		warnings := warningsOf(s.write("config/gst", with(change, "verify_connection", false)))
		s.says(warnings, "none is made yet", "reads fail", "next attempt at 2000-01-01T00:30:0")
		check.True(t, !strings.Contains(warnings, "next read logs in"), "the warning promises a login")
		s.quiet(func() { s.failed("app") })
	})
}

// A password that a verification has found refused is refused from memory.
func TestVerification_RefusedPasswordSentOnce(t *testing.T) {
	refuse := func(s *testMount, data ...any) {
		s.refused(logical.UpdateOperation, "config/gst", with(nil, data...))
		advance(10 * time.Second)
	}
	headers := func(n int) map[string]any { return map[string]any{"X-Branch": strconv.Itoa(n)} }
	down := simulator.Fault{Kind: simulator.FaultDown}
	type testCase struct {
		passwords int
		happens   func(s *testMount)
	}
	each(t, map[string]testCase{
		"two in turns": {2, func(s *testMount) {
			for range 5 {
				refuse(s, "password", "mistyped")
				refuse(s, "password", "mistyped-too")
			}
		}},
		"restarts": {1, func(s *testMount) {
			for range 4 {
				refuse(s, "password", "mistyped")
				s.Reload()
			}
		}},
		"other headers after outages": {1, func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, down)
			for n := range 3 {
				refuse(s, "password", "mistyped", "headers", headers(n))
			}
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
			advance(time.Minute)
			for _, n := range []int{3, 0, 1, 2} {
				refuse(s, "password", "mistyped", "headers", headers(n))
			}
		}},
		"sixteen outages": {1, func(s *testMount) {
			refuse(s, "password", "mistyped")
			s.Simulator.SetFault(simulator.JWT, down)
			for n := range 16 {
				refuse(s, "headers", headers(n))
			}
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
			refuse(s, "password", "mistyped")
		}},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		s.token("app")
		c.happens(s)
		s.wantRefusedLogins(c.passwords)
	})
}

func TestVerification_ProbeCutOffByCrash(t *testing.T) {
	each(t, map[string]bool{"a new config": false, "another password": true}, func(t *testing.T, exists bool) {
		s := newLatencyMount(t, jwtAccount())
		s.EveryMinute()
		wrong := jwtConfig("password", "mistyped")
		if exists {
			s.write("config/gst", jwtConfig("verify_connection", false))
		}
		_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
		advance(16 * time.Minute)
		release := s.Upstream.Hold()
		go func() { _, _, _ = s.Do(t.Context(), logical.UpdateOperation, "config/gst", wrong) }()
		advance(time.Second)
		s.wantLogins(2, "(the second is the probe)")
		s.Crash()
		release()
		advance(time.Minute)
		_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
		s.wantLogins(2, "a minute after the probe")
	})
}
