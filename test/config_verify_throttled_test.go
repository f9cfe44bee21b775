// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

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

// TestConfig_UnverifiedWriteDuringHold: the warning does not promise a login that is not made.
func TestConfig_UnverifiedWriteDuringHold(t *testing.T) {
	t.Parallel()
	timed(t, "throttled", func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		s.token("app")
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		change := map[string]any{"headers": map[string]any{"X-Site": "7"}}
		r := s.refusal(logical.UpdateOperation, "config/gst", change)
		s.says(r.message, "verify_connection=false", "reads are served a token now, and would then fail")
		warnings := strings.Join(s.write("config/gst", with(change, "verify_connection", false)).Warnings, " ")
		s.says(warnings, "none is made yet", "reads fail", "next attempt at 2000-01-01T00:30:00Z")
		if strings.Contains(warnings, "next read logs in") {
			t.Error("the warning promises a login")
		}
		s.quiet(func() { s.failed("app") })
	})
}
