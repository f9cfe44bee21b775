// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestLedger_WriteThatLandsAfterItWasGivenUp: a write of the ledger hangs, is given up and made again, and lands after all when
// the ledger has learnt of another token. It takes nothing away.
func TestLedger_WriteThatLandsAfterItWasGivenUp(t *testing.T) {
	t.Parallel()
	timed(t, "the page", func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		page := ""
		s.token("app")
		advance(time.Second)
		for key := range s.storedUnder("ledger/day/") {
			page = key
		}
		if page == "" {
			t.Fatal("the ledger has no page")
		}
		caught, release := s.Storage.HoldNextPut(page)
		advance(11 * time.Second)
		second := s.mustRotate()["token_id"].(string)
		s.waitUntil("the write of the page", func() bool { return closed(caught) })
		advance(3 * time.Minute) // it is given up, and made again
		s.lookUp("token_id", second)
		third := s.mustRotate()["token_id"].(string)
		advance(3 * time.Minute)
		s.lookUp("token_id", third)
		release()
		advance(3 * time.Minute)
		for name, id := range map[string]string{"second": second, "third": third} {
			found := false
			for _, token := range s.ledgerOf("gst") {
				found = found || token.ID == id
			}
			if !found {
				t.Errorf("the %s token is not in ledger/gst any more", name)
			}
			if _, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": id}); err != nil {
				t.Errorf("lookup of the %s token: %v", name, err)
			}
		}
	})
}
