// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// wrongClocks are the fixtures, and variants whose responses have an absolute time, or none besides that of the token.
func wrongClocks() []fixture {
	absolute, asString, corrupt := firstVision(), firstVision(), jwtV2()
	absolute.name, absolute.account.AbsoluteExpiry = "firstvision with an absolute expiry", true
	asString.name, asString.account.AbsoluteExpiry, asString.account.ExpiresInAsString = "the same as text", true, true
	corrupt.name, corrupt.account.CorruptHeader = "jwt-v2 with a header that cannot be read", true
	return append(fixtures(), absolute, asString, corrupt)
}

// livesFor reports whether the upstream will take the token to the end of the span.
func (s *testMount) livesFor(a tokenResponse, span time.Duration) bool {
	away := s.Clock.Suspended()
	s.Simulator.SetClockOffset(away + span)
	defer s.Simulator.SetClockOffset(away)
	return s.Simulator.TokenAlive(a.access)
}

func TestClock_HostWrong(t *testing.T) {
	startAt := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC) // an epoch has ten digits
	offs := []time.Duration{-10 * time.Minute, -37 * time.Second, 0, 10 * time.Minute}
	eachPair(t, wrongClocks(), offs, func(t *testing.T, f fixture, wrong time.Duration) {
		const life = 15 * time.Minute
		f = f.living(life)
		advanceUntil(startAt) // before the engine starts, which would count every minute
		s := newLatencyMount(t, f.account)
		s.Clock.Jump(wrong)
		s.mount(f)
		s.EveryMinute()
		for range 60 {
			a := s.token("app")
			between(t, a.life(), life-2*time.Second, life, "a token of %s is believed to live for", life)
			check.Require(t, s.livesFor(a, a.lease), "a lease of %s outlives its token", a.lease)
			advance(time.Minute)
		}
		skew, _ := s.status()["clock_skew_seconds"].(int64)
		between(t, skew, -int64(wrong/time.Second)-1, -int64(wrong/time.Second)+1, "clock_skew_seconds")
		// 66 % of 15 minutes is 9.9 minutes: an hour has 6 rotations.
		atMost(t, s.logins(), 8, "logins in an hour")
	})
}

func TestClock_SuspendedPastTokenExpiry(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		s := f.living(time.Hour).mounted(t)
		first := s.token("app")
		advance(time.Minute)
		s.Suspend(30 * time.Minute)
		want := 29*time.Minute - margin
		if a := s.token("app"); a.id != first.id || a.lease > want || a.lease < want-time.Second || !s.livesFor(a, a.lease) {
			t.Errorf("after half an hour of sleep a lease of %s with %s left, want %s", a.lease, a.left, want)
		}
		s.Suspend(5 * time.Hour)
		for range 10 {
			a := s.token("app")
			check.Require(t, s.Simulator.TokenAlive(a.access) && s.livesFor(a, a.lease), "a dead token was served after the machine woke up")
		}
		s.wantLogins(2)
	})
}

func TestClock_SuspendedPastRotation(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, isRead bool) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(time.Minute)
		s.Suspend(45 * time.Minute)
		if isRead {
			s.token("app")
		}
		advance(2 * time.Minute)
		s.wantLogins(2, "two minutes after the machine woke up with a rotation overdue")
	})
}

