// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Until settings written elsewhere are read, metrics say of the account what is known of it.
func TestMetrics_WriteElsewhereHidesNoBreaker(t *testing.T) {
	t.Parallel()
	timed(t, "breaker", func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.changePassword()
		s.failed("app")
		check := func(when string) {
			t.Helper()
			now := s.scrape()
			check.True(t, now.samples[`breaker_open{config="gst"}`] == 1 && now.samples[`accounts{state="rejected"}`] == 1,
				"%s: breaker_open is %v, rejected accounts %v, idle ones %v", when, now.samples[`breaker_open{config="gst"}`], now.samples[`accounts{state="rejected"}`], now.samples[`accounts{state="idle"}`])
		}
		check("before")
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		check("after a write elsewhere")
	})
	timed(t, "token", func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.token("app")
		check.Require(t, s.scrape().samples[`token_expiry_timestamp_seconds{config="gst"}`] != 0, "no expiry before")
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		now := s.scrape()
		check.True(t, now.samples[`token_expiry_timestamp_seconds{config="gst"}`] != 0 && now.samples[`accounts{state="ready"}`] == 1,
			"after a write elsewhere: no expiry, ready accounts %v, idle ones %v", now.samples[`accounts{state="ready"}`], now.samples[`accounts{state="idle"}`])
	})
}

// A rotation is under way when another cluster writes a field that has nothing to do with the login. It counts as any other.
func TestMetrics_LoginThatEndsAfterAWriteElsewhereCounts(t *testing.T) {
	eachNamed(t, map[string]simulator.Fault{
		"ok":          {Kind: simulator.FaultSlow, Delay: 10 * time.Second},
		"unavailable": {Kind: simulator.FaultUnavailable, Delay: 10 * time.Second},
	}, func(t *testing.T, result string, fault simulator.Fault) {
		s := newClusters(t, time.Hour)
		s.token("app")
		advance(39 * time.Minute)
		before := s.scrape().of("logins_total")[`{config="gst",result="`+result+`"}`]
		s.Simulator.SetFault(simulator.JWT, fault)
		s.waitUntil("the rotation", func() bool { return s.logins() == 2 })
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		advance(12 * time.Second)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		check.Equal(t, s.scrape().of("logins_total")[`{config="gst",result="`+result+`"}`], before+1, "logins_total says")
		got := count(t, s.status(), "logins")
		check.True(t, got == "2", "status/ counts %s logins, want 2", got)
	})
}

func TestMetrics_ReadsFailWhileStorageGivesNothing(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Reload()
		s.token("app")
		s.Storage.Fail(mounttest.Get, "config/", mounttest.ErrStorage())
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		for range 3 {
			s.refused(logical.ReadOperation, "token/app", nil)
		}
		reads := s.scrape().counted("reads_total")
		check.True(t, reads["error"] == 3, "reads_total %v after three reads that failed with the storage's error", reads)
		s.Storage.Heal()
	})
}
