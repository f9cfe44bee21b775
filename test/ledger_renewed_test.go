// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestLedger_RenewedTokenIsRemembered: the upstream has one token and renews it at its end. What is handed out is known to the
// ledger all the time.
func TestLedger_RenewedTokenIsRemembered(t *testing.T) {
	t.Parallel()
	for _, retention := range []string{"0", "24h"} {
		timed(t, "retention "+retention, func(t *testing.T) {
			s := gstMount(t, time.Hour, "ledger_retention", retention)
			s.loginsReturn(`{"token":"the-one-token-of-all","expires_in":72000}`)
			s.EveryMinute()
			unknown, reads := 0, 0
			for end := time.Now().Add(8 * 24 * time.Hour); time.Now().Before(end); advance(30 * time.Minute) {
				a, err := s.ask(t.Context(), "app", nil)
				if err != nil {
					continue // for some seconds at each end
				}
				reads++
				if _, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": a.id}); err != nil {
					unknown++
				}
			}
			if reads < 300 {
				t.Fatalf("%d reads were served in eight days", reads)
			}
			if tokens := s.ledgerOf("gst"); len(tokens) != 1 {
				t.Errorf("ledger/ has the one token %d times", len(tokens))
			}
			if unknown > 0 {
				t.Errorf("lookup does not know the token that readers are given, %d times of %d", unknown, reads)
			}
		})
	}
}

// TestLookup_RenewedTokenOfADeletedConfigIsNotDead: the upstream has renewed the token, and then the config was deleted.
func TestLookup_RenewedTokenOfADeletedConfigIsNotDead(t *testing.T) {
	t.Parallel()
	timed(t, "lookup", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.loginsReturn(`{"token":"the-one-token-of-all","expires_in":3600}`)
		s.EveryMinute()
		a := s.token("app")
		advance(65 * time.Minute)
		again := s.token("app")
		if again.id != a.id || again.left < 30*time.Minute {
			t.Fatalf("token %s with %s left: it was not renewed", again.id, again.left)
		}
		s.remove("config/gst")
		advance(time.Minute)
		found := s.lookUp("token_id", a.id)
		if found.State == "expired" || strings.Contains(found.Advice, "it is dead") {
			t.Errorf("a token that readers were told to be good for another %s is said to be %s: %s", again.left, found.State, found.Advice)
		}
	})
}