func TestClock_SetBackLengthensNoTokenLife(t *testing.T) {
	eachWith(t, map[string]func(s *testMount){
		"set back":                         func(s *testMount) { s.Clock.Jump(-3 * time.Hour) },
		"set back a little":                func(s *testMount) { s.Clock.Jump(-20 * time.Minute) },
		"a reload, then set back":          func(s *testMount) { s.Reload(); s.token("app"); s.Clock.Jump(-20 * time.Minute) },
		"a reload, then set back a lot":    func(s *testMount) { s.Reload(); s.token("app"); s.Clock.Jump(-3 * time.Hour) },
		"set back a little, then a reload": func(s *testMount) { s.Clock.Jump(-20 * time.Minute); s.token("app"); s.Reload() },
		"set back a lot, then a reload":    func(s *testMount) { s.Clock.Jump(-3 * time.Hour); s.token("app"); s.Reload() },
	}, fixtures(), func(t *testing.T, _ string, happens func(s *testMount), f fixture) {
		s := f.living(time.Hour).mounted(t)
		s.EveryMinute()
		first := s.token("app")
		advance(30 * time.Minute)
		happens(s)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown}) // nothing hides the old token
		for passed := 30 * time.Minute; passed < 2*time.Hour; passed += 20 * time.Second {
			a, err := s.ask(t.Context(), "app", nil)
			check.Require(t, err != nil || a.id == first.id, "another token although every login fails")
			check.Require(t, err != nil || s.livesFor(a, a.lease), "%s after the token was issued, a lease of %s outlives it", passed, a.lease)
			check.Require(t, err != nil || a.left <= time.Hour-passed+time.Second, "after %s a token of 1h has %s left", passed, a.left)
			advance(20 * time.Second)
		}
		check.True(t, s.Simulator.Counters().Faulted != 0, "the upstream was not asked")
	})
}

func TestClock_SetForwardCostsOneLogin(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(3 * time.Hour)
		for range 100 {
			a := s.token("app")
			check.Require(t, s.livesFor(a, a.lease), "a lease outlives its token")
		}
		s.wantLogins(2)
	})
}

// A backoff does not last for years when a clock is corrected. A failure that was noted by a clock in the future.
func TestClock_BackoffEndsAfterClockSetRight(t *testing.T) {
	eachOf(t, []time.Duration{30 * time.Minute, 3 * time.Hour, 365 * 24 * time.Hour}, func(t *testing.T, wrong time.Duration) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.Clock.Jump(wrong)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		s.failed("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.Clock.Jump(-wrong)
		advance(5 * time.Minute)
		a, err := s.ask(t.Context(), "app", nil)
		check.True(t, err == nil, "5 minutes after an outage of a moment, noted by a clock that was %s fast: %v (%s)", wrong, err, a.id)
	})
}

// The clock was ahead when the hold began, and is set right. The next attempt is said to be when it is.
func TestStatus_NextAttemptAfterClockSetBack(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Clock.Jump(time.Hour)
		s.changePassword()
		s.failed("app")
		advance(time.Minute)
		s.Clock.Jump(-time.Hour)
		s.minute()
		said := moment(t, s.status(), "next_attempt_at")
		advance(14*time.Minute + time.Second)
		s.failed("app")
		s.wantLogins(2, "(one is the probe after a quarter of an hour)")
		late := said.Sub(s.Clock.Now())
		check.True(t, late <= time.Minute, "status/ put the probe that was just made off to %s from now", late)
	})
}

// The clock was a year ahead when the account was read last. Nobody reads it since the clock is right.
func TestTokenRotation_ClockCorrectedLeavesUnreadAccountsAlone(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.Clock.Jump(365 * 24 * time.Hour)
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(-365 * 24 * time.Hour)
		advance(24 * time.Hour)
		atMost(t, s.logins(), 3, "logins in a day without a read")
	})
}

// After the clock was far ahead for minutes, no revoked token is served, and the ledger knows what was issued.
func TestRevoke_ClockFarAheadForAMoment(t *testing.T) {
	ahead := func(d time.Duration) func(s *testMount) {
		return func(s *testMount) {
			s.EveryMinute()
			s.Clock.Jump(d)
			s.token("app")
			advance(2 * time.Hour)
			s.Clock.Jump(-d)
			advance(5 * time.Minute)
		}
	}
	each(t, map[string]func(s *testMount){
		"an hour": ahead(time.Hour), "longer than anything is kept": ahead(farAhead),
		"at start": func(s *testMount) { s.startWrong(farAhead, func(s *testMount) { s.token("app") }) },
	}, func(t *testing.T, wrong func(s *testMount)) {
		const one = `{"token":"token-number-one","expires_in":3600}`
		s := gstMount(t, time.Hour)
		s.loginsReturn(one)
		first := s.token("app")
		advance(time.Minute)
		s.revoke("")
		s.loginsReturn(`{"token":"token-number-two","expires_in":3600}`)
		wrong(s)
		s.lookUp("token_id", first.id)
		s.loginsReturn(one)
		for range 150 {
			s.wantNotRead(first.id)
			advance(time.Minute)
		}
	})
}

