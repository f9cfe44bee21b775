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

// A probe that is given up may have been refused: the schedule goes on.
func TestBreaker_ProbeThatIsGivenUpCounts(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"revoke": func(s *testMount) { s.write("revoke/gst", nil) },
		"headers": func(s *testMount) {
			s.write("config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}, "verify_connection": false})
		},
		"nothing": func(*testMount) {},
		"deletion": func(s *testMount) {
			s.remove("config/gst")
			s.write("config/gst", jwtConfig("verify_connection", false))
		},
	}, func(t *testing.T, change func(s *testMount)) {
		s := refusedMount(t)
		advance(16 * time.Minute)
		s.wantLogins(1)
		release := s.Upstream.Hold()
		read := s.startRead()
		advance(3 * time.Second)
		s.wantLogins(2, "(the second is the probe)")
		change(s)
		release()
		advance(10 * time.Second)
		_, _ = s.ask(t.Context(), "app", nil)
		advance(20 * time.Second)
		_, _ = s.ask(t.Context(), "app", nil)
		check.True(t, <-read != nil, "the reader that caused the probe got a token")
		s.wantLogins(2, "(the probe was refused; the next is due an hour later)")
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

func TestBreaker_HoldAnswersDuringForcedLogin(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"rotate": func(s *testMount) { _, _, _ = s.Do(s.t.Context(), logical.UpdateOperation, "rotate/gst", nil) },
		"verification": func(s *testMount) {
			_, _, _ = s.Do(s.t.Context(), logical.UpdateOperation, "config/gst",
				map[string]any{"password": "yet-another", "request_timeout": 60})
		},
	}, func(t *testing.T, begin func(s *testMount)) {
		s := refusedMount(t)
		advance(2 * time.Minute)
		s.slow(50 * time.Second)
		go begin(s)
		advance(time.Second)
		s.wantLogins(2, "(the second hangs)")
		from := time.Now()
		err := s.failure("app")
		if waited := time.Since(from); waited > time.Second || codeOf(err) != http.StatusBadRequest {
			t.Errorf("a read in the breaker's pause waited %s and got %d: %v", waited, codeOf(err), err)
		}
		advance(2 * time.Minute)
	})
}

func TestHold_ServesTokenAtOnceDuringRotate(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour})
		advance(16 * time.Hour)
		state := s.status()
		check.Require(t, state["last_error_kind"] == "throttled", "the status is %v", state)
		s.slow(14 * time.Second)
		go func() { _, _, _ = s.Do(t.Context(), logical.UpdateOperation, "rotate/gst", nil) }()
		advance(100 * time.Millisecond)
		from := time.Now()
		a := s.token("app")
		waited := time.Since(from)
		check.True(t, waited <= 100*time.Millisecond && a.id == first.id, "a read in a pause waited %s", waited)
		advance(time.Minute)
	})
}
