// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestVerification_IsTheProbeOfAnOpenBreaker: the hold of refused credentials is over, and a write of headers finds them refused
// still. Readers do not send them once more.
func TestVerification_IsTheProbeOfAnOpenBreaker(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.changePassword()
			s.failed("app")
			advance(2 * time.Hour)
			before := s.logins()
			s.refused(logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
			s.wantLogins(before+1, "by a verification after the hold")
			if restart {
				s.Reload()
			}
			for range 50 {
				advance(time.Minute)
				s.failsWith(http.StatusBadRequest)
			}
			s.wantLogins(before+1, "in the hour after a verification that was refused")
		})
	}
}

// TestVerification_RefusalsKeepTheirSchedule: a config is written again and again with a password that the upstream refuses.
func TestVerification_RefusalsKeepTheirSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		for range 24 * 60 / 17 {
			s.refused(logical.UpdateOperation, "config/other", jwtConfig("password", "mistyped"))
			advance(17 * time.Minute)
		}
		s.wantRefusedLogins(4)
		for n, gap := range s.gaps() {
			if gap < probes(n) || gap > probes(n)+17*time.Minute {
				t.Errorf("login %d came %s after the one before, want those of the schedule: %s", n+2, gap, probes(n))
			}
		}
	})
}

// TestVerification_RefusedWhateverHeaders: a password that was refused is not sent again with the headers of an earlier write,
// whose verification has met an outage.
func TestVerification_RefusedWhateverHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		mistyped := func(branch string) map[string]any {
			return map[string]any{"password": "mistyped", "headers": map[string]any{"X-Branch": branch}}
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		for _, branch := range []string{"1", "2", "3"} {
			s.refused(logical.UpdateOperation, "config/gst", mistyped(branch))
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(time.Minute)
		for _, branch := range []string{"4", "1", "2", "3"} {
			s.refused(logical.UpdateOperation, "config/gst", mistyped(branch))
		}
		s.wantRefusedLogins(1)
	})
}

// TestVerification_FailureSurvivesRestart: what a failed verification holds back is held back after a restart as well.
func TestVerification_FailureSurvivesRestart(t *testing.T) {
	t.Parallel()
	wrong := jwtConfig("password", "wrong-password")
	for _, c := range []struct {
		name  string
		fault simulator.Fault
		data  map[string]any
		first func(s *testMount, data map[string]any)
	}{
		{"refused, of a new config", simulator.Fault{}, wrong, func(s *testMount, data map[string]any) {
			s.refused(logical.UpdateOperation, "config/other", data)
		}},
		{"throttled, of a new config", simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute, Remaining: 1}, jwtConfig(),
			func(s *testMount, data map[string]any) { s.refused(logical.UpdateOperation, "config/other", data) }},
		{"breaker open, deleted and written again", simulator.Fault{}, wrong, func(s *testMount, data map[string]any) {
			s.write("config/other", with(data, "verify_connection", false))
			s.write("role/other", map[string]any{"config": "other"})
			s.failed("other")
			s.remove("config/other")
		}},
	} {
		for _, restart := range []bool{false, true} {
			timed(t, c.name+map[bool]string{true: ", restarted"}[restart], func(t *testing.T) {
				s := gstMount(t, time.Hour)
				s.Simulator.SetFault(simulator.JWT, c.fault)
				c.first(s, c.data)
				s.wantLogins(1, "the first")
				for range 3 {
					if restart {
						s.Reload()
					}
					advance(time.Minute)
					r := s.refusal(logical.UpdateOperation, "config/other", c.data)
					if r.status != http.StatusBadRequest && r.status != http.StatusTooManyRequests {
						t.Errorf("the write is answered %d", r.status)
					}
				}
				s.wantLogins(1, "while the hold runs")
			})
		}
	}
}

// TestVerification_OtherPasswordRefusedSurvivesRestart: the same for a config that is there.
func TestVerification_OtherPasswordRefusedSurvivesRestart(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		timed(t, map[bool]string{true: "restarted", false: "not"}[restart], func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.token("app")
			for range 4 {
				s.refused(logical.UpdateOperation, "config/gst", map[string]any{"password": "wrong-password"})
				if restart {
					s.Reload()
				}
				advance(time.Minute)
			}
			s.wantRefusedLogins(1)
		})
	}
}

// TestVerification_ThrottledHoldsLogins: the upstream throttles a verification for ten minutes. Readers do not ask before that
// either, with the same credentials at the same host.
func TestVerification_ThrottledHoldsLogins(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute, Remaining: 1})
			s.refused(logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
			s.wantLogins(1, "by the verification")
			if restart {
				s.Reload()
			}
			for range 9 {
				advance(time.Minute)
				s.failsWith(http.StatusTooManyRequests)
			}
			s.wantLogins(1, "while the Retry-After runs")
			advance(2 * time.Minute)
			s.token("app")
		})
	}
}

// TestThrottled_HoldsAfterDeletion: the upstream throttles a login for ten minutes. Deleting the config and writing it again with the
// same credentials does not bring the next login nearer.
func TestThrottled_HoldsAfterDeletion(t *testing.T) {
	t.Parallel()
	for _, verified := range []bool{false, true} {
		timed(t, fmt.Sprintf("verify_connection=%t", verified), func(t *testing.T) {
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
}

// TestVerification_FailedProbeHoldsLogins: the hold of refused credentials is over, and a write of headers is throttled for an hour, or
// meets an outage. Readers do not log in before the next probe is due.
func TestVerification_FailedProbeHoldsLogins(t *testing.T) {
	t.Parallel()
	for _, fault := range []simulator.Fault{
		{Kind: simulator.FaultThrottled, RetryAfter: time.Hour, Remaining: 1}, {Kind: simulator.FaultDown, Remaining: 1},
	} {
		timed(t, string(fault.Kind), func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.changePassword()
			s.failed("app")
			advance(20 * time.Minute)
			s.Simulator.SetFault(simulator.JWT, fault)
			s.refusal(logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
			s.wantLogins(2, "the refused one and the verification")
			s.readEvery("app", time.Minute, 59*time.Minute)
			s.wantLogins(2, "within the hour after the verification")
		})
	}
}

// TestVerification_RefusalOpensBreaker: a write of headers is verified with the stored password, which the upstream refuses. The
// readers who come next do not send it again.
func TestVerification_RefusalOpensBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.changePassword()
		s.refused(logical.UpdateOperation, "config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
		s.wantRefusedLogins(1)
		s.readEvery("app", time.Second, time.Minute)
		s.wantRefusedLogins(1)
	})
}
