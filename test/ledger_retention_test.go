// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

const day = 24 * time.Hour

func TestLedgerRetention_AsConfigured(t *testing.T) {
	retentions := map[string]time.Duration{"0": 0, "default": 720 * time.Hour, "36h": 36 * time.Hour}
	eachWith(t, retentions, []bool{false, true}, func(t *testing.T, name string, keep time.Duration, gone bool) {
		advance(7 * time.Hour)
		var more []any
		if name != "default" {
			more = []any{"ledger_retention", name}
		}
		w := oauth().mounted(t, more...)
		data := w.read("token/app").Data
		id, end := text(t, data, "token_id"), moment(t, data, "expires_at")
		if gone {
			w.ledgerOf("gst")
			w.remove("config/gst")
		}
		advance(time.Until(end.Add(keep)))
		found := w.lookUp("token_id", id)
		check.True(t, len(w.ledgerOf("gst")) != 0 && found.State == "expired", "%s, want expired and in the ledger", found.State)
		advance(25 * time.Hour) // at most a day longer, and trimmed within the hour
		w.forgotten(id)
		check.Equal(t, describe(w.ledgerOf("gst")), "", "the ledger has")
		check.Equal(t, w.storedUnder("ledger/"), map[string]string{}, "left in storage")
		if gone {
			return
		}
		// What storage still has of the dead token does not bring it back.
		w.Reload()
		w.read("status/gst")
		w.forgotten(id)
		check.Equal(t, w.storedUnder("ledger/"), map[string]string{}, "back in storage")
	})
}

func TestLedgerRetention_ChangeHoldsForLaterTokens(t *testing.T) {
	changes := map[string][2]string{"shorter": {"240h", "0"}, "longer": {"0", "240h"}}
	eachNamed(t, changes, func(t *testing.T, name string, change [2]string) {
		w := oauth().mounted(t, "ledger_retention", change[0])
		w.read("token/app")
		w.ledgerOf("gst")
		w.loggingIn(0, func() { w.write("config/gst", map[string]any{"ledger_retention": change[1]}) })
		w.Reload()
		advance(time.Minute)
		w.write("rotate/gst", nil)
		w.wantReasons("first_read", "forced")
		advance(3 * day)
		kept := map[string]string{"shorter": "first_read", "longer": "forced"}[name]
		w.wantReasons(kept)
		advance(10 * day)
		check.Equal(t, describe(w.ledgerOf("gst")), "", "the ledger has")
	})
}

func TestLedgerRetention_TrimReadsOnlyExpired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := oauth().mounted(t, "ledger_retention", "240h")
		issued := 0
		for range 14 {
			for range 4 {
				w.write("rotate/gst", nil)
				issued++
				advance(time.Minute)
			}
			advance(day - 4*time.Minute)
		}
		kept := len(w.ledgerOf("gst"))
		check.True(t, kept < issued && kept >= 10*4, "%d of %d tokens are left", kept, issued)
		// In a day nothing but one day is read, and the days are listed once.
		counts := w.ledgerAccesses(func() { advance(day) })
		check.True(t, counts["list day"] == 3 && counts["get day"] == 1 && counts["delete day"] == 1 && counts["delete id"] == 4,
			"a day's trimming makes %v", counts)
		counts = w.ledgerAccesses(func() { advance(time.Until(time.Now().Truncate(day).Add(23 * time.Hour))) })
		check.True(t, len(counts) == 0, "with nothing to do, trimming makes %v", counts)
	})
}

func TestLedgerRetention_KeptThroughConfigDelete(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := oauth()
		w := f.mounted(t)
		first := text(t, w.read("token/app").Data, "token_id")
		w.ledgerOf("gst")
		w.remove("config/gst")
		w.Reload()
		found := w.lookUp("token_id", first)
		check.True(t, found.Config == "gst" && found.State == "superseded", "%s of %s", found.State, found.Config)
		check.Equal[any](t, w.list("ledger/").Data["keys"], []string{"gst"}, "the list")
		w.Simulator.SetAccount(jwtAccount())
		w.mount(jwtV1())
		w.read("token/app")
		w.wantReasons("first_read", "first_read")
		tokens := w.ledgerOf("gst")
		if tokens[0].ID == first {
			tokens[0], tokens[1] = tokens[1], tokens[0] // issued at one moment
		}
		check.True(t, tokens[0].State == "current" && tokens[1].State == "superseded" && tokens[1].ID == first, "%s", describe(tokens))
		w.write("revoke/gst", nil)
		check.Equal(t, w.lookUp("token_id", first).State, "revoked", "revoking the config's tokens makes that of the deleted one")
	})
}

func TestLedgerRetention_InList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := oauth().mounted(t, "ledger_retention", "48h")
		if resp, _ := w.do(t.Context(), logical.ListOperation, "ledger/", nil); resp != nil && resp.Data["keys"] != nil {
			t.Errorf("an empty list has %v", resp.Data)
		}
		w.read("token/app")
		w.ledgerOf("gst")
		resp := w.list("ledger/")
		var list struct {
			Keys []string `json:"keys"`
			Info map[string]struct {
				Until string `json:"remembered_until"`
			} `json:"key_info"`
		}
		recode(t, resp.Data, &list)
		want := time.Now().Add(49 * time.Hour).UTC().Format(time.DateOnly)
		check.True(t, slices.Equal(list.Keys, []string{"gst"}) && list.Info["gst"].Until == want, "the list is %v, want gst until %s", list, want)
		w.wantAbsent("ledger/nobody")
		w.wantAbsent("ledger/GST")
		w.badRequest(logical.ReadOperation, "ledger/gst", map[string]any{"config": "canary"}, "config")
		w.badRequest(logical.ListOperation, "ledger/", map[string]any{"name": "canary"}, "name")
	})
}

// The upstream has one token and renews it at its end. What is handed out is known to the ledger all the time.
func TestLedger_RenewedTokenIsRemembered(t *testing.T) {
	eachOf(t, []string{"0", "24h"}, func(t *testing.T, retention string) {
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
		check.Require(t, reads >= 300, "%d reads were served in eight days", reads)
		tokens := s.ledgerOf("gst")
		check.True(t, len(tokens) == 1, "ledger/ has the one token %d times", len(tokens))
		check.True(t, unknown == 0, "lookup does not know the token that readers are given, %d times of %d", unknown, reads)
	})
}

// TestLedgerRetention_CountsFromToldEnd has a token that the upstream takes for longer than max_token_ttl and ledger_retention.
func TestLedgerRetention_CountsFromToldEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, 365*24*time.Hour, "max_token_ttl", "24h", "ledger_retention", "24h")
		s.EveryMinute()
		first := s.token("app")
		advance(5 * 24 * time.Hour)
		s.lookUp("token_id", first.id)
	})
}
