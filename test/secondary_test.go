// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// Each write of the primary comes while a login of the secondary is in flight.
func TestSecondary_WritesElsewhereDoNotMultiplyLogins(t *testing.T) {
	type testCase struct {
		write func(n int) map[string]any
		most  int // logins in 20 s
	}
	each(t, map[string]testCase{
		// The login sends the same before and after: it goes on.
		"rotation_percent": {func(n int) map[string]any { return map[string]any{"rotation_percent": 50 + n} }, 2},
		// What is in flight is of no use any more. One login at a time, of 10 s each, or ended early and held off like a failure.
		"headers": {func(n int) map[string]any { return branch(fmt.Sprint(n), "verify_connection", false) }, 6},
	}, func(t *testing.T, c testCase) {
		s := newClusters(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 10 * time.Second})
		for n := range 20 {
			go func() { _, _ = s.ask(t.Context(), "app", nil) }()
			advance(500 * time.Millisecond)
			s.elsewhere("config/gst", c.write(n))
			advance(500 * time.Millisecond)
		}
		between(t, s.logins(), 1, c.most, "logins in 20 s of writes elsewhere")
		atMost(t, s.Upstream.MostInFlight(""), 1, "logins in flight at once")
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{})
		advance(time.Minute)
		s.token("app")
	})
}

// An account without reads is left alone, though its settings are written elsewhere and its status is looked at.
func TestSecondary_RemoteWriteAndListAreNoUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(41 * time.Minute) // it was read, and so it is rotated once
		s.wantLogins(2)
		for n := range 20 {
			s.elsewhere("config/gst", map[string]any{"pause_reason": fmt.Sprint("none ", n)})
			s.list("status/")
			check.Equal[any](t, s.status()["in_use"], false, "in_use after a look at the status")
			advance(15 * time.Minute)
		}
		s.wantLogins(2, "since the second token was not read")
	})
}

// A performance secondary hands on writes and logs in for itself.
func TestSecondary_ForwardsWritesAndLogsIn(t *testing.T) {
	t.Parallel()
	timed(t, "writes", func(t *testing.T) {
		w := jwtV1().as(t, consts.ReplicationPerformanceSecondary, func(*testMount) {})
		w.forwards(logical.UpdateOperation, "config/gst", map[string]any{"headers": "X-Team=gst"})
		w.forwards(logical.UpdateOperation, "config/gst", jwtV1().onlySecrets())
		w.forwards(logical.CreateOperation, "config/new", jwtConfig())
		w.forwards(logical.UpdateOperation, "config/new", jwtConfig())
		w.forwards(logical.DeleteOperation, "config/gst", nil)
		w.forwards(logical.UpdateOperation, "role/app", map[string]any{"max_ttl": 60})
		w.forwards(logical.UpdateOperation, "role/new", map[string]any{"config": "gst"})
		w.forwards(logical.DeleteOperation, "role/app", nil)
	})
	timed(t, "tokens", func(t *testing.T) {
		w := jwtV1().as(t, consts.ReplicationPerformanceSecondary, func(*testMount) {})
		w.loggingIn(1, func() { w.read("token/app") })
	})
	timed(t, "on a mount of its own", func(t *testing.T) {
		w := jwtV1().as(t, consts.ReplicationPerformanceSecondary, func(w *testMount) { w.Node.LocalMountVal = true })
		w.loggingIn(1, func() { w.write("config/gst", map[string]any{"headers": "X-Team=gst"}) })
	})
}

// The settings are written elsewhere while a cold reader waits for a login, and no other request would reload them.
func TestInvalidation_ReaderThatWaitsGetsTheToken(t *testing.T) {
	type testCase struct {
		update map[string]any
		most   time.Duration
	}
	each(t, map[string]testCase{
		"the login goes on":     {map[string]any{"ledger_retention": "24h"}, 6 * time.Second},
		"the login is given up": {branch("7", "verify_connection", false), 12 * time.Second},
	}, func(t *testing.T, c testCase) {
		s := newClusters(t, time.Hour)
		s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
		began := time.Now()
		reader := s.asyncRequest(t.Context(), logical.ReadOperation, "token/app", nil)
		advance(time.Second)
		s.wantLogins(1, "when the settings are written elsewhere")
		s.elsewhere("config/gst", c.update)
		r := s.wait(reader)
		refused, is := asRefusal(r.unpack())
		check.Require(t, !is, "the reader got %v after %s, want the token", refused, r.at.Sub(began))
		atMost(t, r.at.Sub(began), c.most, "the reader waited")
	})
}

// An account in use is rotated in the background also where its settings were written elsewhere since it was read.
func TestInvalidation_RotatesAheadOfTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(10 * time.Minute)
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		advance(31 * time.Minute) // 66 % of an hour have passed
		s.wantLogins(2, "after the time of the rotation")
	})
}

// A config that another node has changed takes effect. Vault notifies a node of a cluster which entries others have written.
func TestInvalidation_ConfigChangedElsewhere(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Simulator.SetAccount(jwtAccount(withTTL(time.Hour), func(a *simulator.Account) { a.Username = "other" }))
		first := s.token("app")
		entry := check.Value(s.Storage.Entries.Get(t.Context(), "config/gst"))(t)
		var config map[string]any
		check.NoError(t, json.Unmarshal(entry.Value, &config))
		config["username"], config["generation"] = "other", "ANOTHERGENERATION"
		entry.Value = check.Value(json.Marshal(config))(t)
		check.NoError(t, s.Storage.Entries.Put(t.Context(), entry))
		s.Backend().InvalidateKey(t.Context(), "config/gst")
		a := s.token("app")
		check.True(t, a.id != first.id && s.logins() == 2, "after a change elsewhere: %d logins, token %s", s.logins(), a.id)
		check.True(t, s.Simulator.Counters().Of(simulator.JWT, "other").LoginsOK == 1, "the new user did not log in")
		s.remove("role/app")
		check.Equal(t, codeOf(s.failure("app")), 400, "a role that was deleted returns")
	})
}

// A change elsewhere during a login fails no reader. The login in flight is stale, and nobody's plugin has stopped.
func TestInvalidation_DuringLoginFailsNoReader(t *testing.T) {
	eachOf(t, []string{"config/gst", "token/gst"}, func(t *testing.T, key string) {
		s := gstMount(t, time.Hour)
		release := s.Upstream.Hold()
		done := s.async("token/app")
		advance(time.Second)
		check.RequireEqual(t, s.logins(), 1, "logins in flight")
		s.Backend().InvalidateKey(t.Context(), key)
		release()
		r, refused := asRefusal(s.wait(done).unpack())
		check.True(t, !refused, "a reader got %v", r)
		check.Equal(t, count(t, s.status(), "consecutive_failures"), "0", "failures, though no login has failed")
	})
}
