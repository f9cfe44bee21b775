// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
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
