// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// TestScheduler_RotatesEightAccountsAtATime: two hundred accounts due at once are rotated eight at a time.
func TestScheduler_RotatesEightAccountsAtATime(t *testing.T) {
	t.Parallel()
	for _, reading := range []bool{false, true} {
		timed(t, fmt.Sprintf("read meanwhile: %t", reading), func(t *testing.T) {
			const many = 200
			s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
			s.EveryMinute()
			s.accounts(many)
			for n := range many {
				s.token(account(n))
			}
			first := s.logins()
			if first != many {
				t.Fatalf("%d logins, want one an account", first)
			}
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
							if _, err := s.ask(t.Context(), account(n), nil); err != nil {
								t.Error(err)
							}
							if waited := time.Since(from); waited > 2*time.Second {
								t.Errorf("a read was held up for %s", waited)
							}
							time.Sleep(4 * time.Second)
						}
					})
				}
			}
			readers.Wait()
			advanceUntil(end)
			if most := s.Upstream.MostInFlight(""); most > 8 || most < 2 {
				t.Errorf("%d logins in flight at once, want at most 8", most)
			}
			for n := range many {
				if got := s.rotations()[account(n)]; got != 1 {
					t.Fatalf("account %d was rotated %d times, want once", n, got)
				}
			}
			if doubled := s.Upstream.Concurrent(); len(doubled) > 0 {
				t.Errorf("more than one login in flight for %v", doubled)
			}
		})
	}
}

// TestScheduler_HangingAccountsDelayNoOthers: accounts that hang do not keep the others from their rotation, even when eight of them
// hang, which is as many as may log in at the same time.
func TestScheduler_HangingAccountsDelayNoOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const hanging, healthy = 16, 20
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)), simulator.Account{
			Protocol: simulator.OAuth, Username: "u", Password: "p", ClientID: "c", ClientSecret: "x", TokenTTL: time.Hour,
		})
		s.EveryMinute()
		s.accounts(hanging)
		for n := range hanging {
			s.token(account(n))
		}
		for n := range healthy {
			name := fmt.Sprintf("h%02d", n)
			s.write("config/"+name, map[string]any{
				"protocol": "oauth", "token_url": upstreamURL + "/oauth/access_token?label=" + name, "allow_http": true,
				"username": "u", "password": "p", "client_id": "c", "client_secret": "x", "verify_connection": false,
			})
			s.write("role/"+name, map[string]any{"config": name})
			s.token(name)
		}
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		s.Upstream.Reset()
		advance(55 * time.Minute)
		late := 0
		for n := range healthy {
			if s.rotations()[fmt.Sprintf("h%02d", n)] == 0 {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d of %d healthy accounts were not rotated 15 minutes after their time", late, healthy)
		}
	})
}

// TestStop_EndsLoginsAtOnce: stop ends a login at once and does not wait.
func TestStop_EndsLoginsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		const many = 20
		s.accounts(many)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		var readers sync.WaitGroup
		for n := range many {
			readers.Go(func() {
				if _, err := s.ask(t.Context(), account(n), nil); codeOf(err) != 503 {
					t.Errorf("a reader during a stop got %d (%v), want 503", codeOf(err), err)
				}
			})
		}
		advance(time.Second)
		if got := s.logins(); got != many {
			t.Fatalf("%d logins in flight, want %d", got, many)
		}
		began := time.Now()
		s.Stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
		readers.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("readers were let go %s after the stop", took)
		}
		advance(time.Hour)
		if got := s.logins(); got != many {
			t.Errorf("%d logins after the stop", got-many)
		}
	})
}

// TestStop_NotDelayedByStorage: stop is not held up by storage.
func TestStop_NotDelayedByStorage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.LoseStorage()
		began := time.Now()
		s.Stop()
		s.Stop() // twice does no harm
		if took := time.Since(began); took != 0 {
			t.Errorf("stop took %s", took)
		}
	})
}
