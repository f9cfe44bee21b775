// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"encoding/json"
	"fmt"
	"strings"
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
		token := NewToken(&upstream.Token{
			AccessToken: fmt.Sprint("token-", n), IssuedAt: now.Wall, ExpiresAt: now.Wall.Add(15 * time.Minute),
		}, now, "one", ReasonRotation)
		account.addToOutbox(token, 720*time.Hour)
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

// TestRecord_FitsStorageWhenManyTokensAreRevoked: a script has rotated for hours, and the ledger takes nothing. The revocation of
// all these tokens fits all the same: otherwise a restart would bring them back.
func TestRecord_FitsStorageWhenManyTokensAreRevoked(t *testing.T) {
	t.Parallel()
	const generation = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	now := Reading{Wall: time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.UTC)}
	s := State{Known: known, Generation: generation, Account: &Account{Generation: generation, Upstream: upstream.Account{
		Protocol: upstream.JWT, RefreshURL: "https://upstream.test/refresh/",
	}}}
	for _, size := range []int{200, 1000} {
		for n := range 3 * maxSuperseded {
			token := NewToken(&upstream.Token{
				AccessToken: fmt.Sprint("token-", size, n), RefreshToken: strings.Repeat("r", size), IssuedAt: now.Wall,
				ExpiresAt: now.Wall.Add(24 * time.Hour), RefreshExpiresAt: now.Wall.Add(48 * time.Hour),
			}, now, generation, ReasonVerification)
			account := &transition{State: s, env: Env{Reading: now}}
			account.addToOutbox(token, 720*time.Hour)
			account.State = account.accepted(token, account.env)
			s = account.State
			now.Wall, now.Elapsed = now.Wall.Add(10*time.Second), now.Elapsed+10*time.Second
		}
		revoked, _ := s.Apply(Env{Reading: now}, Revoke{})
		raw, err := json.Marshal(revoked.record(Env{Reading: now}))
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 1<<20 {
			t.Errorf("with refresh tokens of %d bytes the record has grown to %d bytes", size, len(raw))
		}
		told := 0
		for _, o := range revoked.Outbox {
			if o.Token.revocation != "" {
				told++
			}
		}
		if want := len(revoked.Superseded); told < want || want < 200 {
			t.Errorf("with refresh tokens of %d bytes the outbox has %d of %d revocations", size, told, want)
		}
	}
}
