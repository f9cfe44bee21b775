// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// untilRotation lets time pass until the rotation of a token has just begun.
func (s *testMount) untilRotation(a tokenResponse) {
	s.t.Helper()
	logins := s.logins()
	advanceUntil(a.issued.Add(a.life()*66/100 - time.Second))
	check.Require(s.t, s.logins() == logins, "the token was rotated before its time")
	for waited := time.Duration(0); s.logins() == logins; waited += time.Millisecond {
		check.Require(s.t, waited <= 10*time.Second, "the token was not rotated at its time")
		advance(time.Millisecond)
	}
}

func TestTokenRotation_NotOfUnreadToken(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.EveryMinute()
		s.quiet(func() { advance(7 * 24 * time.Hour) })
		s.token("app")
		advance(41 * time.Minute) // it was read, so it is replaced once
		s.wantLogins(2)
		advance(48 * time.Hour)
		s.wantLogins(2, "since nobody has read for two days")
		s.token("app")
		s.wantLogins(3, "after a read")
	})
}

func TestTokenRotation_NotOfUnreadVerification(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		s.EveryMinute()
		s.write("config/gst", jwtConfig())
		s.write("role/app", map[string]any{"config": "gst"})
		advance(24 * time.Hour)
		s.wantLogins(1, "that of the verification")
	})
}

// A read waits at most two seconds for a rotation and not at all after that, also where an API has rejected the token.
func TestTokenRotation_ReadWaitsTwoSeconds(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, rejected bool) {
		s := gstMount(t, time.Hour)
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 10 * time.Second})
		s.untilRotation(first)
		began := s.Upstream.LoginTimes()[1]
		var data map[string]any
		if rejected {
			data = reject(first.id)
		}
		var readers sync.WaitGroup
		for _, c := range []struct{ at, waits time.Duration }{
			{0, 2 * time.Second}, {500 * time.Millisecond, 1500 * time.Millisecond}, {1900 * time.Millisecond, 100 * time.Millisecond},
			{2 * time.Second, 0}, {5 * time.Second, 0}, {9 * time.Second, 0},
		} {
			readers.Go(func() {
				advanceUntil(began.Add(c.at))
				from := time.Now()
				a, err := s.ask(t.Context(), "app", data)
				check.True(t, err == nil && a.id == first.id, "a reader %s after the rotation began got %s (%v), want the old token", c.at, a.id, err)
				atMost(t, time.Since(from), c.waits+5*time.Millisecond, "a reader who came %s after the rotation began waited", c.at)
			})
		}
		readers.Wait()
		advanceUntil(began.Add(10*time.Second + time.Millisecond))
		check.True(t, s.token("app").id != first.id, "the old token is still served after the rotation")
		s.wantLogins(2)
	})
}

func TestTokenRotation_WaitingReadGetsNewToken(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Second})
		s.untilRotation(first)
		advance(500 * time.Millisecond)
		for _, o := range s.readConcurrently(100, toApp, nil) {
			check.Require(t, o.err == nil && o.response.id != first.id && o.waited <= 500*time.Millisecond,
				"a reader got %s after %s (%v), want the new token within 500ms", o.response.id, o.waited, o.err)
		}
	})
}

func TestTokenRotation_QuickDelaysNoReader(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		const login = 300 * time.Millisecond
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: login})
		s.untilRotation(first)
		for range 3 {
			for _, o := range s.readConcurrently(100, toApp, nil) {
				check.Require(t, o.err == nil && o.response.id == first.id && o.waited <= 0,
					"during a login of %s a reader got %s after %s (%v), want the old token at once", login, o.response.id, o.waited, o.err)
			}
			advance(login / 3)
		}
		advance(login / 10)
		for _, o := range s.readConcurrently(100, toApp, nil) {
			check.Require(t, o.err == nil && o.response.id != first.id && o.waited <= 0,
				"after it a reader got %s after %s (%v), want the new token at once", o.response.id, o.waited, o.err)
		}
		s.wantLogins(2)
	})
}

