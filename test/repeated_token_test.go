// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// repeating is an upstream that responses with the token it has given before, until that is about to die.
func (s *testMount) repeating(life, until time.Duration) {
	var mu sync.Mutex
	var last *httptest.ResponseRecorder
	var given time.Time
	s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if last == nil || time.Since(given) > life-until {
			last, given = httptest.NewRecorder(), time.Now()
			s.Simulator.ServeHTTP(last, r)
		}
		w.Header().Set("Content-Type", last.Header().Get("Content-Type"))
		w.WriteHeader(last.Code)
		_, _ = w.Write(bytes.Clone(last.Body.Bytes()))
	})
}

// readAlive reads a token as often as it says, none of which may be dead upstream, and returns the IDs of those that were served.
func (s *testMount) readAlive(every, span time.Duration) (ids []string) {
	s.t.Helper()
	dead := 0
	for end := time.Now().Add(span); time.Now().Before(end); advance(every) {
		if a, err := s.ask(s.t.Context(), "app", nil); err == nil {
			ids = append(ids, a.id)
			if !s.Simulator.TokenAlive(a.access) {
				dead++
			}
		}
	}
	check.Equal(s.t, dead, 0, "of %d reads, those that were given a dead token", len(ids))
	return ids
}

// wantNoTokenStored checks that storage has no token of a deleted config, whatever else it keeps of one.
func (s *testMount) wantNoTokenStored() {
	s.t.Helper()
	for key, value := range s.storedUnder("token/") {
		check.True(s.t, !strings.Contains(value, "access_token"), "%s has the token of a deleted config", key)
	}
}

// repeatingOAuth is an account whose upstream repeats its token for the hour that it lives. A silent one tells no life.
func repeatingOAuth(silent bool) fixture {
	f := oauth().living(time.Hour)
	f.account.SameToken, f.account.OmitExpiry = simulator.TokenRepeated, silent
	return f
}

// loginsReturn is an upstream that responds to every login with the same JSON.
func (s *testMount) loginsReturn(body string) { s.respond(http.StatusOK, body) }

// Some upstreams give a new token only when the old one is about to die.
func TestRepeatedToken_CausesNoLoginStorm(t *testing.T) {
	each(t, map[string]time.Duration{
		"until a tenth is left": 6 * time.Minute, "until 3 seconds are left": 3 * time.Second, "to its end": 0,
	}, func(t *testing.T, until time.Duration) {
		const life = time.Hour
		s := gstMount(t, life)
		s.repeating(life, until)
		s.EveryMinute()
		failed := 0
		for end := time.Now().Add(3 * time.Hour); time.Now().Before(end); advance(900 * time.Millisecond) {
			a, err := s.ask(t.Context(), "app", nil)
			if err != nil {
				failed++
				continue
			}
			check.Require(t, s.livesFor(a, a.lease), "a lease of %s outlives its token, said to have %s left", a.lease, a.left)
			check.Require(t, a.left >= 6*time.Second-time.Second, "a token with %s left was served", a.left)
		}
		logins := len(s.Upstream.LoginTimes())
		t.Logf("%d logins in 3 hours, %d reads failed", logins, failed)
		// A life has 20 minutes between the time of rotation and the end, with at least a minute between two logins.
		check.True(t, logins <= 3*25, "%d logins in 3 hours, want at most 25 a token", logins)
		check.True(t, failed <= 3*60, "%d reads failed", failed)
	})
}

// A token that is given again under other settings lives no longer.
func TestRepeatedToken_UnderOtherSettings(t *testing.T) {
	eachOf(t, []bool{true, false}, func(t *testing.T, verify bool) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		first := s.token("app")
		advance(30 * time.Minute)
		s.write("config/gst", branch("7", "verify_connection", verify))
		a := s.token("app")
		check.True(t, a.id == first.id && a.expires.Equal(first.expires), "token %s lives until %s, and was to live until %s", a.id, a.expires, first.expires)
		check.Equal(t, len(s.write("revoke/gst", nil).Warnings), 1, "warnings of the one token that is out")
	})
}

