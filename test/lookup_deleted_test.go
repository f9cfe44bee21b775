// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"
)

// TestLookup_DeletedConfigWhoseTokensCannotBeRevoked: lookup promises no revocation that nobody makes.
func TestLookup_DeletedConfigWhoseTokensCannotBeRevoked(t *testing.T) {
	t.Parallel()
	timed(t, "unsupported", func(t *testing.T) {
		s := oauth().mounted(t)
		s.EveryMinute()
		first := s.token("app")
		out, _ := s.revoke("")
		if out[first.id].upstream != "unsupported" {
			t.Fatalf("revoke/ says %v", out)
		}
		s.remove("config/gst")
		s.Upstream.Reset()
		advice, _ := s.write("lookup", map[string]any{"token_id": first.id}).Data["advice"].(string)
		advance(10 * time.Minute)
		if n := len(s.Upstream.Requests()); n > 0 || !s.Simulator.TokenAlive(first.access) {
			t.Fatalf("%d requests: something was revoked", n)
		}
		if strings.Contains(advice, "goes on") {
			t.Errorf("nothing revokes the token, and lookup says: %s", advice)
		}
	})
}
