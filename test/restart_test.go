// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestRestart_CostsNoLogin(t *testing.T) {
	restarts := map[string]func(*testMount){"reload": (*testMount).Reload, "crash": (*testMount).Crash}
	eachWith(t, restarts, fixtures(), func(t *testing.T, name string, restart func(*testMount), f fixture) {
		s := f.mounted(t)
		first := s.token("app")
		for range min(18, f.life/time.Minute/2) { // less than two thirds of the life
			advance(time.Minute)
			restart(s)
			a := s.token("app")
			for _, field := range []string{"access_token", "token_id", "issued_at", "expires_at", "authorization", "client_id"} {
				check.Require(t, a.data[field] == first.data[field], "%s is another after a %s", field, name)
			}
		}
		for _, o := range s.readConcurrently(100, toApp, nil) {
			check.Require(t, o.err == nil && o.response.id == first.id, "after a %s: %v", name, o.err)
		}
		s.wantLogins(1)
	})
}

// A request that the end of the plugin meets is a 503, unless it was done before.
func TestRestart_RequestsMeanwhile(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.Reload()
		s.Stop()
		for _, q := range []request{
			{logical.ReadOperation, "token/app", nil},
			{logical.UpdateOperation, "rotate/gst", nil},
			{logical.UpdateOperation, "revoke/gst", nil},
			{logical.ReadOperation, "status/gst", nil},
			{logical.ListOperation, "status/", nil},
			{logical.ReadOperation, "ledger/gst", nil},
			{logical.UpdateOperation, "config/gst", jwtConfig("password", "another-password")},
		} {
			_, resp, err := s.Do(t.Context(), q.op, q.path, q.data)
			r, _ := asRefusal(resp, err)
			check.Equal(t, r, refusal{http.StatusServiceUnavailable, "the plugin is being reloaded: try again", true}, "%s", q)
		}
		s.remove("config/gst")
		s.Start()
		s.wantAbsent("config/gst")
		synctest.Wait()
		s.wantNoTokenStored()
	})
}

// A token found alive at start is rotated in time once even without reads.
func TestRestart_StoredTokenRotatedOnceUnread(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.token("app")
		advance(30 * time.Minute)
		s.Reload()
		s.EveryMinute()
		advance(10 * time.Minute)
		s.wantLogins(2, "40 minutes after the token was issued: it was found in storage and may be in use")
		advance(48 * time.Hour)
		s.wantLogins(2, "since nobody has read the new token")
	})
}

func TestRestart_OverdueRotation(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		first := s.token("app")
		s.Stop()
		advance(50 * time.Minute)
		s.Start()
		a := s.token("app")
		advance(5 * time.Second)
		check.True(t, s.token("app").id != first.id && s.logins() == 2, "the overdue token was not replaced: %s, %d logins", a.id, s.logins())
	})
}

func TestRestart_DuringLoginIsOneFailure(t *testing.T) {
	restarts := map[string]func(*testMount){"reload": (*testMount).Reload, "crash": (*testMount).Crash}
	eachNamed(t, restarts, func(t *testing.T, name string, restart func(*testMount)) {
		s := gstMount(t, time.Hour)
		release := s.Upstream.Hold()
		done := s.async("token/app")
		s.waitUntil("the login", func() bool { return s.logins() == 1 })
		restart(s)
		r, _ := asRefusal(s.wait(done).unpack())
		check.True(t, r.status == http.StatusServiceUnavailable, "a reader during a %s got %v, want 503", name, r)
		release()
		status := s.status()
		n := status["consecutive_failures"]
		check.True(t, n == 1 && status["state"] == "backing_off",
			"state %v with %v failures, want backing_off with 1: the result of the login is unknown", status["state"], n)
		s.failed("app")
		s.wantLogins(1, "before the backoff is over")
		advance(2 * time.Second)
		s.token("app")
		check.Equal(t, s.status()["consecutive_failures"], 0, "failures after a login that succeeded")
		s.wantLogins(2)
	})
}

// Crashes in mid login cannot become a login storm. Vault restarts a plugin that crashes at once and sends the request again.
func TestRestart_CrashesCauseNoLoginStorm(t *testing.T) {
	gstTest(t, 24*time.Hour, func(t *testing.T, s *testMount) {
		release := s.Upstream.Hold()
		defer release()
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			seen := s.logins()
			go func() { _, _ = s.ask(t.Context(), "app", nil) }()
			advance(100 * time.Millisecond)
			if s.logins() > seen {
				s.Crash()
			}
		}
		// 1, 2, 4, 8, 16, 32, 60, 60 ... seconds, less a quarter.
		between(t, s.logins(), 8, 22, "logins in 10 minutes of crashes")
		doubling(t, s.gaps(), time.Minute, 200*time.Millisecond)
	})
}

func TestStop_EndsLoginsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newLatencyMount(t, jwtAccount(withTTL(time.Hour)))
		const many = 20
		s.accounts(many)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: time.Hour})
		var readers sync.WaitGroup
		for n := range many {
			readers.Go(func() {
				_, err := s.ask(t.Context(), account(n), nil)
				check.True(t, codeOf(err) == 503, "a reader during a stop got %d (%v), want 503", codeOf(err), err)
			})
		}
		advance(time.Second)
		check.RequireEqual(t, s.logins(), many, "logins in flight")
		began := time.Now()
		s.Stop()
		check.Equal(t, time.Since(began), time.Duration(0), "stop took")
		readers.Wait()
		check.Equal(t, time.Since(began), time.Duration(0), "the readers were let go after")
		advance(time.Hour)
		s.wantLogins(many, "after the stop")
	})
}

// TestStop_TokenThatIsBeingStoredIsKept: the upstream has given it, and without the record neither revoke/ nor lookup would know it.
func TestStop_TokenThatIsBeingStoredIsKept(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		puts := 0
		s.Storage.SetFault(func(_ int, kind, key string) mounttest.Fault {
			if kind == mounttest.Put && key == "token/gst" {
				puts++ // the first takes note of the login
			}
			return mounttest.Fault{Wait: time.Duration(max(0, puts-1)) * time.Second}
		})
		s.async("token/app")
		advance(500 * time.Millisecond)
		check.RequireEqual(t, puts, 2, "writes of the record")
		s.Stop()
		advance(3 * time.Second)
		s.Storage.Heal()
		s.Reload()
		s.token("app")
		s.wantLogins(1, "since the token was being stored when the plugin stopped")
	})
}

func TestStop_NotDelayedByStorage(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.LoseStorage()
		began := time.Now()
		s.Stop()
		s.Stop() // twice does no harm
		check.Equal(t, time.Since(began), time.Duration(0), "stop took")
	})
}