// Rotate that gives the same token again names no previous one, nor one of those before it, which another rotation replaced.
func TestRepeatedToken_RotateNamesNoPrevious(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, earlier bool) {
		s := gstMount(t, time.Hour)
		if earlier {
			s.token("app")
			advance(time.Minute)
		}
		s.repeating(time.Hour, 0)
		repeated := any(s.token("app").id)
		if earlier {
			repeated = s.mustRotate()["token_id"]
			advance(time.Minute)
		}
		for range 2 { // the second gets the first
			resp := s.write("rotate/gst", nil)
			check.True(t, resp.Data["token_id"] == repeated && resp.Data["previous_token_id"] == "",
				"rotate returns %v, want token %v again and none replaced", resp.Data, repeated)
		}
		advance(time.Minute)
		s.says(warningsOf(s.write("rotate/gst", nil))+text(t, s.status(), "message"), "repeat")
	})
}

// Settings that went to another account and back: rotate/ replaces the token of the other one, by one that was given before.
func TestRepeatedToken_ReplacesThatOfAnotherAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"token-of-the-one-account","expires_in":3600}`)
		one := s.token("app")
		advance(2 * time.Minute)
		s.loginsReturn(`{"token":"token-of-the-other-account","expires_in":3600}`)
		s.write("config/gst", branch("7"))
		two := s.token("app")
		advance(2 * time.Minute)
		s.loginsReturn(`{"token":"token-of-the-one-account","expires_in":3600}`)
		resp := s.write("rotate/gst", nil)
		check.Require(t, resp.Data["token_id"] == one.id && resp.Data["previous_token_id"] == two.id, "%v", resp.Data)
		check.True(t, len(resp.Warnings) == 0, "rotate/ has replaced %s by %s, and warns: %v", two.id, one.id, resp.Warnings)
	})
}

// Where the upstream tells no life, a corrected one counts, from when the token was first given.
func TestRepeatedToken_CorrectedLifeCounts(t *testing.T) {
	passed := []time.Duration{30 * time.Minute, 59*time.Minute + 57*time.Second}
	eachPair(t, []bool{true, false}, passed, func(t *testing.T, verify bool, after time.Duration) {
		s := gstMount(t, time.Hour, "default_token_ttl", "1h")
		s.loginsReturn(`{"token":"the-only-token-there-is"}`)
		first := s.token("app")
		left := time.Until(first.expires)
		check.Require(t, left <= time.Hour, "the token is said to live for %s: this tests nothing", left)
		advance(after)
		s.write("config/gst", map[string]any{"default_token_ttl": "24h", "verify_connection": verify})
		advance(2 * time.Hour)
		a := s.token("app")
		want := first.expires.Add(23 * time.Hour)
		check.True(t, a.id == first.id && a.expires.Sub(want).Abs() <= time.Second, "%s until %s, want until %s", a.id, a.expires, want)
	})
}

// The upstream gives the revoked token again to its end: it is not asked every minute, and the message says why.
func TestRevoke_RepeatedTokenCausesNoLoginStorm(t *testing.T) {
	bubble(t, func(t *testing.T) {
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
		s.says(text, "repeats a token that was revoked")
		atMost(t, len(s.Upstream.LoginTimes())-before, 40, "logins in six hours")
		check.True(t, !strings.Contains(text, "token_url"), "the message blames token_url, which is the login endpoint: %s", text)
	})
}

// The token is repeated to its end, so that for seconds there is none: status/ says what readers are told.
func TestRepeatedToken_StatusSaysThatReadsFail(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.repeating(time.Hour, 0)
		s.token("app")
		advance(time.Minute)
		s.mustRotate()
		advanceUntil(moment(t, s.status(), "expires_at").Add(-4 * time.Second))
		s.quiet(func() {
			message := s.failure("app").Error()
			status := s.status()
			check.True(t, status["state"] == "backing_off" && status["last_error_kind"] == "malformed",
				"state %v, last_error_kind %v, want backing_off and malformed", status["state"], status["last_error_kind"])
			s.says(text(t, status, "message"), "repeats its last token", "reads fail", text(t, status, "next_attempt_at"))
			s.says(message, "repeats its last token", text(t, status, "next_attempt_at"))
			check.True(t, !strings.Contains(message, "token_url"), "the message blames token_url, where logins succeed: %s", message)
			check.Equal(t, count(t, status, "consecutive_failures"), "0", "consecutive failures, and no login has failed")
		})
		advanceUntil(moment(t, s.status(), "next_attempt_at"))
		s.token("app")
		check.Equal(t, s.status()["state"], "ready", "state")
	})
}

// A repeated token ends before the end that was stated first: the account is not held until that.
func TestRepeatedToken_EarlierEndIsUsed(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-one-token","expires_in":86400}`)
		a := s.token("app")
		advance(time.Hour)
		s.loginsReturn(`{"token":"the-one-token","expires_in":3}`)
		_ = s.failedRotate()
		s.loginsReturn(`{"token":"another-token","expires_in":86400}`)
		advance(5 * time.Minute)
		after, err := s.ask(t.Context(), "app", map[string]any{"rejected_token_id": a.id})
		check.True(t, err == nil && after.id != a.id,
			"five minutes later a read gives the token that has ended (%v): next attempt %v", err, s.status()["next_attempt_at"])
	})
}

