// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"testing"
	"time"
)

// TestLedger_ReasonAfterRevokeOnce: of the one token that takes the place of a revoked one, and of none that comes later for a
// reason of its own.
func TestLedger_ReasonAfterRevokeOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(s *testMount)
		want []string // the oldest first; "" is any but after_revoke
	}{
		{"read", func(s *testMount) {
			s.revoke("")
			advance(time.Minute)
			s.token("app")
			advance(45 * time.Minute)
		}, []string{"first_read", "after_revoke", "rotation"}},
		{"superseded token", func(s *testMount) {
			first := s.token("app")
			advance(time.Minute)
			s.mustRotate()
			s.token("app")
			s.revoke(first.id)
			advance(45 * time.Minute)
		}, []string{"first_read", "forced", "rotation"}},
		{"forced rotation", func(s *testMount) {
			s.revoke("")
			advance(time.Minute)
			s.mustRotate()
			s.token("app")
			advance(45 * time.Minute)
		}, []string{"first_read", "forced", "rotation"}},
		{"verification", func(s *testMount) {
			s.revoke("")
			advance(time.Minute)
			s.write("config/gst", map[string]any{"headers": map[string]any{"X-Branch": "7"}})
			advance(2 * time.Hour) // no reads, and the token expires
			s.token("app")
		}, []string{"first_read", "verification", ""}},
		{"long after", func(s *testMount) {
			s.revoke("")
			advance(72 * time.Hour) // the revoked token is dead by itself
			s.token("app")
		}, []string{"first_read", ""}},
		{"config deleted and made anew", func(s *testMount) {
			s.revoke("")
			advance(time.Minute)
			s.remove("config/gst")
			s.write("config/gst", jwtConfig("verify_connection", false))
			advance(time.Minute)
			s.token("app")
		}, []string{"first_read", ""}},
	} {
		for _, restart := range []bool{false, true} {
			name := c.name
			if restart {
				name += ", restart"
			}
			timed(t, name, func(t *testing.T) {
				s := gstMount(t, time.Hour)
				s.EveryMinute()
				s.token("app")
				advance(time.Minute)
				c.do(s)
				if restart {
					s.Reload()
					advance(time.Minute)
				}
				got := s.reasons()
				if !slices.EqualFunc(got, c.want, func(got, want string) bool {
					return got == want || want == "" && got != "after_revoke"
				}) {
					t.Errorf("the ledger has %q, want %q", got, c.want)
				}
			})
		}
	}
}
