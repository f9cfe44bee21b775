// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/ledger"
)

// TestLedger_SizeAndReadsOfAMonth fills a month of hourly tokens that are rotated at 66 %, and measures. No account's figures
// depend on how many others there are, but for the lists, whose length is said.
func TestLedger_SizeAndReadsOfAMonth(t *testing.T) {
	const (
		accounts, days, logins = 4, 30, 36
		life                   = time.Hour
		keep                   = 30 * day
	)
	bubble(t, func(t *testing.T) {
		startIn(t, 2026)
		w := oauth().mounted(t)
		id := text(t, w.read("token/app").Data, "token_id")
		advance(time.Minute)
		noted := w.ledgerAccesses(func() { w.write("rotate/gst", nil) })
		t.Logf("a login makes %v", noted)

		began := time.Now().UTC()
		l := ledger.New(w.Storage.Entries)
		cpu := realTime()
		var last string
		for account := range accounts {
			for n := range days * logins {
				at := began.Add(-days * day).Add(time.Duration(n) * day / logins)
				last = tokenID(fmt.Sprintf("invented-%d-%d", account, n))
				e := ledger.Entry{TokenID: last, IssuedAt: at, ExpiresAt: at.Add(life), Reason: "rotation"}
				noError(t, l.Note(t.Context(), fmt.Sprintf("account-%04d", account), e, keep, at))
			}
		}
		took := realTime() - cpu
		t.Logf("noting one token takes %s in memory", took/(accounts*days*logins))
		bytes, entries := map[string]int{}, map[string]int{}
		for key, value := range w.storedUnder("ledger/") {
			for _, part := range []string{"day", "id", "config"} {
				if len(key) > 7+len(part) && key[7:7+len(part)] == part {
					bytes[part] += len(key) + len(value)
					entries[part]++
				}
			}
		}
		all := bytes["day"] + bytes["id"] + bytes["config"]
		t.Logf("%d accounts, %d days, %d logins a day: %d bytes a token, %d KiB and %d entries an account; bytes %v, entries %v",
			accounts, days, logins, all/(accounts*days*logins), all/accounts/1024,
			(entries["day"]+entries["id"]+entries["config"])/accounts, bytes, entries)

		reads := func(f func()) int {
			synctest.Wait()
			before := len(w.Storage.Accesses())
			f()
			synctest.Wait()
			return len(w.Storage.Accesses()) - before
		}
		perToken := all / (accounts * days * logins)
		check(t, perToken <= 256, "%d bytes a token, want at most 256", perToken)
		warm := reads(func() { w.lookUp("token_id", id) })
		t.Logf("a lookup reads %d entries where the account is in memory", warm)
		check(t, warm == 2, "a lookup reads %d entries, want 2", warm)
		t.Logf("a lookup reads %d entries where the config is gone", reads(func() { w.lookUp("token_id", last) }))
		w.write("config/cold", with(oauth().config, "verify_connection", false))
		w.write("role/cold", map[string]any{"config": "cold"})
		cold := w.read("token/cold").Data["token_id"]
		synctest.Wait() // the ledger is written
		w.Stop()
		advance(2 * time.Hour)
		w.Start()
		t.Logf("a lookup reads %d entries where the account is not in memory", reads(func() {
			w.write("lookup", map[string]any{"token_id": cold})
		}))
		cpu = realTime()
		const asked = 20
		var tokens int
		ledgerReads := reads(func() {
			for range asked {
				tokens = len(w.ledgerOf("account-0001"))
			}
		})
		t.Logf("ledger/<config> of %d tokens reads %d entries and takes %s in memory", tokens, ledgerReads/asked,
			(realTime()-cpu)/asked)
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
			var forgotten int
			n := reads(func() {
				var err error
				if forgotten, err = trimmed.Trim(t.Context(), what.at); err != nil {
					t.Error(err)
				}
			})
			t.Logf("%s: %d storage operations, %d tokens forgotten", what.name, n, forgotten)
			check(t, n <= what.most, "%s: %d storage operations, want at most %d", what.name, n, what.most)
		}
		check(t, w.lookUp("token_id", last).ID == last, "the newest token was forgotten")
		w.list("ledger/")
	})
}

// realTime is the time of the host, which no bubble controls.
func realTime() time.Duration {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
