// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

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
