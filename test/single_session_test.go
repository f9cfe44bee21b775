// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// singleSessionMount is a mount whose account has a single session: a new login kills the old token.
func singleSessionMount(t *testing.T, ttl time.Duration, more ...any) *testMount {
	t.Helper()
	s := gstMount(t, ttl, append([]any{"rotation_percent", 100}, more...)...)
	s.Simulator.SetAccount(jwtAccount(withTTL(ttl), func(a *simulator.Account) { a.SingleSession = true }))
	return s
}

func TestSingleSession_ClientsHoldNoDeadToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := singleSessionMount(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, latency())
		s.EveryMinute()
		f := newFleet(s, 10, 1)
		f.mayHoldDead = true // without a lease a client cannot know: ttl is the time until the next rotation
		f.run(8 * time.Hour)
		f.check(t)
		f.served(t)
		atMost(t, len(s.loginsBefore(f.until)), 9, "logins in 8 hours")
	})
}

// A single session crashed in mid login does not serve the stored token. A verification is a login as any other.
func TestSingleSession_SuspectAfterCrashDuringLogin(t *testing.T) {
	type testCase struct {
		path     string
		data     map[string]any
		restarts int
	}
	each(t, map[string]testCase{
		"once":                                   {"rotate/gst", nil, 1},
		"verification":                           {"config/gst", branch("7"), 1},
		"and reloaded after a login that failed": {"rotate/gst", nil, 2},
	}, func(t *testing.T, c testCase) {
		s := singleSessionMount(t, time.Hour)
		first := s.token("app")
		advance(10 * time.Minute)
		release := s.Upstream.Hold()
		go func() { _, _ = s.do(t.Context(), logical.UpdateOperation, c.path, c.data) }()
		advance(time.Second)
		check.Require(t, s.logins() == 2 && !s.Simulator.TokenAlive(first.access), "the login that is to be cut off has not killed the old token")
		if c.restarts > 1 {
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultDown})
		}
		s.Crash()
		release()
		s.wantNoDeadToken("the login in mid-crash")
		if c.restarts > 1 {
			advance(2 * time.Second)
			s.wantNoDeadToken("the login in mid-crash")
			check.Require(t, s.Simulator.Counters().Faulted != 0, "the upstream was not asked")
			s.Reload()
			s.wantNoDeadToken("the login in mid-crash")
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		}
		advance(time.Minute)
		s.wantLiveToken()
	})
}

// A verification is given up before storage has noted it, so that nothing was sent.
func TestSingleSession_VerificationNeverSentKeepsToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := singleSessionMount(t, time.Hour)
		first := s.token("app")
		s.Storage.Slow(mounttest.Put, "token/gst", 20*time.Second)
		s.quiet(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			s.refusalIn(ctx, logical.UpdateOperation, "config/gst", branch("7"))
			for range 2 {
				check.True(t, s.token("app").id == first.id, "another token is served")
				check.Equal(t, s.read("status/gst").Data["state"], "ready", "state")
				advance(time.Minute)
				s.Storage.Heal()
				s.Reload()
			}
		})
	})
}

// Logins that cannot have reached the upstream, or are of another user, end no session.
func TestSingleSession_TokenSurvivesLoginElsewhere(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	silent := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}
	down := simulator.Fault{Kind: simulator.FaultDown}
	otherUser := map[string]any{"username": "clerk-two", "password": "pass-of-clerk-two"}
	otherPort := map[string]any{"token_url": upstreamURL + ":81/api/v1/token-auth/", "password": "pass-of-clerk"}
	type testCase struct {
		path string
		data map[string]any
		dial *net.OpError
	}
	each(t, map[string]testCase{
		"rotate, connection refused":        {"rotate/gst", nil, refused},
		"rotate, no response to the dial":   {"rotate/gst", nil, silent},
		"verification with a mistyped port": {"config/gst", otherPort, refused},
		"verification of another user":      {"config/gst", otherUser, nil},
	}, func(t *testing.T, c testCase) {
		s := singleSessionMount(t, time.Hour)
		first := s.token("app")
		advance(10 * time.Minute)
		s.Simulator.SetFault(simulator.JWT, down)
		s.FailDials(c.dial)
		r := s.refusal(logical.UpdateOperation, c.path, c.data)
		check.Require(t, r.status >= http.StatusBadGateway, "the login did not fail as in an outage: %v", r)
		for range 3 {
			s.wantServed(first.id)
			advance(10 * time.Minute)
		}
		check.True(t, s.Simulator.TokenAlive(first.access), "the token that is out is dead")
	})
}
