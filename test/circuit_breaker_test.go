// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// probes are the gaps between the first logins that are refused, and the gap of all that follow.
func probes(n int) time.Duration {
	switch n {
	case 0:
		return 15 * time.Minute
	case 1:
		return time.Hour
	case 2:
		return 6 * time.Hour
	default:
		return 24 * time.Hour
	}
}

// readEvery reads the role again and again for some time and returns how many reads gave a token.
func (s *testMount) readEvery(role string, every, span time.Duration) (served int) {
	s.t.Helper()
	for end := time.Now().Add(span); time.Now().Before(end); advance(every) {
		if _, err := s.ask(s.t.Context(), role, nil); err == nil {
			served++
		}
	}
	return served
}

// gaps are the times between the logins that reached the upstream.
func (s *testMount) gaps() []time.Duration {
	times := s.Upstream.LoginTimes()
	var gaps []time.Duration
	for n := 1; n < len(times); n++ {
		gaps = append(gaps, times[n].Sub(times[n-1]))
	}
	return gaps
}

func TestCircuitBreaker_ProbesBySchedule(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.changePassword()
		served := s.readEvery("app", time.Minute, 7*24*time.Hour)
		require(t, served == 0, "%d reads were given a token for refused credentials", served)
		const probed = 3 + 6
		s.wantProbes(probed)
		c := s.Simulator.Counters()
		check(t, c.LoginsRefused == c.Logins && c.Logins == probed+1,
			"%d logins, %d refused by the upstream, %d seen: want all the same", c.Logins, c.LoginsRefused, probed+1)
	})
}

func TestCircuitBreaker_NoProbeWithoutReaders(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.changePassword()
		s.failed("app")
		advance(16 * time.Minute) // the read that failed was a sign of use: it may be probed once
		before := s.logins()
		require(t, before <= 2 && before >= 1, "%d logins, want the refused one and at most one probe", before)
		advance(7 * 24 * time.Hour)
		s.wantLogins(before, "of an account that nobody has read for a week")
	})
}

func TestCircuitBreaker_ClosedBySuccessfulProbe(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
		s.failed("app")
		s.wantRefusedLogins(1)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(14 * time.Minute)
		s.failed("app")
		advance(time.Minute + time.Second)
		s.token("app")
		s.wantState("ready")
		s.wantLogins(2)
	})
}

func TestCircuitBreaker_ClosedByWhichWrites(t *testing.T) {
	t.Parallel()
	changes := []struct {
		name   string
		change map[string]any
		closes bool
		back   time.Duration // the clock is set back before the write
	}{
		{"a right password", map[string]any{"password": "right-at-last"}, true, 0},
		{"the same, clock set back", map[string]any{"password": "right-at-last", "verify_connection": false}, true, 5 * time.Minute},
		{"the same password once more", map[string]any{"password": "pass-of-clerk"}, false, 0},
		{"another rotation_percent", map[string]any{"rotation_percent": 50}, false, 0},
		{"another request_timeout", map[string]any{"request_timeout": 20}, false, 0},
		{"another default_token_ttl", map[string]any{"default_token_ttl": 7200}, false, 0},
		{"paused and resumed", nil, false, 0},
	}
	for _, c := range changes {
		timed(t, c.name, func(t *testing.T) {
			s := gstMount(t, time.Hour)
			s.Simulator.SetAccount(jwtAccount(func(a *simulator.Account) { a.Password = "right-at-last" }))
			s.failed("app")
			s.wantRefusedLogins(1)
			advance(time.Minute)
			s.Clock.Jump(-c.back)
			if c.change == nil {
				s.write("config/gst", map[string]any{"paused": true})
				s.write("config/gst", map[string]any{"paused": false})
			} else {
				s.write("config/gst", c.change)
			}
			if c.closes {
				s.token("app")
				return
			}
			err := s.failure("app")
			s.wantLogins(1, "by the write")
			check(t, codeOf(err) == http.StatusBadRequest, "a read during the backoff returns %d (%v), want 400", codeOf(err), err)
		})
	}
}

// TestCircuitBreaker_StaysOpenAfterRestart: a write right after a restart does not close the breaker. The account may not
// have been taken up from storage yet.
func TestCircuitBreaker_StaysOpenAfterRestart(t *testing.T) {
	each(t, map[string]bool{"taken up at start": false, "taken up by the write": true}, func(t *testing.T, blind bool) {
		s := refusedMount(t)
		if blind {
			s.Storage.Fail(mounttest.List, "token/", mounttest.ErrStorage())
		}
		s.Reload()
		s.write("config/gst", map[string]any{"rotation_percent": 50})
		s.failed("app")
		s.Reload()
		s.failed("app")
		s.wantLogins(1, "by the write")
	})
}

