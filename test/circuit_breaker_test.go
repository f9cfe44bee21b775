// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
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
		check.RequireEqual(t, s.readEvery("app", time.Minute, 7*24*time.Hour), 0, "reads were given a token for refused credentials")
		const probed = 3 + 6
		s.wantProbes(probed)
		c := s.Simulator.Counters()
		check.True(t, c.LoginsRefused == c.Logins && c.Logins == probed+1,
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
		check.Require(t, before <= 2 && before >= 1, "%d logins, want the refused one and at most one probe", before)
		advance(7 * 24 * time.Hour)
		s.wantLogins(before, "of an account that nobody has read for a week")
	})
}

func TestCircuitBreaker_OpenedByInvalidRequest(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.refuseRequests()
		s.readEvery("app", time.Minute, 2*24*time.Hour)
		check.RequireEqual(t, s.status()["last_error_kind"], "invalid", "kind")
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
	check.True(s.t, len(gaps) == want, "%d probes (%v), want %d", len(gaps), gaps, want)
	for n, gap := range gaps {
		// Readers come once a minute, and one of them, or the engine itself, makes the probe.
		want := probes(n)
		check.True(s.t, gap >= want && gap <= want+time.Minute+time.Second, "probe %d came after %s, want %s", n+1, gap, want)
	}
}

// What is no other credential does not have the refused ones sent again.
func TestCircuitBreaker_StaysOpen(t *testing.T) {
	write := func(data map[string]any) func(*testMount) { return func(s *testMount) { s.write("config/gst", data) } }
	host := func(host string) func(*testMount) {
		return func(s *testMount) {
			s.refused(logical.UpdateOperation, "config/gst", jwtConfig("token_url", "http://"+host+"/api/v1/token-auth/"))
		}
	}
	restart := func(s *testMount) {
		s.Reload()
		s.write("config/gst", map[string]any{"rotation_percent": 50})
		s.failed("app")
		s.Reload()
	}
	again := func(s *testMount) {
		s.remove("config/gst")
		s.write("config/gst", jwtConfig("verify_connection", false))
	}
	each(t, map[string]func(s *testMount){
		"the same password once more": write(map[string]any{"password": "pass-of-clerk"}),
		"another rotation_percent":    write(map[string]any{"rotation_percent": 50}),
		"another request_timeout":     write(map[string]any{"request_timeout": 20}),
		"another default_token_ttl":   write(map[string]any{"default_token_ttl": 7200}),
		"paused and resumed": func(s *testMount) {
			s.write("config/gst", map[string]any{"paused": true})
			s.write("config/gst", map[string]any{"paused": false})
		},
		"the host in capitals":      host("UPSTREAM.test"),
		"the host with its port":    host("upstream.test:80"),
		"the host with a dot":       host("upstream.test."),
		"a restart, then a write":   restart,
		"taken up by the write":     func(s *testMount) { s.Storage.Fail(mounttest.List, "token/", mounttest.ErrStorage()); restart(s) },
		"deleted and written again": func(s *testMount) { s.Reload(); synctest.Wait(); again(s) },
		"deleted before it was taken up": func(s *testMount) {
			s.Storage.Slow(mounttest.List, "token/", time.Second)
			s.Reload()
			again(s)
		},
	}, func(t *testing.T, happens func(s *testMount)) {
		s := refusedMount(t)
		advance(time.Minute)
		happens(s)
		s.failsWith(http.StatusBadRequest)
		s.wantLogins(1)
	})
}

func TestCircuitBreaker_ClosedByOtherPassword(t *testing.T) {
	eachOf(t, []time.Duration{0, 5 * time.Minute}, func(t *testing.T, setBack time.Duration) {
		s := refusedMount(t)
		advance(time.Minute)
		s.Clock.Jump(-setBack)
		s.write("config/gst", map[string]any{"password": "another-password", "verify_connection": setBack == 0})
		s.token("app")
	})
}
