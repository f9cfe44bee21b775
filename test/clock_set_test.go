// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// A login by hand fails while the clock is ahead within a hold, and the clock is set right: the hold is as long as it was.
func TestClock_ForcedWhileAheadKeepsHold(t *testing.T) {
	type testCase struct {
		first, then simulator.Fault
		ahead, hold time.Duration
	}
	refused := simulator.Fault{Kind: simulator.FaultRefuse}
	throttled := func(d time.Duration) simulator.Fault {
		return simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: d}
	}
	each(t, map[string]testCase{
		"refused":   {refused, refused, 13 * time.Minute, 15 * time.Minute},
		"throttled": {throttled(time.Hour), throttled(time.Minute), 40 * time.Minute, time.Hour},
	}, func(t *testing.T, c testCase) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.Simulator.SetFault(simulator.JWT, c.first)
		s.failed("app")
		began := time.Now()
		s.Simulator.SetFault(simulator.JWT, c.then)
		advance(20 * time.Second)
		s.Clock.Jump(c.ahead)
		advance(50 * time.Second)
		_ = s.failedRotate()
		advance(10 * time.Second)
		s.Clock.Jump(-c.ahead)
		s.sendsNothing(began.Add(c.hold - 30*time.Second))
	})
}

// sendsNothing has readers come until then: none causes a login.
func (s *testMount) sendsNothing(until time.Time) {
	s.t.Helper()
	for n, began := s.logins(), time.Now(); time.Now().Before(until); advance(10 * time.Second) {
		s.failed("app")
		check.Require(s.t, s.logins() == n, "a login is made after %s", time.Since(began))
	}
}

// An outage is met by hand while the clock is ahead and the circuit breaker open. A minute after it was set right, a login by hand is
// made again.
func TestClock_ForcedAfterSetRight(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		const ahead = 12 * time.Minute
		s.EveryMinute()
		s.changePassword()
		s.failed("app")
		advance(20 * time.Second)
		s.Clock.Jump(ahead)
		advance(50 * time.Second)
		s.Simulator.SetFault("", simulator.Fault{Kind: simulator.FaultDown})
		_ = s.failedRotate()
		s.Simulator.SetFault("", simulator.Fault{})
		advance(10 * time.Second)
		s.Clock.Jump(-ahead)
		advance(62 * time.Second)
		n := s.logins()
		err := s.failedRotate()
		s.wantLogins(n+1, "rotate/ a minute later: "+err.Error())
	})
}

// The clock was wrong at start, is set right, and the plugin is restarted at once: the hold is as long as it was.
func TestClock_StartWrongSetRightAndRestartedKeepsHold(t *testing.T) {
	offs, laters := []time.Duration{0, 10 * time.Minute, -10 * time.Minute}, []time.Duration{0, 2 * time.Minute}
	eachPair(t, offs, laters, func(t *testing.T, off, later time.Duration) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.changePassword()
		s.failed("app")
		began := time.Now()
		advance(time.Minute)
		s.Stop()
		s.Clock.Jump(off)
		s.Start()
		advance(30 * time.Second)
		s.failed("app")
		advance(2 * time.Minute)
		s.failed("app")
		s.Clock.Jump(-off)
		s.failed("app")
		advance(later)
		s.Reload()
		s.wantLogins(1)
		s.sendsNothing(began.Add(14*time.Minute + 30*time.Second))
	})
}

// The record of an account is of an earlier process when the clock is set back, and the plugin is restarted.
func TestClock_SetBackIsStored(t *testing.T) {
	idles := []time.Duration{30 * time.Minute, 3 * time.Hour, 26 * time.Hour}
	eachPair(t, []bool{false, true}, idles, func(t *testing.T, reload bool, idle time.Duration) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(5*time.Hour + idle) // two tokens at least, then none
		if reload {
			s.Reload()
			advance(5 * time.Minute)
		}
		last := slices.MaxFunc(s.ledgerOf("gst"), func(a, b remembered) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
		s.Clock.Jump(last.ExpiresAt.Add(-50 * time.Minute).Sub(s.Clock.Now()))
		advance(10 * time.Second)
		s.minute()
		advance(2 * time.Minute)
		s.Reload()
		advance(10 * time.Second)
		a := s.token("app")
		check.True(t, s.livesFor(a, a.lease), "a token that had been dead for hours is served")
	})
}

// The account is out of memory, with a superseded token that the upstream repeats, when the clock is set back.
func TestClock_SetBackIsStoredOfSuperseded(t *testing.T) {
	eachPair(t, []time.Duration{0, -20 * time.Minute}, []bool{false, true}, func(t *testing.T, back time.Duration, inMemory bool) {
		s := repeatingMount(t, time.Hour)
		s.token("app")
		advance(5 * time.Minute)
		s.write("config/gst", branch("2", "verify_connection", false))
		if inMemory {
			advance(2 * time.Minute)
		} else {
			advance(21 * time.Minute)
		}
		s.Clock.Jump(back)
		s.minute()
		advance(2 * time.Minute)
		s.Reload()
		s.leasesEndEvery(10*time.Second, 400)
	})
}

