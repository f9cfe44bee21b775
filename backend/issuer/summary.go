// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// The results of reads and logins that are neither counters.OK nor an upstream.Kind.
const (
	ResultPaused    = "paused"    // the account is paused by the operator
	ResultCancelled = "cancelled" // the reader did not wait for the result
	ResultError     = "error"     // storage failed, or the engine itself
)

// Summary is what a monitoring system wants to know of all accounts.
type Summary struct {
	// Counts are by account, and by counters.Others for those that came too late for a count of their own.
	Counts map[string]counters.Counts
	// Waiting is the number of readers that wait for a login.
	Waiting int64
	// States counts the accounts that are in memory.
	States map[AccountState]int
	// ExpiresAt has the end of the current token of each account that has one and is counted by itself.
	ExpiresAt map[string]time.Time
	// Open counts, by account or under counters.Others, those whose credentials the upstream has refused.
	Open map[string]int
}

// Summary looks at all accounts that are in memory and among the stored ones: another cluster may have deleted some. It reads no
// storage.
func (i *Issuer) Summary(stored []string) Summary {
	exists := make(map[string]bool, len(stored))
	for _, name := range stored {
		exists[name] = true
	}
	s := Summary{
		Counts: map[string]counters.Counts{}, Waiting: i.waiting.Load(), States: map[AccountState]int{},
		ExpiresAt: map[string]time.Time{}, Open: map[string]int{},
	}
	own, sharing := i.counters.All()
	for name, c := range own {
		if name != counters.Others && !exists[name] {
			i.forgetGone(name)
			delete(own, name)
			continue
		}
		s.Counts[name], s.Open[name] = c.Counts(), 0
	}
	for _, name := range sharing {
		if !exists[name] {
			i.forgetGone(name)
		}
	}
	now := i.clock()
	for w := range i.workers.all() {
		if exists[w.name] {
			w.do(func(l *locked) { l.addTo(&s, own, now) })
		}
	}
	return s
}

// forgetGone forgets what was counted of an account that is not stored, unless it has come into being just now.
func (i *Issuer) forgetGone(name string) {
	if _, ok := i.workers.of(name); !ok {
		i.counters.Forget(name)
	}
}

// forgetCounts begins anew what was counted of an account that is gone.
func (l *locked) forgetCounts() {
	l.Reset()
	l.counter.Store(nil)
	l.issuer.tallies.Delete(l.name)
	l.issuer.counters.Forget(l.name)
}

// addTo adds the account to a summary of those that have a counter of their own, and of all others.
func (l *locked) addTo(s *Summary, own map[string]*counters.Counter, now Reading) {
	state := &l.state
	if !state.HasSettings() {
		return
	}
	s.States[state.Health(now)]++
	name := l.name
	if _, counted := own[name]; !counted {
		name = counters.Others
	}
	if name != counters.Others && state.Usable(now) {
		s.ExpiresAt[name] = state.Current.ExpiresAt
	}
	if state.Failure.Refused() {
		s.Open[name]++
	}
}

// counted gives the counter of an account that is in use, and makes it where there is none.
func (w *worker) counted() *counters.Counter {
	if c := w.counter.Load(); c != nil {
		return c
	}
	c := w.issuer.counters.Of(w.name)
	w.counter.Store(c)
	return c
}

// touch counts a read that was served.
func (w *worker) touch(now Reading) {
	w.LastRead.Store(now.Wall.UnixNano())
	w.Reads.Add(1)
	w.counted().Read(counters.OK)
}

// count counts a read that was not warm.
func (w *worker) count(err error, now Reading) {
	if err == nil {
		w.touch(now)
		return
	}
	if errors.Is(err, ErrNoAccount) {
		return
	}
	w.do(func(l *locked) {
		if !l.state.IsAbsent() { // it may be one that cannot be loaded
			w.counted().Read(readResult(err))
		}
	})
}

// readResult sorts the reads that were not served.
func readResult(err error) string {
	if failed, ok := errors.AsType[*LoginError](err); ok {
		return string(failed.Kind)
	}
	if _, ok := errors.AsType[*PausedError](err); ok {
		return ResultPaused
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ResultCancelled
	case errors.Is(err, ErrStillWaiting):
		return string(upstream.Unavailable)
	default:
		return ResultError
	}
}
