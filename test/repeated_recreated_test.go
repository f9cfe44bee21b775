// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"
)

// TestRepeatedToken_OfARecreatedConfig: the upstream gives the same token again, with a full expires_in, to a config that was
// deleted and written again. That prolongs nothing.
func TestRepeatedToken_OfARecreatedConfig(t *testing.T) {
	t.Parallel()
	timed(t, "half an hour later", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-one-token-of-all","expires_in":3600}`)
		first := s.token("app")
		advance(30 * time.Minute)
		s.remove("config/gst")
		s.write("config/gst", jwtConfig("verify_connection", false))
		again := s.token("app")
		if again.id != first.id {
			t.Fatal("the upstream does not repeat its token")
		}
		if again.left > 31*time.Minute {
			t.Errorf("a token that ends in 30m is said to live for %s", again.left)
		}
	})
}