// Tokens with claims in whole seconds are the same within one. That is no upstream which repeats its token to the end.
func TestRepeatedToken_WithinOneSecondIsRotated(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"rotate": func(s *testMount) {
			resp := s.write("rotate/gst", nil)
			said := warningsOf(resp)
			check.True(s.t, strings.Contains(said, "not replaced") && !strings.Contains(said, "expires"), "rotate/ says %q", said)
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
		second := s.token("app").id
		check.Require(t, second == first && s.logins() == 2, "%s after %s: the upstream should have repeated it", second, first)
		for end := time.Now().Add(3 * life); time.Now().Before(end); advance(time.Second) {
			a := s.token("app")
			check.Require(t, a.lease >= life/3-10*time.Second, "a lease of %s, want a third of %s at least", a.lease, life)
		}
	})
}

// The upstream repeats a token whose rotation is due within its first minute.
func TestRepeatedToken_YoungTokenCausesNoLoginStorm(t *testing.T) {
	type testCase struct {
		life    time.Duration
		percent int
	}
	eachOf(t, []testCase{{time.Minute, 66}, {time.Hour, 1}}, func(t *testing.T, c testCase) {
		s := gstMount(t, c.life, "rotation_percent", c.percent)
		s.repeating(c.life, 0)
		s.EveryMinute()
		for end := time.Now().Add(2 * c.life); time.Now().Before(end); advance(time.Second) {
			_, _ = s.ask(t.Context(), "app", nil)
		}
		between(t, len(s.Upstream.LoginTimes()), 3, 8, "logins in the lives of two tokens")
	})
}

// atEnd is what the readers of a repeated token met: how many were refused, and how many of them at an unexpected time.
type atEnd struct{ reads, failed, unexplained int }

