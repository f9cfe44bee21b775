// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// reject is a reader whom an API has refused the token of the given ID.
func reject(id string) map[string]any { return map[string]any{"rejected_token_id": id} }

// rejecting reads the token of role app as such a reader, which must succeed, and returns the ID of what it got.
func (s *testMount) rejecting(id string) string {
	s.t.Helper()
	a, err := s.ask(s.t.Context(), "app", reject(id))
	check.Require(s.t, err == nil, "a reader whose token was rejected got no token: %v", err)
	return a.id
}

func TestTokenRejected_ThousandReadersMakeOneLogin(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		s := f.mounted(t)
		first := s.token("app")
		advance(2 * time.Minute)
		check.RequireEqual(t, s.Simulator.KillTokens("", ""), 1, "tokens died upstream")
		s.slow(3 * time.Second)
		id := sameToken(t, s.readConcurrently(concurrentReaders, toApp, reject(strings.ToUpper(first.id))))
		check.Require(t, id != first.id, "the readers were given the rejected token again")
		s.wantLogins(2, "the first and one for all who named its token")
		// Stragglers who still name the old one get the new one at once.
		for _, o := range s.readConcurrently(concurrentReaders, toApp, reject(first.id)) {
			check.Require(t, o.err == nil && o.response.id == id && o.waited == 0, "a straggler got %s after %s", o.response.id, o.waited)
			check.Require(t, s.Simulator.TokenAlive(o.response.access), "a straggler was given a token that the upstream refuses")
		}
		s.wantLogins(2, "stragglers make none")
	})
}

// An ID that is empty, as an unset variable is, or null gives a warning that nothing was replaced.
func TestTokenRejected_NotCurrentMakesNoLogin(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(2 * time.Minute)
		const empty = "rejected_token_id is empty, so no token was replaced"
		for id, says := range map[any]string{"0123456789abcdef": "", "": empty, " ": empty, nil: empty} {
			for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
				resp, err := s.do(t.Context(), op, "token/app", map[string]any{"rejected_token_id": id})
				r, refused := asRefusal(resp, err)
				check.Require(t, !refused, "%s rejecting %v: %s", op, id, r.message)
				check.True(t, resp.Data["token_id"] == first.id, "%s rejecting %v gave %v, want the current token", op, id, resp.Data["token_id"])
				said := warningsOf(resp)
				check.True(t, (said == "") == (says == "") && strings.Contains(said, says), "%s rejecting %v warns %q, want %q", op, id, said, says)
			}
		}
		// What is no token_id at all may also be refused, without repeating it.
		if r, refused := asRefusal(s.do(t.Context(), logical.UpdateOperation, "token/app", reject("canary"))); refused {
			s.hides(r.message, "canary")
		}
		s.wantLogins(1)
	})
}

// Who keeps a rejected token reads why, until when, and what replaces it now; status/ has the last two.
func TestTokenRejected_SaysWhyItIsKept(t *testing.T) {
	rotate := "vault write -f mastersindia/rotate/gst"
	eachOf(t, []logical.Operation{logical.ReadOperation, logical.UpdateOperation}, func(t *testing.T, op logical.Operation) {
		s := gstMount(t, time.Hour)
		told := func(id string) (string, string) {
			t.Helper()
			resp, err := s.do(t.Context(), op, "token/app", reject(id))
			r, refused := asRefusal(resp, err)
			check.Require(t, !refused, "%d: %s", r.status, r.message)
			return text(t, resp.Data, "token_id"), warningsOf(resp)
		}
		stamp := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }

		first := s.token("app")
		id, said := told(first.id)
		check.Require(t, id == first.id, "a token of no age was replaced")
		s.says(said, "is kept", "from "+stamp(first.issued.Add(time.Minute))+" on", rotate)
		advance(2 * time.Minute)
		second, said := told(first.id)
		check.Require(t, second != first.id && said == "", "token %s, warnings %q; want another token than %s, and none", second, said, first.id)
		_, said = told(first.id)
		check.Equal(t, said, "", "warnings where the token that was replaced is rejected again")
		advance(2 * time.Minute)
		s.Simulator.KillTokens("", "") // the upstream kills the new one too
		id, said = told(second)
		check.Require(t, id == second, "a second token was replaced within five minutes")
		s.says(said, "is kept", "at most every five minutes", rotate)
		next := regexp.MustCompile(`from (\S+) on`).FindStringSubmatch(said)
		check.Require(t, next != nil, "no time in %s", said)
		status, _ := s.status()["message"].(string)
		s.says(status, "a token is ready", "refused by an API", next[0], rotate)
		at, err := time.Parse(time.RFC3339, next[1])
		check.NoError(t, err)
		advanceUntil(at.Add(-2 * time.Second))
		id, _ = told(second)
		check.True(t, id == second, "the token was replaced before %s, the time that was told", next[1])
		advanceUntil(at)
		status, _ = s.status()["message"].(string)
		check.True(t, !strings.Contains(status, "refused"), "the guard is over, and status/ says %s", status)
		id, said = told(second)
		check.True(t, id != second && said == "", "token %s, warning %q after the time that was told", id, said)
	})
}

