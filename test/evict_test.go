// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// Accounts that were read once cost no memory later. Memory follows the accounts in use.
func TestEvict_UnusedAccountsLeaveMemory(t *testing.T) { //nolint:paralleltest // it measures memory
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, 15*time.Minute)
		s.token("app")
		const read = 200
		s.copyAccount(read, nil)
		readAll := func() {
			for n := range read {
				s.token(fmt.Sprintf("rc%05d", n))
			}
		}
		rest := func() {
			for range 40 {
				advance(time.Minute)
				s.Periodic()
			}
			synctest.Wait()
			s.forgetRecords()
		}
		readAll() // now storage has all that it will have
		rest()
		s.Reload()
		rest()
		before := heap()
		readAll()
		inUse := (float64(heap()) - float64(before)) / read
		rest()
		left := (float64(heap()) - float64(before)) / read
		t.Logf("%.0f bytes an account in use, %.0f bytes one that is not any more", inUse, left)
		// The storage of this test is in memory too, with what the ledger has of each account's newest token: 3,000 bytes of 9,500.
		check.True(t, left <= inUse/2,
			"%.0f bytes an account that was not read for half an hour, want at most half of one in use: %.0f", left, inUse)
		runtime.KeepAlive(s)
	})
}

func TestEvict_MissingNamesAreNotKept(t *testing.T) { //nolint:paralleltest // it measures memory
	synctest.Test(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.token("app")
		const many = 3000
		ask := func(prefix string) {
			for n := range many {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				name := fmt.Sprintf("%s%05d%s", prefix, n, strings.Repeat("x", 100))
				req := s.Request(logical.ReadOperation, "status/"+name, nil)
				if n%2 == 1 {
					req = s.Request(logical.UpdateOperation, "rotate/"+name, nil)
				}
				go func() {
					defer cancel()
					_, _ = s.Backend().HandleRequest(ctx, req)
				}()
			}
			advance(time.Minute)
			for range 3 {
				s.minute()
				advance(time.Minute)
			}
		}
		s.Storage.Slow(mounttest.Get, "config/", time.Second)
		ask("warm-up-")
		s.Storage.Reset() // what the test remembers of accesses is not the engine's
		least := leastGrowth(150*many, func(round int) {
			ask(fmt.Sprint("missing-", round, "-"))
			s.Storage.Reset()
		})
		each := least / many
		check.True(t, each <= 150, "at least %d bytes stay for each name that does not exist, want next to none", each)
		runtime.KeepAlive(s)
	})
}