// The machine was suspended, and its clock is set back later: the token's life does not become longer.
func TestClock_SetBackAfterSuspendLengthensNoTokenLife(t *testing.T) {
	eachOf(t, []time.Duration{0, -2 * time.Minute, -40 * time.Minute}, func(t *testing.T, step time.Duration) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(time.Minute)
		s.Suspend(20 * time.Minute)
		s.token("app")
		advance(2 * time.Minute)
		before := s.token("app")
		s.Clock.Jump(step)
		a := s.token("app")
		check.Require(t, a.id == before.id, "another token: this tests nothing")
		check.True(t, a.lease <= before.lease, "a lease became longer by the step of %s: %s before, %s after", step, before.lease, a.lease)
		check.True(t, s.livesFor(a, a.lease), "a lease of %s outlives its token", a.lease)
	})
}

// Nobody reads the account for hours, so that it leaves memory, and then the clock is set back into the life of its last token.
func TestClock_SetBackBringsNothingBack(t *testing.T) {
	const idle, back = 3 * time.Hour, -140 * time.Minute
	eachNamed(t, map[string]func(s *testMount){
		"idle": func(s *testMount) { advance(idle); s.Clock.Jump(back) },
		"idle since before start": func(s *testMount) {
			advance(idle)
			s.Reload()
			advance(2 * time.Minute)
			s.Clock.Jump(back)
		},
		"before a start": func(s *testMount) {
			advance(idle)
			s.Clock.Jump(back)
			advance(2 * time.Minute)
			s.Reload()
		},
		"before a start, while storage fails": func(s *testMount) {
			advance(idle)
			s.Clock.Jump(back)
			s.Storage.Fail(mounttest.Get, "token/", mounttest.ErrStorage())
			advance(2 * time.Minute)
			s.Storage.Heal()
			advance(2 * time.Minute)
			s.Reload()
		},
		"suspended past its end": func(s *testMount) {
			advance(time.Minute)
			s.Suspend(idle)
			advance(20 * time.Minute)
			s.Clock.Jump(-idle)
		},
		"set often": func(s *testMount) {
			advance(idle - 40*time.Minute)
			for n := range 40 {
				s.Clock.Jump([]time.Duration{6 * time.Second, -6 * time.Second}[n%2])
				advance(time.Minute)
			}
			s.Clock.Jump(back)
		},
	}, func(t *testing.T, _ string, happens func(s *testMount)) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		dead := s.token("app")
		happens(s)
		check.Require(t, s.Clock.Now().Before(dead.expires), "the clock was not set back far enough")
		a := s.token("app")
		check.True(t, a.id != dead.id && s.livesFor(a, a.lease), "a token that had been dead for hours is served")
	})
}

// A hold that was over, and has left memory, does not begin again.
func TestClock_SetBackBringsNoHoldBack(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 15 * time.Minute})
		s.failed("app")
		s.Simulator.SetFault("", simulator.Fault{})
		advance(3 * time.Hour)
		s.Clock.Jump(-3*time.Hour + time.Minute)
		_, err := s.ask(t.Context(), "app", nil)
		check.NoError(t, err)
	})
}

const (
	// localTime is how far the clock of a machine in India is ahead until NTP corrects it, where its hardware clock has local time.
	localTime = 5*time.Hour + 30*time.Minute
	farAhead  = 40 * 24 * time.Hour
)

// startWrong restarts the plugin while the wall clock is wrong, which NTP puts right a minute later.
func (s *testMount) startWrong(off time.Duration, meanwhile func(s *testMount)) {
	s.t.Helper()
	s.Stop()
	s.Clock.Jump(off)
	s.Start()
	s.EveryMinute()
	advance(30 * time.Second)
	if meanwhile != nil {
		meanwhile(s)
	}
	advance(40 * time.Second)
	s.Clock.Jump(-off)
	s.minute()
}

// nothing is what happens in a case in which nothing does.
func nothing(*testMount) {}

