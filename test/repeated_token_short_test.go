// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestRepeated_EarlierEndIsUsed: the upstream repeats its token and says that it ends in a moment, long before the end
// that was stated first. The account is not held until that first end.
func TestRepeated_EarlierEndIsUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, 24*time.Hour)
		s.loginsReturn(`{"token":"the-one-token","expires_in":86400}`)
		a := s.token("app")
		advance(time.Hour)
		s.loginsReturn(`{"token":"the-one-token","expires_in":3}`)
		if _, err := s.rotate(); err == nil {
			t.Fatal("a token with three seconds of life was taken")
		}
		s.loginsReturn(`{"token":"another-token","expires_in":86400}`)
		advance(5 * time.Minute)
		after, err := s.ask(t.Context(), "app", map[string]any{"rejected_token_id": a.id})
		if err != nil || after.id == a.id {
			t.Errorf("five minutes later a read gives the token that has ended (%v): next attempt %v", err, s.status()["next_attempt_at"])
		}
	})
}