// readOver reads every second. nearEnd reports whether a failure is explained by the token's end: in its last 6 s it counts as
// expired, and until that end there is no other. stated is the end of the token that was served last.
func (s *testMount) readOver(span time.Duration, nearEnd func(now, stated time.Time) bool) (met atEnd) {
	s.t.Helper()
	var stated time.Time
	for end := time.Now().Add(span); time.Now().Before(end); advance(time.Second) {
		met.reads++
		a, err := s.ask(s.t.Context(), "app", nil)
		switch {
		case err == nil && a.left < 5*time.Second:
			s.t.Errorf("a token with %s left was served", a.left)
		case err == nil:
			stated = a.expires
		default:
			met.failed++
			if !nearEnd(time.Now(), stated) {
				met.unexplained++
				check.True(s.t, met.unexplained >= 5, "a read far from the token's end: %v", err)
			}
			if !strings.Contains(err.Error(), "repeat") && !strings.Contains(err.Error(), "same token") {
				met.unexplained++
				check.True(s.t, met.unexplained >= 5, "the message does not say that the upstream repeats its token: %v", err)
			}
		}
	}
	s.t.Logf("%d reads, %d failed", met.reads, met.failed)
	return met
}

// The upstream has one token, and says at each login that it lives for another hour.
func TestRepeatedToken_RenewedTokenIsServed(t *testing.T) {
	eachOf(t, []int{66, 100}, func(t *testing.T, percent int) {
		s := gstMount(t, time.Hour, "rotation_percent", percent)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		s.EveryMinute()
		began := time.Now()
		met := s.readOver(10*time.Hour, func(now, stated time.Time) bool {
			return now.After(stated.Add(-7*time.Second)) && now.Before(stated.Add(2*time.Second))
		})
		ends := int(time.Since(began)/time.Hour) + 1
		most := 8 * ends
		check.True(t, met.failed <= most, "%d of %d reads failed, want at most %d: 8 s at each end", met.failed, met.reads, most)
		// An hour has 20 minutes between the time of rotation and the end, and at least a minute between two logins.
		between(t, len(s.Upstream.LoginTimes()), ends-1, 25*ends, "logins in ten hours")
	})
}

// The upstream repeats its token with what is left of its life, and has another one once that is over.
func TestRepeatedToken_FallingLifeEndsInNewToken(t *testing.T) {
	eachOf(t, []int{66, 100}, func(t *testing.T, percent int) {
		s := gstMount(t, time.Hour, "rotation_percent", percent)
		var mu sync.Mutex
		var born time.Time
		number := 0
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if born.IsZero() || time.Since(born) >= time.Hour {
				born, number = time.Now(), number+1
			}
			left := int((time.Hour - time.Since(born)) / time.Second)
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"token":"token-number-%d","expires_in":%d}`, number, left)
		})
		s.EveryMinute()
		met := s.readOver(5*time.Hour, func(now, _ time.Time) bool {
			mu.Lock()
			defer mu.Unlock()
			lived := now.Sub(born)
			return lived > time.Hour-7*time.Second
		})
		check.True(t, met.failed <= 5*8, "%d of %d reads failed, want at most 8 at each of 5 ends", met.failed, met.reads)
		mu.Lock()
		defer mu.Unlock()
		check.True(t, number >= 5, "%d tokens in five hours: the test did not reach their ends", number)
	})
}

// The upstream gives another token first, and the revoked one long after its end.
func TestRepeatedToken_RevokedTokenIsNeverServedLater(t *testing.T) {
	read := func(s *testMount) error {
		_, err := s.ask(s.t.Context(), "app", nil)
		return err
	}
	headers := func(s *testMount, verify bool) error {
		_, err := s.do(s.t.Context(), logical.UpdateOperation, "config/gst", branch("7", "verify_connection", verify))
		return err
	}
	eachWith(t, map[string]func(s *testMount) error{
		"read":             read,
		"rotate":           func(s *testMount) error { _, err := s.rotate(); return err },
		"verification":     func(s *testMount) error { return headers(s, true) },
		"restart and read": func(s *testMount) error { s.Reload(); return read(s) },
		"write and read":   func(s *testMount) error { check.NoError(s.t, headers(s, false)); return read(s) },
	}, []bool{false, true}, func(t *testing.T, _ string, ask func(s *testMount) error, between bool) {
		for _, after := range []time.Duration{30 * time.Minute, 2 * time.Hour, 30 * time.Hour} {
			repeatRevoked(t, between, after, ask)
		}
	})
}

func repeatRevoked(t *testing.T, between bool, after time.Duration, ask func(*testMount) error) {
	t.Helper()
	s := gstMount(t, time.Hour)
	s.loginsReturn(`{"token":"the-revoked-token","expires_in":3600}`)
	s.EveryMinute()
	first := s.token("app")
	advance(time.Minute)
	s.revoke("")
	if between {
		s.loginsReturn(`{"token":"another-token","expires_in":3600}`)
		s.token("app")
	}
	advance(after)
	s.loginsReturn(`{"token":"the-revoked-token","expires_in":3600}`)
	before := len(s.Upstream.LoginTimes())
	err := ask(s)
	a, failed := s.ask(t.Context(), "app", nil)
	check.True(t, failed != nil || a.id != first.id, "token %s is served, which was revoked (asked first: %v)", a.id, err)
	check.True(t, between || len(s.Upstream.LoginTimes()) != before, "the upstream was not asked")
}

// The same thirty days after its end, when another token has come since.
func TestRepeatedToken_RevokedTokenIsRememberedFor30Days(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"the-revoked-token","expires_in":3600}`)
		first := s.token("app")
		s.revoke("")
		advance(30 * 24 * time.Hour)
		s.loginsReturn(`{"token":"another-token","expires_in":3600}`)
		s.token("app")
		s.loginsReturn(`{"token":"the-revoked-token","expires_in":3600}`)
		check.Contains(t, s.failedRotate().Error(), "revoked")
		s.wantNotRead(first.id)
	})
}