func TestClock_StartWrongKeepsHold(t *testing.T) {
	offs := []time.Duration{0, localTime, 48 * time.Hour, -localTime, -48 * time.Hour}
	eachWith(t, map[string]simulator.Fault{
		"refused":   {Kind: simulator.FaultRefuse},
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: 15 * time.Minute},
	}, offs, func(t *testing.T, _ string, fault simulator.Fault, off time.Duration) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, fault)
		s.failed("app")
		before := s.status()
		advance(3 * time.Minute)
		s.startWrong(off, nil)
		s.failed("app")
		s.wantLogins(1, "five minutes after the first")
		now, next := s.status(), moment(t, before, "next_attempt_at")
		for _, field := range []string{"state", "last_error", "last_error_kind", "consecutive_failures", "next_attempt_at"} {
			check.Equal(t, now[field], before[field], "after the restart %s", field)
		}
		advanceUntil(next.Add(time.Second))
		s.failed("app")
		s.wantLogins(2, "when the hold was over")
	})
}

// Readers who come while a clock ahead makes a hold look over have the credentials sent once, and the hold after that is kept.
func TestClock_StartAheadSendsOnce(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.changePassword()
		s.failed("app")
		s.startWrong(48*time.Hour, func(s *testMount) {
			for range 30 {
				s.failed("app")
				advance(time.Second)
			}
		})
		s.wantRefusedLogins(2)
		for range 55 {
			s.failed("app")
			advance(time.Minute)
		}
		s.wantRefusedLogins(2)
		advance(5 * time.Minute)
		s.failed("app")
		s.wantRefusedLogins(3)
	})
}

// A hold lasts no longer than its length, however long the clock stays behind, and over restarts.
func TestClock_StartBehindEndsHold(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, restart bool) {
		s := gstMount(t, time.Hour)
		s.changePassword()
		s.failed("app")
		s.Stop()
		s.Clock.Jump(-48 * time.Hour)
		s.Start()
		s.EveryMinute()
		s.failed("app")
		advance(8 * time.Minute)
		s.reloadIf(restart)
		s.failed("app")
		s.wantLogins(1)
		advance(7*time.Minute + time.Second)
		s.failed("app")
		s.wantLogins(2, "15 minutes after the plugin has started")
	})
}

// Readers of a machine whose clock is wrong cause one login while it is, and one when it is right again.
func TestClock_StartWrongCostsOneLogin(t *testing.T) {
	eachOf(t, []time.Duration{localTime, 48 * time.Hour, -localTime, -48 * time.Hour, -30 * 365 * 24 * time.Hour}, func(t *testing.T, off time.Duration) {
		s := gstMount(t, 4*time.Hour)
		s.token("app")
		advance(2 * time.Hour)
		served := func() {
			a := s.token("app")
			check.True(t, s.livesFor(a, a.lease), "a lease of %s outlives its token", a.lease)
		}
		s.startWrong(off, func(*testMount) {
			for range 30 {
				served()
				advance(time.Second)
			}
		})
		for range 30 {
			served()
			advance(time.Second)
		}
		atMost(t, s.logins(), 3, "logins")
	})
}

// What is pending at the upstream, or revoked later, is revoked although the clock said for a minute that the tokens had expired.
func TestClock_StartAheadRevokesLater(t *testing.T) {
	type testCase struct{ before, meanwhile, after func(s *testMount) }
	down := simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh}
	eachWith(t, map[string]testCase{
		"pending": {
			before: func(s *testMount) { s.Simulator.SetFault(simulator.JWT, down); s.revoke("") },
			after:  func(s *testMount) { s.Simulator.SetFault(simulator.JWT, simulator.Fault{}); advance(time.Hour) },
		},
		"pending, and read": {
			before:    func(s *testMount) { s.Simulator.SetFault(simulator.JWT, down); s.revoke("") },
			meanwhile: func(s *testMount) { s.token("app") },
			after:     func(s *testMount) { s.Simulator.SetFault(simulator.JWT, simulator.Fault{}); advance(time.Hour) },
		},
		"paused": {
			before: func(s *testMount) { s.write("config/gst", map[string]any{"paused": true}) },
			after:  func(s *testMount) { s.revoke("") },
		},
		"superseded":           {before: func(s *testMount) { s.mustRotate() }, after: func(s *testMount) { s.revoke("") }},
		"superseded, and read": {before: func(s *testMount) { s.mustRotate() }, meanwhile: func(s *testMount) { s.token("app") }, after: func(s *testMount) { s.revoke("") }},
		"current, and read":    {meanwhile: func(s *testMount) { s.token("app") }, after: func(s *testMount) { s.revoke("") }},
	}, []time.Duration{0, localTime, 48 * time.Hour, farAhead}, func(t *testing.T, _ string, c testCase, ahead time.Duration) {
		s := ksaMount(t, 24*time.Hour)
		first := s.token("app")
		advance(time.Minute)
		if c.before != nil {
			c.before(s)
		}
		check.Require(t, s.Simulator.TokenAlive(first.access), "the token is dead before the restart")
		s.startWrong(ahead, c.meanwhile)
		c.after(s)
		check.True(t, !s.Simulator.TokenAlive(first.access), "token %s is alive after its revocation", first.id)
	})
}

