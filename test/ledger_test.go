// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-mastersindia/backend/ledger"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestLedger_ConcurrentUse is for the race detector, and checks that in the end every token that was given out is known.
func TestLedger_ConcurrentUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := jwtV2()
		w := f.mounted(t, "ledger_retention", "24h")
		for n := range 8 {
			w.write(fmt.Sprintf("config/c%d", n), with(f.config, "verify_connection", false, "ledger_retention", n*3600))
			w.write(fmt.Sprintf("role/r%d", n), map[string]any{"config": fmt.Sprintf("c%d", n)})
		}
		given := map[string]bool{}
		for round := range 6 {
			var group errgroup.Group
			ids := make([]string, 8)
			for n := range 8 {
				config, role := fmt.Sprintf("c%d", n), fmt.Sprintf("r%d", n)
				ask := func(op logical.Operation, path string, data map[string]any) {
					group.Go(func() error {
						if r, refused := asRefusal(w.do(t.Context(), op, path, data)); refused && r.status != 404 {
							return fmt.Errorf("%s %s: %v", op, path, r)
						}
						return nil
					})
				}
				group.Go(func() error {
					resp, err := w.do(t.Context(), logical.ReadOperation, "token/"+role, nil)
					if r, refused := asRefusal(resp, err); refused {
						return fmt.Errorf("token/%s: %v", role, r)
					}
					ids[n], _ = resp.Data["token_id"].(string)
					resp, err = w.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": ids[n]})
					if r, refused := asRefusal(resp, err); refused {
						return fmt.Errorf("lookup of a token that was just given out: %v", r)
					}
					return nil
				})
				ask(logical.UpdateOperation, "rotate/"+config, nil)
				ask(logical.ReadOperation, "ledger/"+config, nil)
				ask(logical.ListOperation, "ledger/", nil)
				if n%2 == 0 {
					ask(logical.UpdateOperation, "revoke/"+config, nil)
				}
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			for _, id := range ids {
				given[id] = true
			}
			for id := range given {
				w.lookUp("token_id", id)
			}
			advance(time.Duration(round) * 11 * time.Second)
		}
		w.Reload()
		for id := range given {
			w.lookUp("token_id", id)
		}
		for n := range 8 {
			w.remove(fmt.Sprintf("config/c%d", n))
		}
		advance(4 * day)
		left := w.storedUnder("ledger/")
		check.True(t, len(left) == 0, "%d entries are left after all are due", len(left))
	})
}

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