// A token that is handed out again is served until its told end, which max_token_ttl or the host's clock puts elsewhere.
func TestRepeatedToken_TokenKeepsItsEnd(t *testing.T) {
	type testCase struct {
		limit   string
		silent  bool          // the upstream tells no life
		step    time.Duration // of the host's clock
		refused int           // of 180 reads, at most
	}
	each(t, map[string]testCase{
		"no limit": {"0s", false, 0, 3}, "10m": {"10m", false, 0, 3}, "40m": {"40m", false, 0, 3}, "50m": {"50m", false, 0, 3},
		"not told": {"40m", true, 0, 3}, "not told, 30m": {"30m", true, 0, 3},
		"set back": {"0s", false, -10 * time.Minute, 180}, "set forward": {"0s", false, 10 * time.Minute, 180},
	}, func(t *testing.T, c testCase) {
		f := repeatingOAuth(c.silent)
		s := newLatencyMount(t, f.account)
		s.mount(f, "max_token_ttl", c.limit, "default_token_ttl", "1h")
		s.EveryMinute()
		s.token("app")
		advance(5 * time.Minute)
		s.Clock.Jump(c.step)
		refused := 0
		for minute := range 180 {
			advance(time.Minute)
			s.reloadIf(c.step == 0 && minute%7 == 0)
			read, err := s.ask(t.Context(), "app", nil)
			if err != nil {
				refused++
				continue
			}
			check.True(t, s.Simulator.TokenAlive(read.access), "minute %d: a dead token is served", minute)
			check.True(t, s.livesFor(read, read.lease), "minute %d: a lease of %s outlives its token", minute, read.lease)
		}
		atMost(t, refused, c.refused, "reads that were refused, of which there may be one at each of the three ends")
	})
}

// Settings that allow a life which the token has had: it is served on, as the upstream gives no other.
func TestRepeatedToken_ShorterLimitCausesNoLoginStorm(t *testing.T) {
	eachPair(t, []string{"max_token_ttl", "default_token_ttl"}, []bool{false, true}, func(t *testing.T, limit string, deleted bool) {
		f := repeatingOAuth(limit == "default_token_ttl")
		s := newLatencyMount(t, f.account)
		s.mount(f, "default_token_ttl", "1h")
		first := s.token("app")
		advance(28 * time.Minute)
		if deleted {
			s.remove("config/gst")
		}
		s.mount(f, limit, "10m", "headers", "X-Branch=7", "verify_connection", false)
		s.loggingIn(1, func() {
			for range 30 {
				a := s.token("app")
				check.True(t, a.id == first.id && s.livesFor(a, a.lease), "token %s, with a lease of %s", a.id, a.lease)
				advance(time.Second)
			}
		})
	})
}

