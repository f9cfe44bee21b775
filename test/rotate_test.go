// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// rotate forces a rotation of gst.
func (s *testMount) rotate() (map[string]any, error) {
	resp, err := s.do(s.t.Context(), logical.UpdateOperation, "rotate/gst", nil)
	switch {
	case err != nil:
		return nil, err
	case resp.IsError():
		return nil, logical.CodedError(http.StatusBadRequest, resp.Error().Error())
	default:
		return resp.Data, nil
	}
}

// failedRotate rotates, which must fail.
func (s *testMount) failedRotate() error {
	s.t.Helper()
	data, err := s.rotate()
	check.Require(s.t, err != nil, "rotate/ returns %v and should have failed", data)
	return err
}

// mustRotate rotates with success.
func (s *testMount) mustRotate() map[string]any {
	s.t.Helper()
	data, err := s.rotate()
	check.NoError(s.t, err)
	return data
}

func TestRotate_ReplacesTokenAndLeavesOldAlive(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		data := s.mustRotate()
		first := s.token("app")
		check.True(t, data["token_id"] == first.id && data["previous_token_id"] == "" && data["previous_valid_until"] == "",
			"rotate of an unused account returns %v, want token %s and none before it", data, first.id)
		advance(time.Minute)
		data = s.mustRotate()
		second := s.token("app")
		check.True(t, second.id != first.id && data["token_id"] == second.id && data["previous_token_id"] == first.id,
			"rotate returns %v; the token was %s and is %s", data, first.id, second.id)
		until, expires := first.expires.Format(time.RFC3339), second.expires.Format(time.RFC3339)
		check.True(t, data["previous_valid_until"] == until && data["expires_at"] == expires,
			"rotate returns %v; the old token lives until %s, the new one until %s", data, first.expires, second.expires)
		check.True(t, s.Simulator.TokenAlive(first.access), "the old token was killed: it is superseded, not revoked")
		s.wantLogins(2)
	})
}

// Rotate is made at most once in ten seconds, also across restarts. Asked again sooner it returns the rotation that was made.
func TestRotate_OncePerTenSeconds(t *testing.T) {
	each(t, map[string]func(*testMount){"one process": func(*testMount) {}, "restarts": (*testMount).Reload}, func(t *testing.T, restart func(*testMount)) {
		s := gstMount(t, time.Hour)
		s.token("app")
		advance(time.Minute)
		resp := s.write("rotate/gst", nil)
		made := resp.Data
		check.Equal(t, warningsOf(resp), "", "warnings")
		for range 9 {
			advance(time.Second)
			restart(s)
			resp := s.write("rotate/gst", nil)
			s.says(warningsOf(resp), "No login was made", "less than 10 seconds ago")
			again := resp.Data
			for _, field := range []string{"token_id", "expires_at", "previous_token_id", "previous_valid_until"} {
				check.Require(t, again[field] == made[field], "asked again, %s is %v, and was %v", field, again[field], made[field])
			}
		}
		s.wantLogins(2, "(one within 10 s of rotate)")
		advance(1100 * time.Millisecond)
		again, err := s.rotate()
		check.True(t, err == nil && again["token_id"] != made["token_id"] && again["previous_token_id"] == made["token_id"],
			"after 10 s rotate returns %v (%v)", again, err)
	})
}

// Who has had the account unlocked must not take the old refusal for a new one.
func TestRotate_NotMadeSaysSo(t *testing.T) {
	const untried = "no new login was made: rotate/ "
	t.Parallel()
	timed(t, "after a refusal", func(t *testing.T) {
		s := refusedMount(t)
		again := time.Now().Add(time.Minute + time.Second) // rounded up
		advance(20 * time.Second)
		s.says(s.failedRotate().Error(), untried+"logs in again from "+again.UTC().Format(time.RFC3339))
		s.wantLogins(1)
		said := s.failure("app").Error()
		check.True(t, !strings.Contains(said, untried), "a read speaks of rotate: %s", said)
		advance(41 * time.Second)
		said = s.failedRotate().Error()
		check.True(t, !strings.Contains(said, untried), "rotate that was made and refused: %s", said)
		s.wantLogins(2)
	})
	timed(t, "after an outage", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		said := s.failedRotate().Error()
		check.True(t, !strings.Contains(said, untried) && !strings.Contains(said, "next attempt"), "rotate that met an outage: %s", said)
		s.says(said, "reads are served the present token", "no login is due before that token's rotation, at ")
		said = s.failedRotate().Error()
		s.says(said, untried)
		check.True(t, !strings.Contains(said, "now: "), "rotate at once after the outage: %s", said)
		again := time.Now().Add(11 * time.Second)
		advance(3 * time.Second)
		said = s.failedRotate().Error() // as its predecessor's message advises
		s.says(said, untried+"made one less than 10 seconds ago, and logs in again from "+again.UTC().Format(time.RFC3339))
		check.True(t, !strings.Contains(said, "next attempt") && !strings.Contains(said, "vault write"), "what is over, or too soon: %s", said)
	})
}

