// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"go.uber.org/goleak"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// manyAccounts is as many configs and roles as one mount must carry.
const manyAccounts = 10_000

// copyAccount copies the raw entries of config gst, its role and its token record to many names.
func (s *testMount) copyAccount(n int, record func(raw []byte, name string) []byte) {
	s.t.Helper()
	copyEntry := func(from, to string, change func([]byte) []byte) {
		entry, err := s.Storage.Entries.Get(s.t.Context(), from)
		check.Require(s.t, err == nil && entry != nil, "get %s: %v, %v", from, entry, err)
		value := change(append([]byte(nil), entry.Value...))
		check.NoError(s.t, s.Storage.Entries.Put(s.t.Context(), &logical.StorageEntry{Key: to, Value: value}))
	}
	same := func(raw []byte) []byte { return raw }
	for k := range n {
		name := fmt.Sprintf("c%05d", k)
		copyEntry("config/gst", "config/"+name, same)
		copyEntry("role/app", "role/r"+name, func(raw []byte) []byte {
			return []byte(strings.Replace(string(raw), `"gst"`, `"`+name+`"`, 1))
		})
		if record != nil {
			copyEntry("token/gst", "token/"+name, func(raw []byte) []byte { return record(raw, name) })
		}
	}
}

// long ago moves all times of a record ten days into the past: its token has expired.
func longAgo(raw []byte, _ string) []byte {
	var record map[string]any
	if err := json.Unmarshal(raw, &record); err != nil {
		return raw
	}
	if token, ok := record["current"].(map[string]any); ok {
		for _, field := range []string{"issued_at", "expires_at"} {
			at, err := time.Parse(time.RFC3339, fmt.Sprint(token[field]))
			if err != nil {
				continue
			}
			token[field] = at.Add(-240 * time.Hour).Format(time.RFC3339)
		}
	}
	record["outbox"] = []any{} // the ledger was written long ago
	changed, err := json.Marshal(record)
	if err != nil {
		return raw
	}
	return changed
}

// leastGrowth repeats a round of work, five times at most and until the heap grows by no more than enough bytes in one of them,
// and returns by how much it grew in the best. The runtime keeps what it makes for goroutines, of which there are more at a time
// in one round than in another on a busy machine. What the engine keeps would come on top in each round.
func leastGrowth(enough int64, work func(round int)) int64 {
	least := int64(math.MaxInt64)
	for round := 0; round < 5 && least > enough; round++ {
		before := heap()
		work(round)
		least = min(least, int64(heap())-int64(before)) //nolint:gosec // fits, or the machine is out of memory
	}
	return least
}

// TestManyAccounts_TenThousandInOneMount runs by the host's own clock, alone: what it measures is time and memory.
func TestManyAccounts_TenThousandInOneMount(t *testing.T) { //nolint:paralleltest // it measures memory
	for name, record := range map[string]func([]byte, string) []byte{"never read": nil, "read long ago": longAgo} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			t.Run("mount", func(t *testing.T) { tenThousand(t, record) })
		})
	}
}

func tenThousand(t *testing.T, record func([]byte, string) []byte) {
	t.Helper()
	s := gstMount(t, time.Hour)
	s.token("app")
	s.copyAccount(manyAccounts, record)
	before := heap()

	began := time.Now()
	s.Reload()
	first := s.token("rc05000")
	ready := time.Since(began)
	settled := s.settle()
	s.forgetRecords()
	idle := heap()
	perAccount := (float64(idle) - float64(before)) / manyAccounts
	t.Logf("ready in %s, all of storage seen after %s, %.0f bytes an idle account", ready, settled, perAccount)
	check.True(t, ready <= 10*time.Second, "the first token took %s: it must not wait for all %d accounts", ready, manyAccounts)
	check.True(t, perAccount <= 2048, "%.0f bytes an idle account, want at most 2048", perAccount)
	check.True(t, first.config == "c05000", "the token is of config %s", first.config)
	for _, prefix := range []string{"config/", "role/", "status/"} {
		began := time.Now()
		resp := s.list(prefix)
		keys, _ := resp.Data["keys"].([]string)
		info, _ := resp.Data["key_info"].(map[string]any)
		t.Logf("list %s: %d keys, %d with facts, in %s", prefix, len(keys), len(info), time.Since(began))
		check.True(t, len(keys) >= manyAccounts+1 && len(info) == len(keys), "list %s has %d keys and facts of %d, want %d of both",
			prefix, len(keys), len(info), manyAccounts+1)
	}
	// The quickest of several: the machine may be busy with other things, but it is not so all the time.
	periodic := time.Hour
	for range 10 {
		began := time.Now()
		s.Periodic()
		periodic = min(periodic, time.Since(began))
	}
	t.Logf("the periodic work took %s", periodic)
	check.True(t, periodic <= 100*time.Millisecond, "the periodic work, which runs under Vault's lock, took %s", periodic)
	s.forgetRecords()
	listed := (float64(heap()) - float64(before)) / manyAccounts
	t.Logf("%.0f bytes an idle account after the lists", listed)
	check.True(t, listed <= 2048, "%.0f bytes an idle account after the lists, want at most 2048", listed)
	atMost(t, s.logins(), 2, "logins")
	runtime.KeepAlive(s)
}

// settle waits until the engine has left storage alone for a while, and returns when it last touched it.
func (s *testMount) settle() time.Duration {
	began := time.Now()
	last, seen := time.Now(), s.Storage.Count()
	for time.Since(last) < 200*time.Millisecond && time.Since(began) < 30*time.Second {
		time.Sleep(5 * time.Millisecond) // of the host: this test is in no bubble
		if now := s.Storage.Count(); now != seen {
			last, seen = time.Now(), now
		}
	}
	return last.Sub(began)
}

// forgetRecords drops what the harness has recorded, which is not to be measured.
func (s *testMount) forgetRecords() {
	s.Upstream.Reset()
	s.Storage.Reset()
}

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
		check.True(t, left <= inUse/2, "%.0f bytes an account that is not read, want at most half of one in use: %.0f", left, inUse)
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
