// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// The upstream repeats its token and says that it ends in a moment, long before the end that was stated first. The account is not
// held until that first end.
func TestRepeated_EarlierEndIsUsed(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-one-token","expires_in":86400}`)
		a := s.token("app")
		advance(time.Hour)
		s.loginsReturn(`{"token":"the-one-token","expires_in":3}`)
		_ = s.failedRotate()
		s.loginsReturn(`{"token":"another-token","expires_in":86400}`)
		advance(5 * time.Minute)
		after, err := s.ask(t.Context(), "app", map[string]any{"rejected_token_id": a.id})
		if err != nil || after.id == a.id {
			t.Errorf("five minutes later a read gives the token that has ended (%v): next attempt %v", err, s.status()["next_attempt_at"])
		}
	})
}

// Tokens whose claims are whole seconds are the same where two logins come within one. That is no upstream which repeats its
// token to the end: the token is rotated ahead of time, and no reader notices anything.
func TestRepeated_WithinOneSecondIsRotated(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"rotate": func(s *testMount) {
			resp := s.write("rotate/gst", nil)
			if said := warningsOf(resp); !strings.Contains(said, "not replaced") || strings.Contains(said, "expires") {
				s.t.Errorf("rotate/ says %q of a token that is the same for this second", said)
			}
		},
		"other headers": func(s *testMount) { s.write("config/gst", map[string]any{"headers": "X-Branch=7"}) },
	}, func(t *testing.T, again func(s *testMount)) {
		const life = time.Hour
		s := newLatencyMount(t, jwtAccount(withTTL(life), func(a *simulator.Account) { a.RepeatTokens = true }))
		s.EveryMinute()
		s.write("config/gst", jwtConfig())
		s.write("role/app", map[string]any{"config": "gst"})
		first := s.token("app").id
		again(s)
		if second := s.token("app").id; second != first || s.logins() != 2 {
			t.Fatalf("token %s after %s and %d logins: the upstream should have given the same again", second, first, s.logins())
		}
		for end := time.Now().Add(3 * life); time.Now().Before(end); advance(time.Second) {
			a := s.token("app")
			require(t, a.lease >= life/3-10*time.Second, "a lease of %s, want a third of %s at least", a.lease, life)
		}
	})
}

// The upstream repeats a token whose rotation is due within its first minute.
func TestRepeated_YoungTokenCausesNoLoginStorm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		life    time.Duration
		percent int
	}{{time.Minute, 66}, {time.Hour, 1}} {
		timed(t, c.life.String(), func(t *testing.T) {
			s := gstMount(t, c.life, "rotation_percent", c.percent)
			s.repeating(c.life, 0)
			s.EveryMinute()
			for end := time.Now().Add(2 * c.life); time.Now().Before(end); advance(time.Second) {
				_, _ = s.ask(t.Context(), "app", nil)
			}
			got := len(s.Upstream.LoginTimes())
			check(t, got >= 3 && got <= 8, "%d logins in the lives of two tokens, want two or three a life", got)
		})
	}
}