// A repeated token keeps its end where the host's clock was ahead when it came, and the account has left memory since the clock was
// set right.
func TestRepeatedToken_ClockSetRightAfterwards(t *testing.T) {
	ages := []time.Duration{10 * time.Minute, 10 * time.Hour}
	eachPair(t, ages, []time.Duration{20 * time.Minute, 330 * time.Minute}, func(t *testing.T, age, ahead time.Duration) {
		f := repeatingOAuth(false)
		s := newLatencyMount(t, f.account)
		s.EveryMinute()
		advance(age)
		s.mount(f)
		first := s.token("app")
		s.write("config/gst", map[string]any{"headers": "X-Branch=7", "verify_connection": false})
		advance(25 * time.Minute) // nobody reads, and no token is in use
		s.Clock.Jump(-ahead)
		advance(20 * time.Minute)
		again := s.token("app")
		check.Require(t, again.id == first.id, "another token: this tests nothing")
		check.True(t, s.livesFor(again, again.lease), "a lease of %s outlives its token", again.lease)
	})
}

// A repeated token keeps its end where the config was deleted meanwhile and written again. Of the deleted one storage keeps no
// secret, and nothing once its token has ended.
func TestRepeatedToken_DeletedConfigKeepsTheEnd(t *testing.T) {
	eachPair(t, []bool{false, true}, []bool{false, true}, func(t *testing.T, restart, silent bool) {
		f := repeatingOAuth(silent)
		s := newLatencyMount(t, f.account)
		recreate := func() {
			s.remove("config/gst")
			s.wantNoTokenStored()
			s.reloadIf(restart)
			s.mount(f, "default_token_ttl", "1h")
		}
		s.mount(f, "default_token_ttl", "1h")
		first := s.token("app")
		for range 2 {
			advance(10 * time.Minute)
			recreate()
			again := s.token("app")
			check.True(t, again.id == first.id && again.expires.Equal(first.expires), "token %s until %s is given again until %s",
				first.id, first.expires, again.expires)
		}
		refused := 0
		for range 60 {
			advance(time.Minute)
			read, err := s.ask(t.Context(), "app", nil)
			if err != nil {
				refused++
				continue
			}
			check.True(t, s.livesFor(read, read.lease), "a lease of %s outlives its token", read.lease)
		}
		atMost(t, refused, 1, "reads that were refused, of which there may be one at the end")
		s.remove("config/gst")
		s.reloadIf(restart)
		s.EveryMinute()
		advance(3 * time.Hour) // a process that has just started does not rely on the clock
		check.Equal(t, s.storedUnder("token/"), map[string]string{}, "what is kept of the deleted config once its token has ended")
	})
}