func TestCircuitBreaker_StaysOpenAfterOutage(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.changePassword()
		s.readEvery("app", time.Minute, 7*time.Hour+10*time.Minute) // three refusals: the next probe is in 6 h
		s.wantRefusedLogins(3)
		// The upstream is away for a moment, just when the probe comes.
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown, Remaining: 1})
		s.readEvery("app", time.Minute, 7*time.Hour)
		c := s.Simulator.Counters()
		require(t, c.Faulted == 1, "%d logins met the outage, want 1", c.Faulted)
		// Rule 4: only a changed credential, or a login that succeeds, closes the breaker. So what follows is a probe of the
		// same schedule, and not the backoff of an outage.
		times := s.Upstream.LoginTimes()
		for n := 4; n < len(times); n++ {
			if gap := times[n].Sub(times[n-1]); gap < time.Hour {
				t.Fatalf("login %d came %s after the one before: the refused credentials are tried anew (all gaps: %v)", n+1, gap, s.gaps())
			}
		}
	})
}

func TestCircuitBreaker_OpenedByInvalidRequest(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.refuseRequests()
		s.readEvery("app", time.Minute, 2*24*time.Hour)
		kind := s.status()["last_error_kind"]
		require(t, kind == "invalid", "kind %v, want invalid", kind)
		s.failsWith(http.StatusBadRequest)
		s.wantProbes(4)
	})
}

// refuseRequests has the upstream find every login malformed.
func (s *testMount) refuseRequests() {
	s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"username":["This field is required."]}`))
	})
}

// wantProbes checks how many logins there were after the first, and that they kept to the schedule of refused credentials.
func (s *testMount) wantProbes(want int) {
	s.t.Helper()
	gaps := s.gaps()
	check(s.t, len(gaps) == want, "%d probes (%v), want %d", len(gaps), gaps, want)
	for n, gap := range gaps {
		// Readers come once a minute, and one of them, or the engine itself, makes the probe.
		want := probes(n)
		check(s.t, gap >= want && gap <= want+time.Minute+time.Second, "probe %d came after %s, want %s", n+1, gap, want)
	}
}

// TestCircuitBreaker_OpenedByRotateDuringOutage: a refusal that rotate finds in an outage is probed by the schedule of refusals.
// The upstream has come back during the backoff of the outage, and knows another password.
func TestCircuitBreaker_OpenedByRotateDuringOutage(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		s.readEvery("app", time.Second, 10*time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		s.changePassword()
		s.Upstream.Reset()
		_, err := s.rotate()
		require(t, codeOf(err) == http.StatusBadRequest, "rotate with refused credentials: %v", err)
		s.readEvery("app", time.Minute, 8*time.Hour)
		s.wantProbes(3)
	})
}

// TestBreaker_StaysOpenWhenClockSetBack: the other clock of this process knows how much of the hold has passed.
func TestBreaker_StaysOpenWhenClockSetBack(t *testing.T) {
	eachOf(t, []time.Duration{10 * time.Minute, time.Hour, 30 * 24 * time.Hour}, func(t *testing.T, back time.Duration) {
		s := refusedMount(t)
		advance(time.Minute)
		s.Clock.Jump(-back)
		s.failed("app")
		s.wantLogins(1, "14 minutes before the probe")
		advance(14*time.Minute + time.Second)
		s.failed("app")
		s.wantLogins(2, "after 15 minutes")
	})
}

// TestCircuitBreaker_StaysOpenAfterDeletion: deleting a config and writing it again with the same credentials closes no breaker, also
// where the account was not taken up yet since the start.
func TestCircuitBreaker_StaysOpenAfterDeletion(t *testing.T) {
	each(t, map[string]bool{"taken up at start": false, "not taken up yet": true}, func(t *testing.T, slowStart bool) {
		s := refusedMount(t)
		if slowStart {
			s.Storage.SetFault(func(_ int, access, key string) mounttest.Fault {
				if access == mounttest.List && key == "token/" {
					return mounttest.Fault{Wait: time.Second}
				}
				return mounttest.Fault{}
			})
		}
		s.Reload()
		if !slowStart {
			synctest.Wait()
		}
		s.remove("config/gst")
		s.write("config/gst", jwtConfig("verify_connection", false))
		s.failed("app")
		equal(t, "logins with the credentials that the upstream has refused", s.logins(), 1)
	})
}