// Rotate that could not begin is no rotation. An operator who tries again must not take the old token for a new one.
func TestRotate_BlockedIsNoRotation(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		advance(time.Minute)
		s.Storage.FailPuts(1)
		_ = s.failedRotate()
		advance(3 * time.Second)
		data := s.mustRotate()
		check.True(t, data["token_id"] != first.id && data["previous_token_id"] == first.id, "%v, want another than %s", data, first.id)
		s.wantLogins(2)
	})
}

// Storage took no writes when a probe was due. Nothing was sent, so rotate/ need not wait for a minute.
func TestRotate_AfterLoginThatCouldNotBegin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := refusedMount(t)
		advance(20 * time.Minute)
		s.Storage.Fail(mounttest.Put, "token/", mounttest.ErrStorage())
		s.failed("app")
		s.Storage.Heal()
		advance(500 * time.Millisecond)
		check.RequireEqual(t, s.logins(), 1, "logins")
		message := s.refused(logical.UpdateOperation, "rotate/gst", nil)
		check.True(t, s.logins() == 2, "rotate/ made no login: %s", message)
		advance(50 * time.Minute) // refused for the second time: an hour
		s.failed("app")
		check.Equal(t, s.logins(), 2, "logins within an hour of the second refusal")
	})
}

// The token that is returned is not the result of the last rotation.
func TestRotate_TooSoonAfterVerification(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.mustRotate()
		advance(time.Second)
		s.write("config/gst", branch("7"))
		s.wantLogins(2, "(one is the verification)")
		resp := s.write("rotate/gst", nil)
		s.wantLogins(2)
		check.True(t, len(resp.Warnings) == 1 && !strings.Contains(resp.Warnings[0], "its result") && strings.Contains(resp.Warnings[0], "current token"),
			"the response warns %q", resp.Warnings)
		s.wantServed(resp.Data["token_id"])
	})
}

// The refusal that the response names is not what the last login met.
func TestRotate_TooSoonAfterOutage(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.changePassword()
		s.failed("app")
		advance(time.Minute + time.Second)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		_ = s.failedRotate()
		err := s.failedRotate()
		check.True(t, strings.Contains(err.Error(), "refused the credentials") && !strings.Contains(err.Error(), "last login"),
			"rotate/ too soon: %v", err)
	})
}

func TestHold_ServesTokenAtOnceDuringRotate(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultThrottled, RetryAfter: time.Hour})
		advance(16 * time.Hour)
		state := s.status()
		check.Require(t, state["last_error_kind"] == "throttled", "the status is %v", state)
		s.slow(14 * time.Second)
		go func() { _, _, _ = s.Do(t.Context(), logical.UpdateOperation, "rotate/gst", nil) }()
		advance(100 * time.Millisecond)
		from := time.Now()
		a := s.token("app")
		waited := time.Since(from)
		check.True(t, waited <= 100*time.Millisecond && a.id == first.id, "a read in a pause waited %s", waited)
		advance(time.Minute)
	})
}

// A forced login that is given up may have been refused: the next is made a minute later.
func TestRotate_GivenUpInOpenBreaker(t *testing.T) {
	each(t, map[string]func(s *testMount){
		"revoke":  func(s *testMount) { s.write("revoke/gst", nil) },
		"headers": func(s *testMount) { s.write("config/gst", branch("7", "verify_connection", false)) },
		"crash":   func(s *testMount) { s.Crash() },
		"none":    func(*testMount) {},
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
