// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"

	"github.com/hashicorp/vault/sdk/logical"
)

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