// A revocation goes on under former settings, and the clock is ahead for a minute.
func TestClock_AheadForgetsNoRevocation(t *testing.T) {
	eachPair(t, []time.Duration{0, 48 * time.Hour}, []bool{false, true}, func(t *testing.T, ahead time.Duration, deleted bool) {
		s := ksaMount(t, 24*time.Hour)
		s.EveryMinute()
		advance(2 * time.Hour)
		first := s.token("app")
		advance(time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh})
		s.revoke("")
		advance(time.Minute)
		if deleted {
			s.remove("config/gst")
		} else {
			s.write("config/gst", with(jwtV2().config, "refresh_url", upstreamURL+"/elsewhere/", "verify_connection", false))
		}
		advance(time.Minute)
		s.Clock.Jump(ahead)
		advance(90 * time.Second)
		s.Clock.Jump(-ahead)
		advance(time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(2 * time.Hour)
		check.True(t, !s.Simulator.TokenAlive(first.access), "token %s is alive after its revocation", first.id)
	})
}

// A verification brings the token that max_token_ttl has ended, while the clock is ahead.
func TestClock_AheadAndVerifiedBesideLimit(t *testing.T) {
	eachPair(t, []time.Duration{0, 3 * time.Minute}, []bool{false, true}, func(t *testing.T, ahead time.Duration, verify bool) {
		s := repeatingMount(t, 15*time.Minute)
		s.write("config/gst", map[string]any{"max_token_ttl": "10m"})
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(ahead)
		advance(time.Minute)
		s.write("config/gst", map[string]any{"paused": true})
		advance(9*time.Minute - ahead)
		s.write("config/gst", map[string]any{"paused": false, "headers": map[string]any{"X-Branch": "1"}, "verify_connection": verify})
		s.leasesEndEvery(2*time.Second, 600)
	})
}

// The clock is set back by mistake, and right again; the upstream repeats its token.
func TestClock_SetBackAndRightAgain(t *testing.T) {
	lengths, backs := []time.Duration{30 * time.Second, 5 * time.Minute}, []time.Duration{0, -7 * time.Minute, -5 * time.Minute}
	eachPair(t, lengths, backs, func(t *testing.T, lasts, back time.Duration) {
		s := repeatingMount(t, 15*time.Minute)
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(back)
		s.minute()
		advance(lasts)
		s.Clock.Jump(-back)
		s.minute()
		s.leasesEndEvery(2*time.Second, 600)
	})
}

// What status/ says to have happened is not in the future after the clock was set back.
func TestClock_SetBackShowsNoFuture(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		advance(time.Minute)
		s.Clock.Jump(-20 * time.Minute)
		s.minute()
		status := s.status()
		for _, field := range []string{"issued_at", "last_login_at", "last_read_at"} {
			text, _ := status[field].(string)
			at, err := time.Parse(time.RFC3339, text)
			check.NoError(t, err)
			check.True(t, !at.After(s.Clock.Now()), "%s is %s, and it is %s", field, text, s.Clock.Now())
		}
	})
}

// The clock is wrong for a minute, and a leak is found while the upstream still takes the token.
func TestClock_WrongForAMinuteEndsNoLeakedToken(t *testing.T) {
	eachOf(t, []time.Duration{0, 2 * time.Hour, 48 * time.Hour, -2 * time.Hour, -48 * time.Hour}, func(t *testing.T, ahead time.Duration) {
		s := gstMount(t, 24*time.Hour)
		s.EveryMinute()
		first := s.token("app")
		advance(10 * time.Minute)
		s.mustRotate()
		advance(time.Minute)
		s.Clock.Jump(ahead)
		advance(90 * time.Second)
		s.Clock.Jump(-ahead)
		advance(22*time.Hour + 30*time.Minute)
		check.Require(t, s.Simulator.TokenAlive(first.access), "dead: tests nothing")
		found := s.lookUp("token_id", first.id)
		check.True(t, found.State == "superseded" && found.UsableUntil.After(s.Clock.Now()), "%s until %s", found.State, found.UsableUntil)
		tokens, _ := s.revoke(first.id)
		until, err := time.Parse(time.RFC3339, tokens[first.id].validUntil)
		check.NoError(t, err)
		check.True(t, until.After(s.Clock.Now()), "revoke/ says that it was valid until %s, and it is %s", until, s.Clock.Now())
	})
}

// A plugin starts with a clock that is wrong, as on a machine without one, and that is set right: no dead token is called valid for
// longer than it could be.
func TestClock_WrongAtStartEndsDeadTokens(t *testing.T) {
	eachOf(t, []time.Duration{0, 5*time.Hour + 30*time.Minute, -10 * 365 * 24 * time.Hour}, func(t *testing.T, off time.Duration) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		first := s.token("app")
		advance(10 * time.Minute)
		s.mustRotate()
		s.Stop()
		s.Clock.Jump(off)
		s.Start()
		advance(time.Minute)
		s.Clock.Jump(-off)
		advance(10 * time.Minute)
		found := s.lookUp("token_id", first.id)
		check.True(t, off == 0 || strings.Contains(found.Advice, "at the latest, as the clock was set since"), "advice %q", found.Advice)
		s.revoke("")
		advance(2 * time.Hour)
		check.Require(t, !s.Simulator.TokenAlive(first.access), "alive: tests nothing")
		found = s.lookUp("token_id", first.id)
		check.True(t, !found.UsableUntil.After(s.Clock.Now()), "usable until %s, and it is %s", found.UsableUntil, s.Clock.Now())
		advance(60 * 24 * time.Hour)
		s.forgotten(first.id)
	})
}
