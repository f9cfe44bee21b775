// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// dyingLedger makes the storage of the ledger fail from one access on, until it is healed; everything else goes on.
type dyingLedger struct {
	left atomic.Int64 // accesses to the ledger before it fails
	hits atomic.Int64 // accesses that failed
}

func (l *dyingLedger) dieAfter(accesses int) { l.left.Store(int64(accesses)) }

func (l *dyingLedger) heal() { l.left.Store(1 << 40) }

func (l *dyingLedger) fault(_ int, _, key string) mounttest.Fault {
	if strings.HasPrefix(key, "ledger/") && l.left.Add(-1) < 0 {
		l.hits.Add(1)
		return mounttest.Fault{Err: mounttest.ErrStorage()}
	}
	return mounttest.Fault{}
}

// onDyingLedger is mounted on such a storage.
func (f fixture) onDyingLedger(t *testing.T, more ...any) (*testMount, *dyingLedger) {
	t.Helper()
	l := new(dyingLedger)
	l.heal()
	w := newTestMount(t, f.account)
	w.Storage.SetFault(l.fault)
	w.mount(f, more...)
	return w, l
}

// heal are the ways in which a ledger that could not be written comes right.
func heal() map[string]func(*testMount) {
	return map[string]func(*testMount){
		"a minute later":    func(w *testMount) { w.minute() },
		"with a reload":     func(w *testMount) { w.Reload() },
		"with a crash":      func(w *testMount) { w.Stop(); w.Start() },
		"with another read": func(w *testMount) { w.Reload(); w.read("status/gst") },
	}
}

