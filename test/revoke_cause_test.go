// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// revoke/ says what is wrong with the upstream, and the log has it once.
func TestRevoke_SaysWhyUpstreamDidNot(t *testing.T) {
	type testCase struct {
		status int
		cause  string
	}
	each(t, map[string]testCase{
		"moved":       {http.StatusMovedPermanently, "set refresh_url to the final address"},
		"no such URL": {http.StatusNotFound, "HTTP 404"},
		"down":        {http.StatusInternalServerError, "upstream reports an error (HTTP 500"},
		"refused":     {http.StatusUnauthorized, "upstream refused the refresh token (HTTP 401"},
	}, func(t *testing.T, c testCase) {
		f := jwtV2().living(24 * time.Hour)
		s, log := f.logged(t)
		s.EveryMinute()
		a := s.token("app")
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) })
		_, warnings := s.revoke("")
		s.says(strings.Join(warnings, " "), c.cause)
		s.says(s.lookUp("token_id", a.id).Advice, c.cause)
		advance(5 * time.Minute)
		for _, words := range []string{"the upstream has not revoked a token", c.cause} {
			got := strings.Count(log.String(), words)
			check.True(t, got == 1, "the log says %q %d times, want once", words, got)
		}
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		if c.status == http.StatusUnauthorized { // which is not tried again by itself
			s.revoke(a.id)
		}
		advance(time.Minute)
		check.True(t, !s.Simulator.TokenAlive(a.access), "the token is alive")
		got := strings.Count(log.String(), "the upstream has revoked a token after all")
		check.True(t, got == 1, "the log has %d lines of the revocation, want one", got)
	})
}

// The upstream names a token, short as a word, of a config that was deleted meanwhile.
func TestRevoke_CauseAfterDeleteHasNoSecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2().living(24 * time.Hour)
		s, log := f.logged(t)
		s.EveryMinute()
		const access, refresh = "access-word", "refresh-word"
		s.loginsReturn(`{"token":"` + access + `","refresh_token":"` + refresh + `","expires_in":86400}`)
		s.mustRotate()
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		s.revoke("")
		s.remove("config/gst")
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]string{"detail": "no session of " + access})
		})
		advance(5 * time.Minute)
		s.says(log.String(), "upstream refused the refresh token (HTTP 401")
		s.hides(log.String(), access, refresh)
	})
}

// TestRevoke_SaysThatRefreshIsThrottled revokes while a Retry-After of the refresh endpoint runs: the upstream is not asked.
func TestRevoke_SaysThatRefreshIsThrottled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := ksaMount(t, 2*time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(2 * time.Minute)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 30 * time.Minute, On: simulator.OnRefresh})
		s.revoke("")
		second := s.token("app").id
		before := s.Simulator.Counters().Refreshes
		resp := s.write("revoke/gst", map[string]any{"token_id": second})
		if n := s.Simulator.Counters().Refreshes; n != before {
			t.Fatalf("%d refreshes: this tests nothing", n-before)
		}
		s.says(warningsOf(resp), "throttles refresh_url, and is asked from 2000-01-01T00:3")
		s.says(s.lookUp("token_id", second).Advice, "throttles refresh_url, and is asked from 2000-01-01T00:3")
	})
}
