// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// A 429 without Retry-After beside a malformed request holds a corrected one back for seconds only.
func TestThrottled_WithoutRetryAfterInInvalidHold(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.refuseRequests()
		s.failsWith(http.StatusBadRequest)
		advance(2 * time.Minute)
		s.Upstream.Replace(s.Simulator.ServeHTTP)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultQuota, Remaining: 1})
		if _, err := s.rotate(); err == nil || s.Simulator.Counters().Faulted != 1 {
			t.Fatalf("rotate/ met no 429: %v", err)
		}
		advance(2 * time.Minute)
		_, err := s.do(t.Context(), logical.UpdateOperation, "config/gst", branch("7"))
		check.True(t, err == nil, "two minutes after a 429 that asked for no wait: %v", err)
	})
}

// A forced login that is given up may have been refused: the next is made a minute later.
func TestRotate_GivenUpInOpenBreaker(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"revoke": func(s *testMount) { s.write("revoke/gst", nil) },
		"headers": func(s *testMount) {
			s.write("config/gst", branch("7", "verify_connection", false))
		},
		"crash": func(s *testMount) { s.Crash() },
		"none":  func(*testMount) {},
	}, func(t *testing.T, giveUp func(s *testMount)) {
		s := refusedMount(t)
		advance(2 * time.Minute)
		release := s.Upstream.Hold()
		go func() { _, _, _ = s.Do(t.Context(), logical.UpdateOperation, "rotate/gst", nil) }()
		advance(time.Second)
		s.wantLogins(2, "(the second is forced)")
		giveUp(s)
		release()
		advance(6 * time.Second)
		_, _ = s.rotate()
		s.wantLogins(2, "(the second was forced 7 s ago)")
	})
}

// Refused credentials are sent by rotate/ once a minute, also where a forced login has timed out.
func TestRotate_TimedOutInOpenBreaker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := refusedMount(t)
		advance(2 * time.Minute)
		s.slow(time.Minute)
		_, _ = s.rotate()
		advance(11 * time.Second)
		_, _ = s.rotate()
		s.wantLogins(2, "(the second was forced 26 s ago)")
	})
}

// A probe that the upstream has accepted closes the breaker, although it brings a revoked token.
func TestBreaker_ProbeBringsRevokedToken(t *testing.T) {
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
		check.True(t, !strings.Contains(message, "refused the credentials"),
			"after a login that the upstream has accepted a read says %s", message)
		s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"token":"invented-access-token-8","expires_in":1800}`))
		})
		advance(20 * time.Minute) // the end of the revoked token is over
		_, err := s.ask(t.Context(), "app", nil)
		check.True(t, err == nil, "the upstream has a new token since the revoked one has ended: %v", err)
	})
}

func TestVerification_SaysWhatItMet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := refusedMount(t)
		advance(16 * time.Minute)
		s.unresolved("upstream.test")
		r := s.refusal(logical.UpdateOperation, "config/gst", branch("7"))
		s.wantLogins(1, "the refused one")
		check.True(t, !strings.Contains(r.message, "its login failed: upstream refused the credentials"),
			"of a login that never reached the upstream it is said: %s", r.message)
	})
}

// TestLogin_ProxyNotFoundIsNamed: where the name of the proxy does not resolve, the advice is not about token_url alone.
func TestLogin_ProxyNotFoundIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.unresolved("proxy.test")
		data := map[string]any{"proxy_url": "http://proxy.test:3128", "password": "pass-of-clerk"}
		const advice = "check the host of token_url, and the proxy if there is one"
		s.says(s.refusal(logical.UpdateOperation, "config/gst", data).message, "the name proxy.test does not resolve", advice)
		s.write("config/gst", with(data, "verify_connection", false))
		s.says(s.failure("app").Error(), "the name proxy.test does not resolve", advice)
	})
}

// TestRotate_SaysWhatItMet: rotate/ says of its login what it met, also while an earlier failure holds the engine's own logins back.
func TestRotate_SaysWhatItMet(t *testing.T) {
	each(t, map[string]simulator.Fault{
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: time.Hour}, "refused": {Kind: simulator.FaultRefuse},
	}, func(t *testing.T, fault simulator.Fault) {
		s := gstMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, fault)
		s.failed("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		advance(2 * time.Minute)
		_, err := s.rotate()
		s.wantLogins(2, "(the second met a broken connection)")
		code := codeOf(err)
		check.True(t, code == http.StatusBadGateway, "rotate/ whose login met a broken connection is answered %d: %v", code, err)
	})
}

// The record of a failed verification of a config that was never stored goes with its hold.
func TestVerification_RecordOfNoConfigGoes(t *testing.T) {
	each(t, map[string]simulator.Fault{
		"throttled": {Kind: simulator.FaultThrottled, RetryAfter: 10 * time.Second}, "refused": {Kind: simulator.FaultRefuse},
	}, func(t *testing.T, fault simulator.Fault) {
		s := newTestMount(t, jwtAccount())
		s.EveryMinute()
		s.Simulator.SetFault(simulator.JWT, fault)
		s.refused(logical.UpdateOperation, "config/gst", jwtConfig())
		check.Require(t, len(s.storedUnder("token/")) == 1, "stored: %v", s.storedUnder("token/"))
		for range 2 {
			advance(4 * 24 * time.Hour)
			check.Equal(t, len(s.storedUnder("token/")), 0, "entries under token/")
			s.Reload()
		}
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

// A write whose verification waits for settings that storage does not give ends.
func TestVerification_BoundedWhileSettingsCannotBeRead(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.token("app")
		caught, release := s.Storage.HoldNextPut("token/gst")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, _, err := s.Do(ctx, logical.UpdateOperation, "config/gst", branch("7"))
			ended <- err
		}()
		<-caught
		s.Storage.Fail(mounttest.Get, "config/", mounttest.ErrStorage())
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		synctest.Wait()
		release()
		advance(10 * time.Minute)
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the write hangs for ten minutes")
		}
	})
}
