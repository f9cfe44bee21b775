// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/ledger"
	"vault-plugin-secrets-mastersindia/internal/check"
)

const (
	day  = 24 * time.Hour
	keep = 2 * day
)

// began is the noon at which tests begin.
func began() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// entry is the n-th token of a config, issued n seconds after the beginning.
func entry(config string, n int) ledger.Entry {
	at := began().Add(time.Duration(n) * time.Second)
	return ledger.Entry{TokenID: fmt.Sprintf("%s-%d", config, n), IssuedAt: at, ExpiresAt: at.Add(time.Hour), Reason: "rotation"}
}

func note(t *testing.T, l *ledger.Ledger, e ledger.Entry, keep time.Duration, now time.Time) {
	t.Helper()
	check.NoError(t, l.Note(t.Context(), "gst", e, keep, now))
}

func fill(t *testing.T, l *ledger.Ledger, from, to int, keep time.Duration) {
	t.Helper()
	for n := from; n < to; n++ {
		note(t, l, entry("gst", n), keep, began())
	}
}

// wantNewest checks that the newest 200 tokens of config gst are shown; last is the number of the newest.
func wantNewest(t *testing.T, l *ledger.Ledger, last int) {
	t.Helper()
	const most = 200
	entries, more, err := l.Of(t.Context(), "gst", most)
	check.Require(t, err == nil && more && len(entries) == most, "%d entries, more %t, %v", len(entries), more, err)
	for n, e := range entries {
		check.RequireEqual(t, e.TokenID, entry("gst", last-n).TokenID, "entry %d", n)
	}
}

func keys(t *testing.T, view logical.Storage) []string {
	t.Helper()
	all := check.Value(logical.CollectKeys(t.Context(), view))(t)
	slices.Sort(all)
	return all
}

// oneFault is storage of which one write fails.
type oneFault struct {
	logical.Storage

	prefix string // of the next write that fails; "" for none
}

func (s *oneFault) Put(ctx context.Context, e *logical.StorageEntry) error {
	if s.prefix != "" && strings.HasPrefix(e.Key, s.prefix) {
		s.prefix = ""
		return errors.New("no space left")
	}
	return s.Storage.Put(ctx, e)
}

func TestLedger_FullPageContinues(t *testing.T) {
	t.Parallel()
	view := &logical.InmemStorage{}
	fill(t, ledger.New(view), 0, 257, keep)
	want := []string{"ledger/config/gst", "ledger/day/2026-03-03/gst/1", "ledger/day/2026-03-03/gst/2", "ledger/day/2026-03-03/gst/3"}
	check.Equal(t, keys(t, view)[:4], want, "entries")
}

func TestNote_OnceAfterInterruptedWrite(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 127, 128} {
		for _, prefix := range []string{"ledger/config/", "ledger/day/", "ledger/id/"} {
			t.Run(fmt.Sprintf("%s after %d tokens", prefix, before), func(t *testing.T) {
				t.Parallel()
				view := &oneFault{Storage: &logical.InmemStorage{}}
				l := ledger.New(view)
				fill(t, l, 0, before, keep)
				view.prefix = prefix
				last := entry("gst", before)
				err := l.Note(t.Context(), "gst", last, keep, began())
				check.Require(t, err != nil || view.prefix != "", "the fault was swallowed")
				view.prefix = ""
				for range 2 {
					note(t, l, last, keep, began())
				}
				entries, more, err := l.Of(t.Context(), "gst", 1000)
				check.True(t, err == nil && !more && len(entries) == before+1 && entries[0].TokenID == last.TokenID,
					"%d entries, want %d: %v", len(entries), before+1, err)
			})
		}
	}
}

func TestLedger_NewestShownOfTooMany(t *testing.T) {
	t.Parallel()
	l := ledger.New(&logical.InmemStorage{})
	fill(t, l, 0, 150, 9*day)
	fill(t, l, 150, 300, 8*day)
	wantNewest(t, l, 299)
	fill(t, l, 300, 310, keep) // ledger_retention was lowered
	wantNewest(t, l, 309)
}

func TestLedger_LastTokenOfSecondFirst(t *testing.T) {
	t.Parallel()
	l := ledger.New(&logical.InmemStorage{})
	var want []string
	for n := range 300 {
		e := entry("gst", n)
		e.IssuedAt = began()
		note(t, l, e, keep, began())
		want = append([]string{e.TokenID}, want...)
	}
	entries, _, err := l.Of(t.Context(), "gst", 1000)
	check.NoError(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.TokenID)
	}
	check.Equal(t, got, want, "tokens")
}

func TestNote_OverRetentionNotWritten(t *testing.T) {
	t.Parallel()
	view := &logical.InmemStorage{}
	l := ledger.New(view)
	for _, late := range []time.Duration{keep + 13*time.Hour, 40 * day} {
		note(t, l, entry("gst", 0), keep, began().Add(late))
	}
	check.Equal(t, len(keys(t, view)), 0, "entries")
}

func TestLedger_WithoutStorage(t *testing.T) {
	t.Parallel()
	l := ledger.New(nil)
	_, findErr := l.Find(t.Context(), "x")
	_, _, ofErr := l.Of(t.Context(), "gst", 1)
	_, configsErr := l.Configs(t.Context())
	_, trimErr := l.Trim(t.Context(), began())
	for n, err := range []error{findErr, ofErr, configsErr, trimErr, l.Note(t.Context(), "gst", entry("gst", 0), keep, began())} {
		check.True(t, err != nil, "call %d: no error", n)
	}
}

// TestLedger_ConcurrentNotesAndTrims is for the race detector: many configs share tokens, while days end.
func TestLedger_ConcurrentNotesAndTrims(t *testing.T) {
	t.Parallel()
	view := &logical.InmemStorage{}
	l := ledger.New(view)
	var group sync.WaitGroup
	for c := range 6 {
		group.Go(func() {
			for n := range 60 {
				e := entry("shared", n)
				e.ExpiresAt = e.ExpiresAt.Add(time.Duration(n%3) * day)
				if n%2 == 0 {
					e.RevokedAt, e.Upstream = e.IssuedAt, "killed"
				}
				err := l.Note(t.Context(), fmt.Sprintf("config-%d", c), e, 0, began())
				check.True(t, err == nil, "note: %v", err)
			}
		})
	}
	group.Go(func() {
		for n := range 3 {
			_, err := l.Trim(t.Context(), began().Add(time.Duration(n)*day))
			check.True(t, err == nil, "trim: %v", err)
		}
	})
	group.Wait()
	for n := range 60 {
		found, err := l.Find(t.Context(), entry("shared", n).TokenID)
		check.True(t, n%3 != 2 || err == nil && len(found) == 6, "token %d was noted for %d configs, want 6: %v", n, len(found), err)
	}
	check.Value(ledger.New(view).Trim(t.Context(), began().Add(10*day)))(t)
	check.Equal(t, len(keys(t, view)), 0, "entries left")
}
