// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRevoke_GoesOnTellingThoughNobodyReads: the refresh endpoint hangs for half an hour, and the account is not read any more.
func TestRevoke_GoesOnTellingThoughNobodyReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		meanwhile func(s *stage)
	}{
		{"the same process", func(*stage) {}},
		{"a restart", (*stage).reload},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := ksa(t, 24*time.Hour)
				s.minutes()
				a := s.token("app")
				mend := s.hangingRefresh()
				revoked, _ := s.revoke("")
				if got := revoked[a.id].upstream; got != "unknown" {
					t.Fatalf("upstream is %q, want unknown: the endpoint did not hang", got)
				}
				c.meanwhile(s)
				pass(30 * time.Minute)
				mend()
				pass(5 * time.Minute)
				if s.sim.TokenAlive(a.access) {
					t.Error("the revoked token is alive five minutes after the endpoint was mended")
				}
			})
		})
	}
}
