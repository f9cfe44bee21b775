// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// A Retry-After holds revocations back at the endpoint that asked for it only.
func TestRevoke_ThrottledByFormerEndpoint(t *testing.T) {
	eachNamed(t, map[string]func(s *testMount){
		"moved": func(s *testMount) {
			s.write("config/gst", map[string]any{"refresh_url": upstreamURL + "/api/v2/api-token-refresh/?at=new", "password": "pass-of-clerk"})
		},
		"stays": func(*testMount) {},
	}, func(t *testing.T, name string, move func(s *testMount)) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour, On: simulator.OnRefresh})
		out, _ := s.revoke("")
		check.RequireEqual(t, out[first.id].upstream, "unknown", "upstream")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(time.Minute)
		move(s)
		second := s.token("app")
		s.Upstream.Reset()
		out, _ = s.revoke(second.id)
		advance(10 * time.Minute)
		if dead := !s.Simulator.TokenAlive(second.access); dead != (name == "moved") {
			t.Errorf("%s: the token is dead: %t; revoke/ said %v, and %d requests were made in ten minutes", name, dead, out,
				len(s.Upstream.Requests()))
		}
	})
}

// The endpoint is corrected after a revocation. The refresh token goes nowhere else: the operator reads that the token may live.
func TestRevoke_EndpointCorrectedAfterwards(t *testing.T) {
	type testCase struct {
		fault          simulator.Fault
		outcome, warns string
	}
	each(t, map[string]testCase{
		"refused": {simulator.Fault{Kind: simulator.FaultRefuse}, "refused", "1 of its tokens can no longer be revoked upstream"},
		"moved": {
			simulator.Fault{Kind: simulator.FaultRedirect, RedirectTo: upstreamURL}, "unknown",
			"goes on asking for their revocation, with the former settings, until another node leads, or the plugin restarts",
		},
	}, func(t *testing.T, c testCase) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		a := s.token("app")
		c.fault.On = simulator.OnRefresh
		s.Simulator.SetFault(simulator.JWT, c.fault)
		out, _ := s.revoke("")
		check.Equal(t, out[a.id].upstream, c.outcome, "upstream")
		s.says(warningsOf(s.write("config/gst", map[string]any{
			"refresh_url": upstreamURL + "/api/v2/api-token-refresh/?at=new", "password": "pass-of-clerk", "verify_connection": false,
		})), c.warns)
		s.Reload()
		out, warnings := s.revoke("")
		check.Equal(t, out[a.id].upstream, "unsupported", "upstream, after a restart")
		s.says(strings.Join(warnings, " "), "may be valid upstream until", "it cannot be revoked upstream")
		check.True(t, s.Simulator.TokenAlive(a.access), "the token is dead: this tests nothing")
	})
}

// An exchange that brings the token which it was to end has not ended it.
func TestRevoke_RefreshThatGivesTheSameToken(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		asked := 0
		s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "refresh") {
				s.Simulator.ServeHTTP(w, r)
				return
			}
			asked++
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"token":"` + first.access + `","refresh_token":"yet-another-refresh","expires_in":80000}`))
		})
		out, warnings := s.revoke("")
		check.Require(t, asked == 1 && s.Simulator.TokenAlive(first.access), "%d exchanges, or the token is dead", asked)
		found := s.write("lookup", map[string]any{"token_id": first.id}).Data
		check.True(t, out[first.id].upstream != "killed" && len(warnings) != 0,
			"the upstream has handed the token out as good just now: revoke/ says %v, with warnings %q; lookup says usable "+
				"until %v, %v", out, warnings, found["usable_until"], found["advice"])
	})
}

// The upstream asks with its first responses to wait for an hour, and the exchanges that have not begun are made after that.
func TestRevoke_HeedsRetryAfterOfRefresh(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.token("app")
		for range 15 {
			advance(11 * time.Second)
			s.mustRotate()
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour, On: simulator.OnRefresh})
		s.Upstream.Reset()
		out, _ := s.revoke("")
		advance(time.Minute)
		_, warnings := s.revoke("")
		check.True(t, !contains(strings.Join(warnings, " "), "run the command again"), "run again, the command asks nobody: %q", warnings)
		advance(57 * time.Minute)
		n := len(s.Upstream.Requests())
		check.True(t, n >= 1 && n <= 4 && len(out) == 16, "%d exchanges of %d tokens, want no more than are made at a time", n, len(out))
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(5 * time.Minute)
		for _, token := range s.ledgerOf("gst") {
			check.True(t, token.UsableUntil.Before(token.ExpiresAt), "token %s was not revoked when the upstream could be asked again", token.ID)
		}
	})
}

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
			check.Equal(t, strings.Count(log.String(), words), 1, "times that the log says %q", words)
		}
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		if c.status == http.StatusUnauthorized { // which is not tried again by itself
			s.revoke(a.id)
		}
		advance(time.Minute)
		check.True(t, !s.Simulator.TokenAlive(a.access), "the token is alive")
		check.Equal(t, strings.Count(log.String(), "the upstream has revoked a token after all"), 1, "log lines of the revocation")
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
		s.respond(http.StatusUnauthorized, `{"detail":"no session of `+access+`"}`)
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
		check.RequireEqual(t, s.Simulator.Counters().Refreshes, before, "refreshes")
		s.says(warningsOf(resp), "throttles refresh_url, and is asked from 2000-01-01T00:3")
		s.says(s.lookUp("token_id", second).Advice, "throttles refresh_url, and is asked from 2000-01-01T00:3")
	})
}

// A write with another refresh_url has brought a token when revoke/ comes, and that endpoint refuses its refresh token.
func TestRevoke_RefusedByEndpointThatIsBeingStored(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		s.Storage.Slow(mounttest.Put, "config/", 10*time.Second)
		write := s.asyncRequest(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{
			"refresh_url": "http://other-host.test/api/v2/api-token-refresh/", "password": "pass-of-clerk",
		})
		advance(time.Second)
		s.respond(401, `{"error":true,"message":"invalid_grant: the refresh token is not valid"}`)
		out, _ := s.revoke("")
		_, err := s.wait(write).unpack()
		check.NoError(t, err)
		check.Require(t, len(out) == 2, "want the token in use and the one of the write: %v", out)
		delete(out, first.id)
		for id, r := range out {
			check.True(t, r.upstream == "refused", "the upstream has refused the refresh token of %s, and revoke/ says %s", id, r.upstream)
		}
	})
}

// revoke/ finds the upstream down, then refresh_url is changed, and revoke/ is run again, to which the former endpoint responds.
func TestRevoke_RefusedByFormerEndpoint(t *testing.T) {
	ksaTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		a := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		out, _ := s.revoke("")
		check.Require(t, out[a.id].upstream == "unknown", "%v", out)
		s.write("config/gst", map[string]any{
			"refresh_url": "http://other-host.test/api/v2/api-token-refresh/", "password": "pass-of-clerk", "verify_connection": false,
		})
		s.respond(401, `{"error":true,"message":"invalid_grant: the refresh token is not valid"}`)
		out, _ = s.revoke("")
		check.True(t, out[a.id].upstream == "refused", "the upstream has refused the refresh token, and revoke/ says %s", out[a.id].upstream)
	})
}
