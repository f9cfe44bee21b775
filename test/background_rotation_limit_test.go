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
	"vault-plugin-secrets-mastersindia/simulator"
)

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

// rotations counts the logins of each label.
func (s *testMount) rotations() map[string]int {
	counts := make(map[string]int)
	for _, a := range s.Upstream.Logins() {
		counts[a.Label]++
	}
	return counts
}

func TestScheduler_RotatesEightAccountsAtATime(t *testing.T) {
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
			got := s.rotations()[account(n)]
			check.Require(t, got == 1, "account %d was rotated %d times, want once", n, got)
		}
		doubled := s.Upstream.Concurrent()
		check.True(t, len(doubled) == 0, "more than one login in flight for %v", doubled)
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
func TestRotation_HangingHostDelaysNoOther(t *testing.T) {
	t.Parallel()
	for _, hanging := range []int{60, 150} {
		for _, every := range []time.Duration{0, 5 * time.Second, time.Second} {
			timed(t, fmt.Sprintf("%d accounts, read every %s", hanging, every), func(t *testing.T) {
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
	}
}

// On a host that hangs, too, each account has its turn before any has its second.
func TestRotation_FirstComeFirstServed(t *testing.T) {
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