// A read, a rotation and a revocation, with the ledger's storage dying at each access.
func TestLedgerFault_NothingLostAtAnyAccess(t *testing.T) {
	t.Parallel()
	for how, mend := range heal() {
		for n := range 16 {
			timed(t, fmt.Sprintf("access %d, mended %s", n, how), func(t *testing.T) {
				w, storage := jwtV2().onDyingLedger(t)
				storage.dieAfter(n)
				var ids []string
				note := func() { ids = append(ids, text(t, w.read("token/app").Data, "token_id")) }
				w.loggingIn(1, note)
				advance(time.Minute)
				w.loggingIn(1, func() { w.write("rotate/gst", nil); note() })
				advance(time.Minute)
				revokedAt := time.Now()
				w.write("revoke/gst", map[string]any{"token_id": ids[0]})
				synctest.Wait()
				check.Require(t, storage.hits.Load() != 0 || n >= 12, "nothing failed")
				// Even now no lookup reports that the tokens are unknown, unless storage itself returns nothing.
				for _, id := range ids {
					r, refused := asRefusal(w.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": id}))
					check.True(t, !refused || strings.Contains(r.message, mounttest.ErrStorage().Error()), "lookup while the ledger is dead: %v", r)
				}
				advance(time.Minute)
				storage.heal()
				mend(w)
				tokens := w.ledgerOf("gst")
				check.Require(t, len(tokens) == 2 && tokens[0].ID == ids[1] && tokens[1].ID == ids[0], "%s, want %q", describe(tokens), ids)
				check.True(t, tokens[0].State == "current" && tokens[0].Reason == "forced" && tokens[1].Reason == "first_read",
					"the ledger has %s", describe(tokens))
				check.True(t, tokens[1].State == "revoked" && tokens[1].UsableUntil.Equal(revokedAt),
					"the revoked one is %s until %s, want revoked until %s", tokens[1].State, tokens[1].UsableUntil, revokedAt)
				// And the ledger itself knows, not only the memory.
				w.remove("config/gst")
				w.Reload()
				found := w.lookUp("token_id", ids[0])
				check.True(t, found.State == "revoked" && found.UsableUntil.Equal(revokedAt), "without the config: %s until %s", found.State, found.UsableUntil)
				check.Equal(t, w.lookUp("token_id", ids[1]).State, "superseded", "the state")
			})
		}
	}
}

func TestLedgerFault_InterruptedTrimResumes(t *testing.T) {
	t.Parallel()
	for _, reload := range []bool{false, true} {
		for n := range 24 {
			timed(t, fmt.Sprintf("access %d, reload %t", n, reload), func(t *testing.T) {
				w, storage := oauth().onDyingLedger(t, "ledger_retention", 0)
				for range 3 {
					w.write("rotate/gst", nil)
					advance(time.Minute)
				}
				w.write("config/gst", map[string]any{"ledger_retention": "480h"})
				w.write("rotate/gst", nil)
				last := text(t, w.read("token/app").Data, "token_id")
				w.write("config/gst", map[string]any{"paused": true})
				ids := w.ledgerOf("gst")
				check.Require(t, len(ids) == 4, "%d entries, want 4", len(ids))
				advance(time.Until(time.Now().Truncate(day).Add(day - time.Minute)))
				storage.dieAfter(n)
				advance(3 * time.Hour)
				check.Require(t, n >= 12 || storage.hits.Load() != 0, "nothing failed")
				storage.heal()
				w.reloadIf(reload)
				advance(2 * time.Hour)
				for _, token := range ids {
					if token.ID != last {
						w.forgotten(token.ID)
					}
				}
				tokens := w.ledgerOf("gst")
				check.True(t, len(tokens) == 1 && tokens[0].ID == last, "left are %s, want %s", describe(tokens), last)
				left := w.storedUnder("ledger/")
				check.True(t, len(left) == 3, "%d entries are left in storage, want 3", len(left))
			})
		}
	}
}

func TestLedgerFault_UnwritableFailsNoLogin(t *testing.T) {
	eachOf(t, []string{mounttest.Get, mounttest.Put}, func(t *testing.T, access string) {
		w, book := oauth().logged(t)
		w.Storage.Fail(access, "ledger/", mounttest.ErrStorage())
		first := w.read("token/app").Data
		counts := w.ledgerAccesses(func() {
			for range 30 {
				advance(11 * time.Second)
				w.write("rotate/gst", nil)
			}
			w.write("config/gst", map[string]any{"password": "another-of-oauth-clerk", "verify_connection": false})
		})
		check.True(t, counts[access+" id"]+counts[access+" day"]+counts[access+" config"] <= 2,
			"a broken ledger is tried again with each login: %v", counts)
		if access == mounttest.Put { // what the ledger does not know yet is known all the same
			found := w.lookUp("token_id", text(t, first, "token_id"))
			check.Equal(t, []string{found.Config, found.State, found.Reason}, []string{"gst", "superseded", "first_read"}, "found")
			check.Equal(t, len(w.ledgerOf("gst")), 31, "entries while the ledger cannot be written")
		}
		w.says(book.String(), "the ledger could not be written", mounttest.ErrStorage().Error(), text(t, first, "token_id"))
		for range 5 {
			counts := w.ledgerAccesses(w.minute)
			sum := counts["get id"] + counts["get config"] + counts["get day"] + writes(counts)
			check.True(t, sum != 0 && sum <= 5, "a minute's try makes %v", counts)
		}
		w.Storage.Heal()
		w.minute()
		check.Equal(t, len(w.ledgerOf("gst")), 31, "entries")
		n := strings.Count(book.String(), "the ledger could not be written")
		check.True(t, n >= 2 && n <= 10, "it was logged %d times", n)
	})
}

func TestLedgerFault_SlowBlocksNoReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newTestMount(t, jwtV2().account)
		w.Storage.On(mounttest.Put, "ledger/", mounttest.Fault{Hold: release})
		began := time.Now()
		w.write("config/gst", jwtV2().config)
		w.write("role/app", map[string]any{"config": "gst"})
		given := w.read("token/app").Data
		w.write("rotate/gst", nil)
		w.write("revoke/gst", nil)
		w.read("token/app")
		atMost(t, time.Since(began), time.Second, "it took")
		close(release)
		w.minute()
		tokens := w.ledgerOf("gst")
		check.Equal(t, len(tokens), 3, "the ledger has %s: tokens", describe(tokens))
		check.Equal(t, w.lookUp("token_id", text(t, given, "token_id")).State, "revoked", "state of the first")
	})
}