func TestRevoke_DuringClockAhead(t *testing.T) {
	kinds := []simulator.FaultKind{"", simulator.FaultDown}
	eachPair(t, kinds, []time.Duration{0, 48 * time.Hour}, func(t *testing.T, kind simulator.FaultKind, ahead time.Duration) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		advance(10*time.Minute + 20*time.Second)
		if kind != "" {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind, On: simulator.OnLogin})
		}
		s.Clock.Jump(ahead)
		out, warnings := s.revoke("")
		advance(10 * time.Second)
		s.Clock.Jump(-ahead)
		advance(time.Minute)
		s.wantNotRead(first.id)
		check.True(t, !s.Simulator.TokenAlive(first.access) || len(warnings) != 0, "%s lives on without a warning: %v", first.id, out)
	})
}

func TestConfigVerify_RefusedStaysWithClockAhead(t *testing.T) {
	eachOf(t, []time.Duration{0, 48 * time.Hour}, func(t *testing.T, ahead time.Duration) {
		s := gstMount(t, 24*time.Hour)
		s.token("app")
		wrong := map[string]any{"password": "mistyped"}
		_ = s.refused(logical.UpdateOperation, "config/gst", wrong)
		s.wantLogins(2)
		advance(time.Minute)
		s.Clock.Jump(ahead)
		s.token("app")
		s.minute()
		sent := s.logins()
		s.Clock.Jump(-ahead)
		advance(time.Minute)
		_, _, err := s.Do(t.Context(), logical.UpdateOperation, "config/gst", wrong)
		check.True(t, codeOf(err) == http.StatusBadRequest, "the write is answered by %v", err)
		s.wantLogins(sent, "two minutes after the refusal, the clock was ahead by "+ahead.String())
	})
}

// The clock of an upstream that refuses a login is of use as well: for an assertion it may be the reason.
func TestClock_SkewOfAFailedLogin(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		advance(2 * time.Minute)
		s.changePassword()
		s.Simulator.SetClockOffset(time.Hour)
		_ = s.failedRotate()
		between(t, s.status()["clock_skew_seconds"].(int64), 3599, 3601, "clock_skew_seconds")
	})
}

// A machine that is suspended each night for longer than it may take to set a clock right: what has ended is forgotten all the
// same, so that ledger and record do not grow, and errors have the upstream's words.
func TestClock_SuspendedEachNightForgets(t *testing.T) {
	ksaTest(t, 4*time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.write("config/gst", map[string]any{"ledger_retention": "24h"})
		for range 30 {
			for range 14 {
				s.token("app")
				advance(time.Hour)
			}
			s.Suspend(10 * time.Hour)
			advance(time.Minute)
		}
		s.token("app")
		for _, e := range s.ledgerOf("gst") {
			check.True(t, e.ExpiresAt.After(s.Clock.Now().Add(-72*time.Hour)), "the ledger has a token that expired at %s", e.ExpiresAt)
		}
		entry, err := s.Storage.Entries.Get(t.Context(), "token/gst")
		check.NoError(t, err)
		atMost(t, strings.Count(string(entry.Value), `"refresh_token"`), 30, "refresh tokens are stored")
		s.changePassword()
		_, err = s.rotate()
		check.True(t, err != nil && strings.Contains(err.Error(), "Unable to login"), "without the upstream's words: %v", err)
	})
}

