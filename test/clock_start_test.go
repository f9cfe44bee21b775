// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	// localTime is how far the clock of a machine in India is ahead until NTP corrects it, where its hardware clock has local time.
	localTime = 5*time.Hour + 30*time.Minute
	farAhead  = 40 * 24 * time.Hour
)

// startWrong restarts the plugin on a machine whose wall clock is wrong at start, and which NTP puts right a minute later; while it
// is wrong, meanwhile happens.
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
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"refused":   {Kind: simulator.FaultRefuse},
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: 15 * time.Minute},
	} {
		for _, off := range []time.Duration{0, localTime, 48 * time.Hour, -localTime, -48 * time.Hour} {
			timed(t, fmt.Sprint(name, off), func(t *testing.T) {
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
	}
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
	t.Parallel()
	down := simulator.Fault{Kind: simulator.FaultDown, On: simulator.OnRefresh}
	for name, c := range map[string]struct{ before, meanwhile, after func(s *testMount) }{
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
	} {
		for _, ahead := range []time.Duration{0, localTime, 48 * time.Hour, farAhead} {
			timed(t, name+" "+ahead.String(), func(t *testing.T) {
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
	}
}

func TestRevoke_DuringClockAhead(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulator.FaultKind{"", simulator.FaultDown} {
		for _, ahead := range []time.Duration{0, 48 * time.Hour} {
			timed(t, "logins "+string(kind)+" "+ahead.String(), func(t *testing.T) {
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
				check.True(t, !s.Simulator.TokenAlive(first.access) || len(warnings) != 0,
					"token %s lives on, and revoke/ said %v without a warning", first.id, out)
			})
		}
	}
}

func TestVerification_RefusedStaysWithClockAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 48 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
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
}
