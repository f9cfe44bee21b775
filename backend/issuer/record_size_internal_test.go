// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// TestRecord_FitsStorageThoughTheLedgerIsDamaged: for two months a damaged page of the ledger takes nothing of what it is told.
// One entry of Vault's storage holds 1 MiB, and a record that it does not take ends all logins.
func TestRecord_FitsStorageThoughTheLedgerIsDamaged(t *testing.T) {
	t.Parallel()
	now := Reading{Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	account := &transition{State: State{Known: known, Generation: "one"}}
	last := ""
	for n := range 60 * 24 * 6 { // one login every ten minutes
		token := newToken(&upstream.Token{
			AccessToken: fmt.Sprint("token-", n), IssuedAt: now.Wall, ExpiresAt: now.Wall.Add(15 * time.Minute),
		}, now, "one", ReasonRotation)
		account.tell(token, 720*time.Hour)
		now.Wall, now.Elapsed = now.Wall.Add(10*time.Minute), now.Elapsed+10*time.Minute
		last = token.ID
	}
	record := account.record(Env{Reading: now})
	raw, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 1<<20 {
		t.Errorf("the record has grown to %d bytes", len(raw))
	}
	if n := len(record.Outbox); n == 0 || record.Outbox[n-1].ID != last {
		t.Errorf("of %d entries the last is not that of the last token", n)
	}
}