// The clock was behind and is put forward by more than a token's life: what lives on upstream is warned of all the same.
func TestClock_PutForwardWarnsOfLiveTokens(t *testing.T) {
	eachOf(t, []request{{op: logical.UpdateOperation, path: "revoke/gst"}, {op: logical.DeleteOperation, path: "config/gst"}},
		func(t *testing.T, r request) {
			s := gstMount(t, 4*time.Hour)
			s.EveryMinute()
			a := s.token("app")
			advance(time.Minute)
			s.Clock.Jump(localTime)
			resp, err := s.do(t.Context(), r.op, r.path, r.data)
			check.NoError(t, err)
			check.Require(t, s.Simulator.TokenAlive(a.access), "the token is dead")
			check.True(t, slices.ContainsFunc(resp.Warnings, func(w string) bool { return strings.Contains(w, "valid upstream") }),
				"warnings %q, want one of the token that lives on", resp.Warnings)
		})
}

// A token was revoked while the clock was ahead. When it has ended upstream, another one comes, also if the config was deleted and
// written again.
func TestClock_RevokedWhileAhead(t *testing.T) {
	eachPair(t, []time.Duration{0, localTime, 48 * time.Hour}, []bool{false, true}, func(t *testing.T, ahead time.Duration, deleted bool) {
		s := repeatingMount(t, 24*time.Hour)
		began := time.Now()
		s.Clock.Jump(ahead)
		s.token("app")
		s.write("revoke/gst", nil)
		advance(2 * time.Minute)
		if deleted {
			s.remove("config/gst")
			s.write("config/gst", with(repeatingOAuth(false).config, "verify_connection", false))
		}
		s.Clock.Jump(-ahead)
		for _, err := s.ask(t.Context(), "app", nil); err != nil; _, err = s.ask(t.Context(), "app", nil) {
			check.Require(t, time.Since(began) < 25*time.Hour, "the token has ended, and there is no other: %v", err)
			advance(10 * time.Minute)
		}
		check.True(t, time.Since(began) > 23*time.Hour, "a token after %s", time.Since(began))
	})
}

// The clock was ahead for some minutes. Then the token is superseded, and the account leaves memory: revoke/ knows it to its end.
func TestClock_AheadThenEvicted(t *testing.T) {
	eachOf(t, []time.Duration{0, localTime}, func(t *testing.T, ahead time.Duration) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		s.Clock.Jump(ahead)
		advance(3 * time.Minute)
		s.Clock.Jump(-ahead)
		advance(2 * time.Minute)
		s.write("config/gst", branch("2", "verify_connection", false))
		advance(20 * time.Hour)
		check.Require(t, s.Simulator.TokenAlive(first.access), "the token is dead: this tests nothing")
		tokens, _ := s.write("revoke/gst", nil).Data["tokens"].(map[string]any)
		check.True(t, tokens[first.id] != nil, "token %s lives, and revoke/ acts on %v", first.id, tokens)
	})
}

// The clock is set forward by less than a token lives. The upstream repeats that token, also after a restart.
func TestClock_SetForwardThenRestart(t *testing.T) {
	eachPair(t, []time.Duration{10 * time.Minute, localTime}, []bool{false, true}, func(t *testing.T, ahead time.Duration, restart bool) {
		s := repeatingMount(t, 15*time.Minute)
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(ahead)
		advance(3 * time.Minute)
		s.reloadIf(restart)
		s.leasesEnd(11)
	})
}

// max_token_ttl was lower while the clock was ahead, and both are set right.
func TestClock_AheadWithLowerLimit(t *testing.T) {
	t.Parallel()
	timed(t, "the clock and the limit are set right", func(t *testing.T) {
		s := repeatingMount(t, 15*time.Minute)
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(10 * time.Minute)
		advance(time.Minute)
		s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		advance(98 * time.Second)
		s.Clock.Jump(-10 * time.Minute)
		advance(time.Minute)
		s.write("config/gst", map[string]any{"max_token_ttl": 0})
		s.leasesEnd(12)
	})
}

