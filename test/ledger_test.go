// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/ledger"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestLedger_SizeAndReadsOfAMonth fills a month of hourly tokens that are rotated at 66 %, and measures. No account's figures
// depend on how many others there are, but for the lists, whose length is said.
func TestLedger_SizeAndReadsOfAMonth(t *testing.T) {
	const accounts, days, logins, keep = 4, 30, 36, 30 * day
	bubble(t, func(t *testing.T) {
		startIn(t, 2026)
		w := oauth().mounted(t)
		id := text(t, w.read("token/app").Data, "token_id")
		began := time.Now().UTC()
		l := ledger.New(w.Storage.Entries)
		var last string
		for account := range accounts {
			for n := range days * logins {
				at := began.Add(-days * day).Add(time.Duration(n) * day / logins)
				last = tokenID(fmt.Sprintf("invented-%d-%d", account, n))
				e := ledger.Entry{TokenID: last, IssuedAt: at, ExpiresAt: at.Add(time.Hour), Reason: "rotation"}
				check.NoError(t, l.Note(t.Context(), fmt.Sprintf("account-%04d", account), e, keep, at))
			}
		}
		bytes := 0
		for key, value := range w.storedUnder("ledger/") {
			bytes += len(key) + len(value)
		}
		check.True(t, bytes/(accounts*days*logins) <= 256, "%d bytes a token, want at most 256", bytes/(accounts*days*logins))
		reads := func(f func()) int {
			synctest.Wait()
			before := len(w.Storage.Accesses())
			f()
			synctest.Wait()
			return len(w.Storage.Accesses()) - before
		}
		check.Equal(t, reads(func() { w.lookUp("token_id", id) }), 2, "entries that a lookup reads")
		check.Equal(t, len(w.ledgerOf("account-0001")), days*logins, "tokens of an account")
		trimmed := ledger.New(w.Request(logical.ReadOperation, "", nil).Storage)
		for _, what := range []struct {
			name string
			at   time.Time
			most int
		}{
			{"the first trim of a day with nothing due", began, 1},
			{"the next trim of that day", began.Add(time.Hour), 0},
			{"a trim with one day due", began.Add(day), 2 + accounts*(5+2*logins)},
		} {
			n := reads(func() {
				_, err := trimmed.Trim(t.Context(), what.at)
				check.NoError(t, err)
			})
			check.True(t, n <= what.most, "%s: %d storage operations, want at most %d", what.name, n, what.most)
		}
		check.True(t, w.lookUp("token_id", last).ID == last, "the newest token was forgotten")
		w.list("ledger/")
	})
}
