// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"
)

// TestRevoke_RepeatedTokenCausesNoLoginStorm: the upstream gives the revoked token again to the end of its life. It is not asked
// for it every minute until then, and the message says what is the matter.
func TestRevoke_RepeatedTokenCausesNoLoginStorm(t *testing.T) {
	t.Parallel()
	timed(t, "a life of a day", func(t *testing.T) {
		const life = 24 * time.Hour
		s := gstMount(t, life)
		s.repeating(life, 0)
		s.EveryMinute()
		s.token("app")
		advance(time.Minute)
		s.revoke("")
		before := len(s.Upstream.LoginTimes())
		text := ""
		for end := time.Now().Add(6 * time.Hour); time.Now().Before(end); advance(10 * time.Second) {
			text = s.failure("app").Error()
		}
		if !strings.Contains(text, "repeats a token that was revoked") {
			t.Fatalf("reads fail for another reason: %s", text)
		}
		if got := len(s.Upstream.LoginTimes()) - before; got > 40 {
			t.Errorf("%d logins in six hours, each of which has brought the revoked token", got)
		}
		if strings.Contains(text, "token_url") {
			t.Errorf("the message blames token_url, which is the login endpoint: %s", text)
		}
	})
}

// TestRepeatedToken_MessageBlamesNoSetting: the upstream repeats its token to the end. What readers are told in the last seconds
// does not send anybody to look after token_url: logins there succeed.
func TestRepeatedToken_MessageBlamesNoSetting(t *testing.T) {
	t.Parallel()
	timed(t, "at the end", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-one-token-of-all","expires_in":600}`)
		first := s.token("app")
		advance(7 * time.Minute)
		if again := s.mustRotate()["token_id"]; again != first.id {
			t.Fatalf("token %v after %s: the upstream does not repeat it", again, first.id)
		}
		advanceUntil(first.expires.Add(-3 * time.Second))
		text := s.failure("app").Error()
		if !strings.Contains(text, "repeats its last token") {
			t.Fatalf("reads fail for another reason: %s", text)
		}
		if strings.Contains(text, "token_url") {
			t.Errorf("the message blames token_url: %s", text)
		}
	})
}