// repeatingMount is a mount whose upstream repeats its token for as long as that lives.
func repeatingMount(t *testing.T, life time.Duration) *testMount {
	t.Helper()
	f := repeatingOAuth(false).living(life)
	s := newLatencyMount(t, f.account)
	s.EveryMinute()
	s.mount(f)
	return s
}

// The same of a token that is served no more, since a write has superseded it or its config was deleted.
func TestClock_SetForwardThenRestartWithoutToken(t *testing.T) {
	eachPair(t, []bool{false, true}, []bool{false, true}, func(t *testing.T, deleted, restart bool) {
		settings := with(repeatingOAuth(false).config, "verify_connection", false, "headers", "X-Branch=1")
		s := repeatingMount(t, 15*time.Minute)
		s.token("app")
		advance(time.Minute)
		if deleted {
			s.remove("config/gst")
		} else {
			s.write("config/gst", settings)
		}
		s.Clock.Jump(localTime)
		advance(3 * time.Minute)
		s.reloadIf(restart)
		s.write("config/gst", settings)
		s.leasesEnd(10)
	})
}

// max_token_ttl has ended the use of a token that lives on, the clock is set back, and the limit is lifted.
func TestClock_SetBackAfterLimit(t *testing.T) {
	eachPair(t, []time.Duration{0, -10 * time.Minute}, []bool{false, true}, func(t *testing.T, by time.Duration, restart bool) {
		s := repeatingMount(t, time.Hour)
		s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		s.token("app")
		advance(25 * time.Minute)
		s.Clock.Jump(by)
		advance(time.Minute)
		s.reloadIf(restart)
		s.write("config/gst", map[string]any{"max_token_ttl": 0})
		advance(23 * time.Minute)
		s.leasesEnd(12)
	})
}

// leasesEnd reads the token each minute: no lease outlives it.
func (s *testMount) leasesEnd(minutes int) {
	s.t.Helper()
	s.leasesEndEvery(time.Minute, minutes)
}

// leasesEndEvery reads the token so often: no lease outlives it.
func (s *testMount) leasesEndEvery(every time.Duration, times int) {
	s.t.Helper()
	for range times {
		a, err := s.ask(s.t.Context(), "app", nil)
		check.Require(s.t, err != nil || s.livesFor(a, a.lease), "a lease of %s on token %s outlives it", a.lease, a.id)
		advance(every)
	}
}

// A clock is slewed by NTP. The end of a repeated token that outlives max_token_ttl costs no more logins by that.
func TestClock_SlewCostsNoLogin(t *testing.T) {
	eachOf(t, []time.Duration{0, time.Millisecond}, func(t *testing.T, slewed time.Duration) {
		s := repeatingMount(t, 15*time.Minute)
		s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		s.token("app")
		s.Clock.Jump(slewed)
		s.leasesEnd(16)
		s.wantLogins(4)
	})
}

// The clock goes forward by a few seconds, less than any lease leaves, while the upstream repeats a token that outlives
// max_token_ttl.
func TestClock_ForwardByLessThanAMargin(t *testing.T) {
	eachOf(t, []time.Duration{2 * time.Second, 3 * time.Second, 4 * time.Second}, func(t *testing.T, by time.Duration) {
		s := repeatingMount(t, 15*time.Minute)
		s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		s.token("app")
		s.Clock.Jump(by)
		s.leasesEndEvery(time.Second, 16*60)
	})
}

// The machine was suspended while the upstream repeats a token that outlives max_token_ttl: no lease outlives the token either.
func TestClock_SuspendedBesideLimit(t *testing.T) {
	eachOf(t, []time.Duration{0, 20 * time.Minute}, func(t *testing.T, asleep time.Duration) {
		s := repeatingMount(t, time.Hour)
		s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		s.token("app")
		advance(2 * time.Minute)
		s.Suspend(asleep)
		s.leasesEnd(90)
	})
}

// untilAnother reads until another token than the first comes, which must be within a day and an hour of when it began.
func (s *testMount) untilAnother(first tokenResponse, began time.Time) {
	s.t.Helper()
	a, err := s.ask(s.t.Context(), "app", nil)
	for ; err != nil; a, err = s.ask(s.t.Context(), "app", nil) {
		check.Require(s.t, time.Since(began) < 25*time.Hour, "the token has ended, and there is no other: %v", err)
		advance(10 * time.Minute)
	}
	check.True(s.t, a.id != first.id, "the revoked token is served after %s", time.Since(began))
}