// A repeated token keeps its end where the write that was to create the config failed after the login which brought it first, or the
// config was deleted while it was being stored.
func TestRepeatedToken_GivenUpTokenKeepsTheEnd(t *testing.T) {
	each(t, map[string]func(s *testMount, f fixture){
		"creation that failed": func(s *testMount, f fixture) {
			s.Storage.Fail(mounttest.Put, "config/", mounttest.ErrStorage())
			s.refused(logical.UpdateOperation, "config/gst", f.config)
		},
		"deleted elsewhere while the token was stored": func(s *testMount, f fixture) {
			s.mount(f, "verify_connection", false)
			writes := 0
			s.Storage.SetFault(func(_ int, access, key string) mounttest.Fault {
				if access == mounttest.Put && key == "token/gst" {
					if writes++; writes == 2 { // the first notes the login
						return mounttest.Fault{Wait: 10 * time.Second}
					}
				}
				return mounttest.Fault{}
			})
			read := s.async("token/app")
			advance(time.Second)
			check.NoError(s.t, s.Storage.Entries.Delete(s.t.Context(), "config/gst"))
			s.Backend().InvalidateKey(s.t.Context(), "config/gst")
			_, _ = s.ask(s.t.Context(), "app", nil)
			s.wait(read)
		},
	}, func(t *testing.T, happens func(s *testMount, f fixture)) {
		f := repeatingOAuth(false)
		s := newLatencyMount(t, f.account)
		ends := time.Now().Add(time.Hour)
		happens(s, f)
		s.wantLogins(1, "whose token is not known to be served")
		s.Storage.Heal()
		advance(30 * time.Minute)
		s.mount(f)
		check.True(t, !s.token("app").expires.After(ends), "the token is given again until %s, and ends at %s", s.token("app").expires, ends)
	})
}

// firstWithRefresh is an upstream that repeats its token, and gives the refresh token only with the first.
func (s *testMount) firstWithRefresh() {
	var mu sync.Mutex
	var first map[string]any
	s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "token-auth") {
			s.Simulator.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			rec := httptest.NewRecorder()
			s.Simulator.ServeHTTP(rec, r)
			check.NoError(s.t, json.Unmarshal(rec.Body.Bytes(), &first))
		} else {
			delete(first, "refresh_token")
			delete(first, "refresh token")
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(first)
	})
}

// The upstream repeats its token, and gives the refresh token only with the first: it is kept, and revoke/ ends the token.
func TestRepeatedToken_TokenKeepsItsRefreshToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2().living(time.Hour)
		s := newLatencyMount(t, f.account)
		s.firstWithRefresh()
		s.mount(f)
		a := s.token("app")
		advance(2 * time.Minute)
		s.write("rotate/gst", nil)
		b := s.token("app")
		check.Require(t, a.id == b.id, "another token: this tests nothing")
		resp := s.write("revoke/gst", nil)
		check.True(t, !s.Simulator.TokenAlive(a.access), "the token lives on: %v %s", resp.Data, warningsOf(resp))
	})
}

// No old refresh token goes to a new refresh_url, also where the verification of that change brings the same token again.
func TestRepeatedToken_RefreshTokenStaysWithItsEndpoint(t *testing.T) {
	eachNamed(t, map[string]bool{"verified": true, "unverified": false}, func(t *testing.T, _ string, verify bool) {
		s := newLatencyMount(t, jwtV2().living(time.Hour).account)
		s.firstWithRefresh()
		s.mount(jwtV2().living(time.Hour))
		a := s.token("app")
		advance(2 * time.Minute)
		resp := s.write("config/gst", map[string]any{
			"refresh_url": "http://other-host.test/api/v2/api-token-refresh/", "password": "pass-of-clerk", "verify_connection": verify,
		})
		b := s.token("app")
		check.Require(t, a.id == b.id, "another token: this tests nothing")
		s.Upstream.Reset()
		out, _ := s.revoke("")
		check.Equal(t, out[a.id].upstream, "unsupported", "outcome; the write has warned %q", warningsOf(resp))
		check.True(t, len(s.Upstream.Requests()) == 0, "a refresh token of the former refresh_url was sent")
	})
}

// TestRepeatedToken_WithoutLifeKeepsToldEnd has the upstream tell an hour, and repeat its token without a life.
func TestRepeatedToken_WithoutLifeKeepsToldEnd(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, verify bool) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-only-token-there-is","expires_in":3600}`)
		first := s.token("app")
		s.loginsReturn(`{"token":"the-only-token-there-is"}`)
		advance(30 * time.Minute)
		if verify {
			s.write("config/gst", branch("7"))
		} else {
			s.mustRotate()
		}
		a := s.token("app")
		check.True(t, a.id == first.id && !a.expires.After(first.expires.Add(time.Second)),
			"the token was told to live until %s, and is now said to live until %s, with a lease of %s", first.expires, a.expires, a.lease)
	})
}

