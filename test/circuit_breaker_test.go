// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
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
	s.respond(http.StatusBadRequest, `{"username":["This field is required."]}`)
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

// A refusal counts for a day after its hold, also when other credentials were used meanwhile: the next one is of the same series.
func TestCircuitBreaker_RefusalRememberedForADay(t *testing.T) {
	eachNamed(t, map[string]time.Duration{"23h": time.Hour, "25h": 15 * time.Minute}, func(t *testing.T, after string, hold time.Duration) {
		s := refusedMount(t)
		s.write("config/gst", map[string]any{"password": "another-password"})
		day := check.Value(time.ParseDuration(after))(t)
		advance(15*time.Minute + day)
		s.minute()
		s.write("config/gst", jwtConfig("verify_connection", false))
		s.failed("app")
		next := moment(t, s.status(), "next_attempt_at")
		between(t, time.Until(next), hold-time.Second, hold+time.Second, "the hold of the next refusal")
	})
}

// Only a write that changes a credential, or a login that succeeds, closes it.
func TestCircuitBreaker_StaysOpenOnHeadersWrittenElsewhere(t *testing.T) {
	eachOf(t, []bool{false, true}, func(t *testing.T, restart bool) {
		s := newClusters(t, time.Hour)
		s.changePassword()
		s.failed("app")
		s.wantRefusedLogins(1)
		for n := range 10 {
			advance(5 * time.Second)
			s.headers(fmt.Sprint(n))
			s.reloadIf(restart)
			s.failsWith(http.StatusBadRequest)
		}
		s.wantLogins(1, "though headers were written ten times elsewhere")
		// A new credential closes it here as well.
		s.elsewhere("config/gst", map[string]any{"password": "another-password", "verify_connection": false})
		s.token("app")
	})
}

// crashAfterPut is storage that kills the plugin as soon as it has written the key.
type crashAfterPut struct {
	logical.Storage

	key   string
	armed atomic.Bool
	kill  func()
}

func (c *crashAfterPut) Put(ctx context.Context, entry *logical.StorageEntry) error {
	err := c.Storage.Put(ctx, entry)
	if entry.Key == c.key && c.armed.CompareAndSwap(true, false) {
		c.kill()
	}
	return err
}

// A write of headers is cut off after the config is stored and before the account's own record is.
func TestCircuitBreaker_StaysOpenOnCrashBetweenConfigAndRecord(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		killer := &crashAfterPut{Storage: s.Storage.Entries, key: "config/gst", kill: func() { s.LoseStorage() }}
		s.Storage.Entries = killer
		s.Reload()
		s.changePassword()
		s.failed("app")
		s.wantRefusedLogins(1)
		for n := range 10 {
			advance(5 * time.Second)
			killer.armed.Store(true)
			_, _ = s.do(t.Context(), logical.UpdateOperation, "config/gst", branch(fmt.Sprint(n), "verify_connection", false))
			check.Require(t, !killer.armed.Load(), "the config was not written: the crash did not happen")
			s.Stop()
			s.Start()
			s.failsWith(http.StatusBadRequest)
		}
		s.wantLogins(1, "though ten writes of headers were cut off")
		s.wantState("rejected")
	})
}

// A verification that failed says nothing any more once logins have succeeded since.
func TestConfigVerify_FailureEndsWithSuccess(t *testing.T) {
	eachPair(t, []bool{true, false}, []bool{true, false}, func(t *testing.T, verify, restart bool) {
		s := gstMount(t, time.Hour)
		change := func(name string, verify bool) error {
			resp, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", branch(name, "verify_connection", verify))
			if err == nil && resp.IsError() {
				err = resp.Error()
			}
			return err
		}
		s.token("app")
		advance(time.Minute)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultRefuse})
		check.Require(t, change("7", true) != nil, "a verification that the upstream refused was accepted")
		s.wantRefusedLogins(1)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(2 * time.Minute)
		for range 2 { // an operator has the upstream mend it, and logs in
			s.mustRotate()
			advance(time.Minute)
		}
		s.reloadIf(restart)
		for _, name := range []string{"7", "8", "7"} {
			check.Equal(t, change(name, verify), nil, "a change of headers to %s", name)
			advance(time.Minute)
			s.token("app")
			s.wantState("ready")
		}
	})
}

// A write that changes no credential is decided from memory while the breaker is open or a Retry-After runs.
func TestConfigVerify_ObeysTheHold(t *testing.T) {
	type testCase struct {
		fault simulator.Fault
		code  int
		says  []string
	}
	eachRestart(t, map[string]testCase{
		"breaker open": {simulator.Fault{Kind: simulator.FaultRefuse}, http.StatusBadRequest, []string{"were not sent again"}},
		"Retry-After": {
			simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Minute}, http.StatusTooManyRequests,
			[]string{"these credentials were not sent again, next attempt at ", "write again later"},
		},
	}, func(t *testing.T, c testCase, restart bool) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, c.fault)
		s.failed("app")
		got := s.Simulator.Counters()
		check.Require(t, got.Logins == 1 && got.Faulted == 1, "%d logins, %d of them failed: want 1", got.Logins, got.Faulted)
		s.reloadIf(restart)
		for n := range 20 {
			advance(50 * time.Millisecond)
			_, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", branch(fmt.Sprint(n)))
			check.Require(t, codeOf(err) == c.code, "write %d got %d (%v), want %d", n, codeOf(err), err, c.code)
			check.Contains(t, err.Error(), c.says...)
			check.True(t, !strings.Contains(err.Error(), "same login"), "the login is another one: %v", err)
		}
		s.wantLogins(1, "though headers were written twenty times")
	})
}

// A probe that the upstream has accepted closes the breaker, although it brings a revoked token.
func TestCircuitBreaker_ProbeBringsRevokedToken(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"invented-access-token-7","expires_in":1800}`)
		s.token("app")
		s.write("revoke/gst", nil)
		s.changePassword()
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		s.failsWith(http.StatusBadRequest) // the vendor has locked the account
		s.loginsReturn(`{"token":"invented-access-token-7","expires_in":1800}`)
		advance(15*time.Minute + time.Second)
		message := s.failure("app").Error()
		check.True(t, !strings.Contains(message, "refused the credentials"), "after a login that was accepted: %s", message)
		s.loginsReturn(`{"token":"invented-access-token-8","expires_in":1800}`)
		advance(20 * time.Minute) // the end of the revoked token is over
		_, err := s.ask(t.Context(), "app", nil)
		check.True(t, err == nil, "the upstream has a new token since the revoked one has ended: %v", err)
	})
}