func TestTokenRotation_OverdueTTLIsNextAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, 24*time.Hour, "request_timeout", "15s")
		first := s.token("still")
		due := 24 * time.Hour * 66 / 100
		check.True(t, first.ttl >= due-2*time.Second && first.ttl <= due && first.period == due && first.lease == 0,
			"ttl %s, rotation_period %s, lease %s", first.ttl, first.period, first.lease)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 20 * time.Minute})
		advanceUntil(first.issued.Add(24*time.Hour*66/100 + time.Minute))
		check.RequireEqual(t, s.Simulator.Counters().Faulted, 1, "rotations were throttled")
		next := s.Upstream.LoginTimes()[1].Add(20 * time.Minute)
		different := make(map[time.Duration]bool)
		for range 100 {
			a := s.token("still")
			least := time.Until(next) + 15*time.Second
			check.Require(t, least.Truncate(time.Second) <= a.ttl && a.ttl <= least+10*time.Second, "ttl %s, want from %s", a.ttl, least)
			different[a.ttl] = true
		}
		check.True(t, len(different) >= 5, "all clients have the same ttl: %v", different)
		// Near its end the ttl is what is left of the token, and never below 5.
		for time.Until(first.expires) > 10*time.Second {
			advanceUntil(first.expires.Add(-time.Until(first.expires) / 2))
			a, err := s.ask(t.Context(), "still", nil)
			check.NoError(t, err)
			check.True(t, a.ttl <= a.left && a.ttl >= 5*time.Second, "ttl %s with %s left", a.ttl, a.left)
		}
	})
}

// Slow storage at start delays no rotation of an account that was loaded.
func TestTokenRotation_NotDelayedBySlowStart(t *testing.T) {
	eachOf(t, []time.Duration{0, 2 * time.Second}, func(t *testing.T, slow time.Duration) {
		const many = 600
		s := gstMount(t, 15*time.Minute)
		s.EveryMinute()
		s.accounts(many)
		for n := range many {
			s.token(account(n))
		}
		s.Storage.Slow(mounttest.Get, "token/", slow)
		s.Reload()
		first := s.token("app")
		before := s.logins()
		advance(14 * time.Minute)
		check.True(t, s.logins() != before, "reads of storage take %s, and in 14 minutes no token of %d was rotated", slow, many)
		check.True(t, s.token("app").id != first.id, "the token is the same")
	})
}

func TestTokenRotation_BackoffServesCurrentAtOnce(t *testing.T) {
	eachOf(t, []simulator.FaultKind{simulator.FaultDown, simulator.FaultRefuse, simulator.FaultHTML}, func(t *testing.T, kind simulator.FaultKind) {
		s := gstMount(t, time.Hour)
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: kind})
		for time.Since(first.issued) < 59*time.Minute+30*time.Second {
			advance(time.Second)
			from := time.Now()
			a, err := s.ask(t.Context(), "app", nil)
			check.Require(t, err == nil && a.id == first.id, "after %s: %v", time.Since(first.issued), err)
			atMost(t, time.Since(from), 2*time.Second, "a read waited")
		}
		check.True(t, s.Simulator.Counters().Faulted != 0, "the upstream was never asked for a new token")
	})
}

// accounts makes n configs, each with a label of its own and a role of the same name.
func (s *testMount) accounts(n int, more ...any) {
	s.t.Helper()
	for k := range n {
		name := account(k)
		s.write("config/"+name, jwtConfig(append([]any{
			"token_url", upstreamURL + "/api/v1/token-auth/?label=" + name, "verify_connection", false,
		}, more...)...))
		s.write("role/"+name, map[string]any{"config": name})
	}
}

func account(n int) string { return fmt.Sprintf("a%03d", n) }