// A forced login that meets an outage hides not why the engine makes no login for hours.
func TestRepeatedToken_HoldKeepsItsReason(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"invented-access-token-7","expires_in":86400}`)
		s.token("app")
		s.write("revoke/gst", nil)
		s.readEvery("app", 10*time.Second, 6*time.Hour)
		s.says(text(t, s.status(), "message"), "repeats a token that was revoked")
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		_ = s.failedRotate()
		advance(2 * time.Minute)
		left := moment(t, s.status(), "next_attempt_at").Sub(s.Clock.Now())
		message := text(t, s.status(), "message")
		check.True(t, left <= time.Minute || strings.Contains(message, "repeat"), "no login is made for %s, and the status says why: %s", left, message)
	})
}

// Readers have found for hours that the upstream repeats what was revoked: a login by hand that finds it again keeps their pause.
func TestRepeatedToken_ForcedLoginKeepsHold(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		s.repeating(24*time.Hour, 0)
		s.token("app")
		advance(time.Minute)
		s.write("revoke/gst", nil)
		s.readEvery("app", 10*time.Second, 6*time.Hour)
		next := moment(t, s.status(), "next_attempt_at")
		advance(next.Add(-5 * time.Minute).Sub(s.Clock.Now()))
		s.says(s.failedRotate().Error(), "repeats a token that was revoked")
		check.Equal(t, moment(t, s.status(), "next_attempt_at"), next, "the next attempt after a login by hand")
	})
}

// The upstream counts a token's life from when it makes it, which is as much later than the request as a slow login takes: until
// then it repeats the token, and tells a life that it has not. That holds for a revoked one, too.
func TestRepeatedToken_SlowFirstLogin(t *testing.T) {
	eachPair(t, []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second}, []bool{false, true}, func(t *testing.T, slow time.Duration, revoke bool) {
		s := repeatingOAuth(false).mounted(t)
		first := true
		s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
			if first {
				first = false
				time.Sleep(slow)
			}
			s.Simulator.ServeHTTP(w, r)
		})
		id := s.token("app").id
		advance(time.Minute)
		if revoke {
			s.write("revoke/gst", nil)
		}
		s.Reload() // what is stored counts
		reads := s.readAlive(5*time.Second, 2*time.Hour)
		if revoke {
			check.True(t, !slices.Contains(reads, id) && len(reads) > 690, "%d reads of a token in the hour after the revoked one has ended, or of that", len(reads))
			return
		}
		check.True(t, len(reads) > 1400, "%d reads of a token in two hours", len(reads))
	})
}

// The login at the end is slow instead: the upstream gave the token again while it was still good, and it is not when it comes.
func TestRepeatedToken_SlowLoginAtTheEnd(t *testing.T) {
	eachPair(t, []time.Duration{5 * time.Second, 8 * time.Second, 12 * time.Second}, []bool{false, true}, func(t *testing.T, slow time.Duration, byHand bool) {
		s := repeatingOAuth(false).mounted(t)
		if !byHand {
			s.write("config/gst", map[string]any{"rotation_percent": 100})
		}
		s.token("app")
		s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
			response := httptest.NewRecorder()
			s.Simulator.ServeHTTP(response, r)
			time.Sleep(slow)
			w.Header().Set("Content-Type", response.Header().Get("Content-Type"))
			w.WriteHeader(response.Code)
			_, _ = w.Write(response.Body.Bytes())
		})
		if byHand {
			advance(time.Hour - 4*time.Second)
			_, _ = s.rotate()
		}
		reads := s.readAlive(5*time.Second, 150*time.Minute)
		check.True(t, len(reads) > 1700, "%d reads of a token in two and a half hours", len(reads))
		advance(time.Minute)
	})
}