// What is limited to once in five minutes is how often it has happened, not how often it was asked for.
func TestTokenRejected_ReplacedSoonAfterShortOutage(t *testing.T) {
	down := func(fault simulator.Fault) func(s *testMount) {
		return func(s *testMount) { s.Simulator.SetFault(simulator.JWT, fault) }
	}
	type testCase struct {
		fails  func(s *testMount)
		logins int // in all
	}
	eachRestart(t, map[string]testCase{
		"down":      {down(simulator.Fault{Kind: simulator.FaultDown}), 3},
		"a page":    {down(simulator.Fault{Kind: simulator.FaultHTML}), 3},
		"throttled": {down(simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 2 * time.Second}), 3},
		"storage":   {func(s *testMount) { s.Storage.FailPuts(1) }, 2},
	}, func(t *testing.T, c testCase, restart bool) {
		s := gstMount(t, 24*time.Hour)
		first := s.token("app")
		advance(2 * time.Minute)
		c.fails(s)
		check.Require(t, s.rejecting(first.id) == first.id, "the token was replaced during the outage")
		s.wantLogins(c.logins-1, "(one met the outage, if it could begin)")
		advance(time.Second)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.reloadIf(restart)
		for began := time.Now(); s.rejecting(first.id) == first.id; advance(time.Second) {
			check.Require(t, time.Since(began) <= 30*time.Second, "the rejected token is still handed out %s after the outage", time.Since(began))
		}
		s.wantLogins(c.logins, "the last of them after the outage")
	})
}

// The login that should replace a rejected token fails: its readers are told, with the next attempt.
func TestTokenRejected_SaysThatLoginsFail(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(2 * time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
		for range 2 { // the one that logs in, and one in the pause that follows
			resp, err := s.do(t.Context(), logical.ReadOperation, "token/app", reject(first.id))
			r, refused := asRefusal(resp, err)
			check.Require(t, !refused && resp.Data["token_id"] == first.id, "%v: want the token that there is", r)
			s.says(warningsOf(resp), "is kept", "upstream refused the credentials", "next attempt at ",
				"vault write mastersindia/config/gst password=@file")
		}
		s.wantLogins(2, "(none in the pause)")
	})
}

// The upstream gives the rejected token again: nothing says that it was replaced, or how to have it replaced.
func TestTokenRejected_RepeatedTokenSaysSo(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		first := s.token("app")
		advance(5 * time.Minute)
		resp, err := s.do(t.Context(), logical.ReadOperation, "token/app", reject(first.id))
		check.Require(t, err == nil && resp.Data["token_id"] == first.id && len(s.Upstream.Logins()) == 2,
			"%v, %v after %d logins, want the same token after two", resp, err, len(s.Upstream.Logins()))
		for whose, said := range map[string]string{"the reader": warningsOf(resp), "status/": text(t, s.status(), "message")} {
			check.True(t,
				contains(said, "the upstream repeats it") && !strings.Contains(said, "replaced") && !strings.Contains(said, "rotate/"),
				"%s reads: %s", whose, said)
		}
		check.Equal(t, s.scrape().samples[`rotations_total{config="gst",reason="rejected"}`], 0.0, "rotations are counted")
	})
}

// The token that is to be replaced lives on: it is served where its replacement takes longer than readers wait.
func TestTokenRejected_KeptWhereReplacementTakesTooLong(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"the upstream hangs": func(s *testMount) {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 30 * time.Second})
			s.Storage.Slow(mounttest.Get, "role/", 100*time.Millisecond)
		},
		"storage hangs, so that no login begins": func(s *testMount) {
			s.Storage.SetFault(func(_ int, access, _ string) mounttest.Fault {
				if access == mounttest.Put {
					return mounttest.Fault{Wait: 25 * time.Second}
				}
				return mounttest.Fault{Wait: 100 * time.Millisecond}
			})
		},
	}, func(t *testing.T, hang func(s *testMount)) {
		s := gstMount(t, time.Hour, "request_timeout", "40s")
		a := s.token("app")
		advance(5 * time.Minute)
		s.Backend().InvalidateKey(t.Context(), "role/app") // reading the role takes a part of the time
		hang(s)
		began := time.Now()
		resp, err := s.wait(s.asyncRequest(t.Context(), logical.UpdateOperation, "token/app", reject(a.id))).unpack()
		check.Require(t, err == nil, "refused, while the token lives for another %s: %v", time.Until(a.expires), err)
		check.True(t, time.Since(began) >= 14*time.Second, "it came after %s: nothing hung", time.Since(began))
		check.True(t, resp.Data["token_id"] == a.id, "another token was served: %v", resp.Data["token_id"])
		check.Contains(t, strings.Join(resp.Warnings, " "), "its replacement is not there yet")
	})
}