func TestTokenRotation_RotatesEightAccountsAtATime(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, reading bool) {
		const many = 200
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		s.EveryMinute()
		s.accounts(many)
		for n := range many {
			s.token(account(n))
		}
		check.RequireEqual(t, s.logins(), many, "logins")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
		s.Upstream.Reset()
		advance(39 * time.Minute)
		end := time.Now().Add(5 * time.Minute)
		var readers sync.WaitGroup
		if reading {
			for n := range many {
				readers.Go(func() {
					time.Sleep(time.Duration(n) * 20 * time.Millisecond)
					for time.Now().Before(end) {
						from := time.Now()
						_, err := s.ask(t.Context(), account(n), nil)
						check.True(t, err == nil, "%v", err)
						atMost(t, time.Since(from), 2*time.Second, "a read was held up for")
						time.Sleep(4 * time.Second)
					}
				})
			}
		}
		readers.Wait()
		advanceUntil(end)
		between(t, s.Upstream.MostInFlight(""), 2, 8, "logins in flight at once")
		for n := range many {
			check.RequireEqual(t, len(s.loginsOf(account(n))), 1, "rotations of account %d", n)
		}
		check.Equal(t, len(s.Upstream.Concurrent()), 0, "accounts with more than one login in flight")
	})
}

// hang makes the upstream hang where it is reached by that host name.
func (s *testMount) hang(host string) {
	s.Upstream.Replace(func(w http.ResponseWriter, r *http.Request) {
		if name, _, _ := strings.Cut(r.Host, ":"); name == host {
			<-r.Context().Done()
			return
		}
		s.Simulator.ServeHTTP(w, r)
	})
}

// loginsOf are the times of the logins with that label.
func (s *testMount) loginsOf(label string) []time.Time {
	var times []time.Time
	for _, login := range s.Upstream.Logins() {
		if login.Label == label {
			times = append(times, login.At)
		}
	}
	return times
}

// accountOn stores an account that logs in at the host, with a role of its name, and reads it once.
func (s *testMount) accountOn(host, name string) {
	s.t.Helper()
	s.write("config/"+name, jwtConfig("token_url", "http://"+host+"/api/v1/token-auth/?label="+name, "verify_connection", false))
	s.write("role/"+name, map[string]any{"config": name})
	s.token(name)
}

// An account of a healthy host is rotated in its time, however often it is read, while those of a hanging host are due.
func TestTokenRotation_HangingHostDelaysNoOther(t *testing.T) {
	readEvery := []time.Duration{0, 5 * time.Second, time.Second}
	eachPair(t, []int{60, 150}, readEvery, func(t *testing.T, hanging int, every time.Duration) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		s.EveryMinute()
		for n := range hanging {
			s.accountOn("hanging.test", account(n))
		}
		advance(2 * time.Minute) // the others are due first
		began := time.Now()
		s.accountOn("healthy.test", "healthy")
		s.hang("hanging.test")
		due, end := began.Add(time.Hour*66/100), began.Add(time.Hour)
		for time.Now().Before(end) {
			if every == 0 {
				advanceUntil(end)
				break
			}
			s.token("healthy")
			// Those of the host that hangs are in use as well.
			_, _ = s.ask(t.Context(), account(int(time.Since(began)/every)%hanging), nil)
			advance(every)
		}
		logins := s.loginsOf("healthy")
		check.Require(t, len(logins) >= 2, "the account of the healthy host was not rotated in %s; it was due after %s", end.Sub(began), due.Sub(began))
		late := logins[1].Sub(due)
		check.True(t, late <= time.Minute, "the account of the healthy host was rotated %s late", late)
		check.True(t, len(s.loginsOf(account(0))) >= 2, "the accounts of the hanging host were not due: this tests nothing")
	})
}

// On a host that hangs, too, each account has its turn before any has its second.
func TestTokenRotation_FirstComeFirstServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const many = 60
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		s.EveryMinute()
		for n := range many {
			s.accountOn("hanging.test", account(n))
		}
		s.hang("hanging.test")
		for end := time.Now().Add(58 * time.Minute); time.Now().Before(end); advance(5 * time.Second) {
			// One of them is read far more often than the others.
			s.token(account(0))
		}
		least, most := many, 0
		for n := range many {
			tried := len(s.loginsOf(account(n))) - 1 // the first gave the token
			least, most = min(least, tried), max(most, tried)
		}
		check.Require(t, most != 0, "no account was due: this tests nothing")
		check.True(t, least != 0 && most-least <= 1, "the accounts had %d to %d turns, want the same number and one more at most", least, most)
	})
}
