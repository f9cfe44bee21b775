// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestInvalidation_ReaderThatWaitsGetsTheToken: the settings are written elsewhere while a cold reader waits for a login, and
// no other request would reload them.
func TestInvalidation_ReaderThatWaitsGetsTheToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		update map[string]any
		most   time.Duration
	}{
		{"the login goes on", map[string]any{"ledger_retention": "24h"}, 6 * time.Second},
		{"the login is given up", map[string]any{
			"headers": map[string]any{"X-Branch": "7"}, "verify_connection": false,
		}, 12 * time.Second},
	} {
		timed(t, c.name, func(t *testing.T) {
			s := newClusters(t, time.Hour)
			s.Simulator.SetFault(simulator.JWT, simulator.Fault{Kind: simulator.FaultSlow, Delay: 5 * time.Second})
			began := time.Now()
			reader := s.asyncRequest(t.Context(), logical.ReadOperation, "token/app", nil)
			advance(time.Second)
			s.wantLogins(1, "when the settings are written elsewhere")
			s.elsewhere("config/gst", c.update)
			r := s.wait(reader)
			if refused, is := asRefusal(r.unpack()); is {
				t.Fatalf("the reader got %v after %s, want the token", refused, r.at.Sub(began))
			}
			if took := r.at.Sub(began); took > c.most {
				t.Errorf("the reader waited %s, want at most %s", took, c.most)
			}
		})
	}
}

// TestInvalidation_RotatesAheadOfTime: an account in use is rotated in the background also where its settings were written
// elsewhere since it was read.
func TestInvalidation_RotatesAheadOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newClusters(t, time.Hour)
		s.EveryMinute()
		s.token("app")
		advance(10 * time.Minute)
		s.elsewhere("config/gst", map[string]any{"ledger_retention": "24h"})
		advance(31 * time.Minute) // 66 % of an hour have passed
		s.wantLogins(2, "after the time of the rotation")
	})
}
