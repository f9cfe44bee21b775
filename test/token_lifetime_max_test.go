// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestMaxTokenTTL_LoweredDuringLogin: what a login brings lives no longer than the settings allow that are in force when it ends.
func TestMaxTokenTTL_LoweredDuringLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		release := s.Upstream.Hold()
		reader := s.async("token/app")
		advance(time.Second)
		if s.logins() != 1 {
			t.Fatal("no login is in flight")
		}
		s.write("config/gst", map[string]any{"max_token_ttl": "1h"})
		release()
		s.wait(reader)
		if a := s.token("app"); a.left > time.Hour {
			t.Errorf("a token has %s left, and max_token_ttl is an hour", a.left)
		}
		s.wantLogins(1, "by a reader")
	})
}
