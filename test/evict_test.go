// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyAccounts_UnusedAreEvicted: accounts that were read once cost no memory later. Memory follows the accounts in use.
func TestManyAccounts_UnusedAreEvicted(t *testing.T) { //nolint:paralleltest // it measures memory
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
		// The storage of this test is in memory too, with what the ledger has of each account's newest token.
		if left > 3072 {
			t.Errorf("%.0f bytes an account that was not read for half an hour, want at most 3072", left)
		}
		runtime.KeepAlive(s)
	})
}