// The plugin starts while the clock is ahead, and it is set right: when a token that was revoked before has ended upstream, another
// one comes, and it itself is served no more.
func TestClock_StartAheadKeepsRevoked(t *testing.T) {
	eachOf(t, []time.Duration{0, localTime, farAhead}, func(t *testing.T, ahead time.Duration) {
		s := repeatingMount(t, 24*time.Hour)
		began, first := time.Now(), s.token("app")
		s.write("revoke/gst", nil)
		s.startWrong(ahead, nil)
		advance(2 * time.Hour)
		s.remove("config/gst")
		s.mount(repeatingOAuth(false))
		s.untilAnother(first, began)
	})
}

// The same of a token that is revoked after the clock was set right.
func TestClock_StartAheadThenRevoked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := repeatingMount(t, 24*time.Hour)
		began, first := time.Now(), s.token("app")
		s.startWrong(farAhead, func(s *testMount) {
			s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
			_, err := s.ask(t.Context(), "app", nil)
			check.Require(t, err != nil, "a token is served that has expired by a clock which is far ahead")
		})
		s.write("config/gst", map[string]any{"paused": true})
		s.write("revoke/gst", nil)
		s.Simulator.SetFault("", simulator.Fault{})
		advance(2 * time.Hour)
		s.remove("config/gst")
		s.mount(repeatingOAuth(false))
		s.untilAnother(first, began)
	})
}

// A revoked token is repeated while the clock is ahead for a minute: its end stays the one that was known.
func TestClock_RevokedRepeatedWhileAhead(t *testing.T) {
	eachOf(t, []time.Duration{0, localTime, 48 * time.Hour}, func(t *testing.T, ahead time.Duration) {
		s := repeatingMount(t, 24*time.Hour)
		began, first := time.Now(), s.token("app")
		s.write("revoke/gst", nil)
		for range 20 * 6 {
			s.wantNotRead(first.id)
			advance(10 * time.Minute)
		}
		s.Clock.Jump(ahead)
		s.wantNotRead(first.id)
		advance(time.Minute)
		s.Clock.Jump(-ahead)
		s.untilAnother(first, began)
	})
}

// A token has expired when it comes, by the wall clock or a limit alone, and the upstream repeats it: no lease outlives it.
func TestClock_ExpiredOnArrivalRepeated(t *testing.T) {
	eachOf(t, []string{"suspended", "ahead"}, func(t *testing.T, what string) {
		s := repeatingMount(t, time.Hour)
		if what == "suspended" {
			s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		}
		release := s.Upstream.Hold()
		read := s.asyncRequest(t.Context(), logical.ReadOperation, "token/app", nil)
		advance(time.Second)
		if what == "suspended" {
			s.Suspend(20 * time.Minute)
		} else {
			s.Clock.Jump(2 * time.Hour)
		}
		release()
		_, err := s.wait(read).unpack()
		check.Require(t, err != nil, "a token is served that had expired when it came")
		s.says(err.Error(), "the token had expired, or nearly, when it arrived")
		if what == "ahead" {
			advance(5 * time.Minute)
			s.Clock.Jump(-2 * time.Hour)
			s.minute()
		}
		s.leasesEnd(90)
	})
}

// The plugin starts while the clock is ahead, it is set right, and the upstream repeats its token: no lease outlives it.
func TestClock_StartAheadThenRepeated(t *testing.T) {
	eachPair(t, []time.Duration{0, localTime, farAhead}, []bool{false, true}, func(t *testing.T, ahead time.Duration, read bool) {
		s := repeatingMount(t, time.Hour)
		s.token("app")
		advance(30 * time.Minute)
		s.startWrong(ahead, func(s *testMount) {
			if read {
				s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
				_, _ = s.ask(t.Context(), "app", nil)
				s.Simulator.SetFault("", simulator.Fault{})
			}
		})
		s.leasesEnd(90)
	})
}