func TestLedgerFault_RevocationBeforeItsEntryKept(t *testing.T) {
	mountTest(t, jwtV2(), func(t *testing.T, w *testMount) {
		w.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		given := w.read("token/app").Data
		id := text(t, given, "token_id")
		advance(time.Minute)
		w.write("revoke/gst", map[string]any{"token_id": id})
		revokedAt := time.Now()
		check.Equal(t, w.lookUp("token_id", id).State, "revoked", "the token before its config is deleted")
		w.remove("config/gst")
		check.Equal(t, w.lookUp("token_id", id).State, "revoked", "the token")
		w.Storage.Heal()
		advance(time.Minute)
		w.minute()
		found := w.lookUp("token_id", id)
		check.True(t, found.State == "revoked" && found.UsableUntil.Equal(revokedAt), "%s until %s", found.State, found.UsableUntil)
		keys := w.storedUnder("ledger/id/")
		check.True(t, len(keys) == 1 && keys["ledger/id/"+id] != "", "the ledger has %d tokens", len(keys))
	})
}

// A write of the ledger that was given up and made again lands late, and takes nothing away.
func TestLedger_WriteThatLandsAfterItWasGivenUp(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		page := ""
		s.token("app")
		advance(time.Second)
		for key := range s.storedUnder("ledger/day/") {
			page = key
		}
		check.Require(t, page != "", "the ledger has no page")
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
			found := slices.ContainsFunc(s.ledgerOf("gst"), func(token remembered) bool { return token.ID == id })
			check.True(t, found, "the %s token is not in ledger/gst any more", name)
			_, err := s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": id})
			check.True(t, err == nil, "lookup of the %s token: %v", name, err)
		}
	})
}

// The ledger takes no writes. What ledger/<config> shows from memory, the list names.
func TestLedger_ListHasConfigsNotYetStored(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		s.token("app")
		tokens, _ := s.read("ledger/gst").Data["tokens"].([]any)
		check.Require(t, len(tokens) == 1, "ledger/gst has %d tokens, want 1", len(tokens))
		check.Equal[any](t, s.list("ledger/").Data["keys"], []string{"gst"}, "the list")
	})
}

// docs/reference.md: "A record is kept for ledger_retention after the token expires … A change of ledger_retention applies to new
// tokens." The ledger takes no writes when the token is issued, the retention is lowered, and the token is revoked.
func TestLedgerRetention_OfTokenIssuedBefore(t *testing.T) {
	eachNamed(t, map[string]bool{"ledger takes writes": false, "ledger takes none": true}, func(t *testing.T, _ string, failing bool) {
		s := gstMount(t, time.Hour)
		s.EveryMinute()
		if failing {
			s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		}
		a := s.token("app")
		advance(time.Second)
		s.write("config/gst", map[string]any{"ledger_retention": "0s"})
		s.revoke(a.id)
		s.Storage.Heal()
		advance(5 * time.Minute)
		found := s.lookUp("token_id", a.id)
		check.Equal(t, found.State, "revoked", "state")
		advance(3 * 24 * time.Hour)
		_, refused := asRefusal(s.do(t.Context(), logical.UpdateOperation, "lookup", map[string]any{"token_id": a.id}))
		check.True(t, !refused, "a token that was issued with a ledger_retention of 720h is forgotten after three days")
	})
}

// in_use of a token that nobody has read since a restart.
func TestLedgerFault_ListHasUnsent(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.EveryMinute()
		s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		s.token("app")
		advance(time.Second)
		s.remove("config/gst")
		facts := s.listed("ledger/", "gst")
		check.True(t, facts["remembered_until"] != "", "ledger/gst has tokens, and the list says that they are remembered until %q", facts["remembered_until"])
	})
}

// The last token is forgotten before those that the ledger has.
func TestLedgerFault_ListKeepsLaterEndOfStored(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		synctest.Wait() // for the ledger
		until := s.listed("ledger/", "gst")["remembered_until"]
		s.write("config/gst", map[string]any{"ledger_retention": "24h"})
		s.Storage.Fail(mounttest.Put, "ledger/", mounttest.ErrStorage())
		s.mustRotate()
		check.Equal(t, s.listed("ledger/", "gst")["remembered_until"], until, "remembered until")
	})
}

// Storage never gives what is read to note a token. That is given up, and tried again with the next sweep.
func TestLedgerFault_ReadThatHangsIsGivenUp(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.Storage.On(mounttest.Get, "ledger/", mounttest.Fault{Hold: make(chan struct{})})
		s.token("app")
		advance(time.Minute)
		s.Storage.Heal()
		s.minute()
		check.True(t, len(s.storedUnder("ledger/")) > 0, "the ledger has no token a minute later")
	})
}
