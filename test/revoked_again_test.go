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
