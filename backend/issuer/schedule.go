// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"
)

// lookAgain bounds the scheduler's sleep: timers do not notice that the machine was suspended or its clock set.
const lookAgain = time.Minute

// rotateWhenDue is the scheduler: it rotates the tokens of accounts in use ahead of their expiry, until ctx ends.
func (i *Issuer) rotateWhenDue(ctx context.Context) {
	i.restore(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.queue.wake:
		case <-timer.C:
		}
		if i.rotateDue() {
			timer.Reset(i.untilNext())
		} else {
			timer.Reset(lookAgain)
		}
	}
}

// restore loads the accounts that have a record, so that tokens which were in use before a restart are rotated in time. A
// reader who comes earlier loads its account itself.
func (i *Issuer) restore(ctx context.Context) {
	names, err := i.store.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			i.logger.Warn("the stored tokens could not be listed: they will be rotated when they are read", "error", err)
		}
		return
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		i.restoreOne(ctx, name)
	}
}

// restoreOne loads one account, and lets go of it again where it has no living token: memory is for accounts in use.
func (i *Issuer) restoreOne(ctx context.Context, name string) {
	e := i.entry(name)
	e.mu.Lock()
	if e.loaded || e.dead {
		e.mu.Unlock()
		return
	}
	f := i.join(e, reasonRestore)
	e.mu.Unlock()
	if landed, err := f.wait(ctx, 0); err != nil || !landed {
		return
	}
	if errors.Is(f.err, ErrNoAccount) {
		i.removeOrphan(ctx, e)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loaded && e.flight == nil && e.lastRead.Load() == 0 {
		i.letGo(e, i.clock())
	}
}

// removeOrphan deletes a record whose config is gone: the process ended between the two deletions.
func (i *Issuer) removeOrphan(ctx context.Context, e *entry) {
	e.storing.Lock()
	_, err := i.source.Account(ctx, e.name)
	if errors.Is(err, ErrNoAccount) {
		err = i.store.Delete(ctx, e.name)
	}
	e.storing.Unlock()
	i.forgetMissing(e, ErrNoAccount)
	if err != nil && ctx.Err() == nil {
		i.logger.Warn("the tokens of a config that is gone could not be deleted", "config", e.name, "error", err)
	}
}

// expendable reports whether nothing is lost if the account is let go from memory once it is settled: it has no living token, and
// an operator who lists the accounts would find nothing worth knowing. Callers hold mu.
func (e *entry) expendable(now Reading) bool {
	return !e.live(now) && !e.settings.Paused && !e.failure.refused() && !e.failure.paused(now)
}

// letGo takes an account out of memory that is expendable, and reports whether it did. It does not while the account's record is
// being written, or is to be: whoever came next would read the former one. Callers hold mu.
func (i *Issuer) letGo(e *entry, now Reading) bool {
	if !e.settled() || !e.expendable(now) {
		return false
	}
	if e.lastRead.Load() > 0 || e.logins > 0 { // else nothing was counted, and there may be thousands of these after a start
		i.tallies.Store(e.name, e.tally)
	}
	i.drop(e)
	return true
}

// rotateDue starts rotations while accounts are due. It returns false where it had to leave some: for want of a slot, in which
// case whoever frees one wakes the scheduler, or on a node that may not log in.
func (i *Issuer) rotateDue() bool {
	now := i.clock()
	if next, ok := i.queue.next(); !ok || next.After(now.Wall) {
		return true
	}
	if i.mayLogin() != nil {
		return false
	}
	for {
		select {
		case i.slots <- struct{}{}:
		default:
			return false
		}
		e, ok := i.queue.pop(now.Wall)
		if !ok {
			<-i.slots
			return true
		}
		if !i.rotate(e, now) {
			<-i.slots
		}
	}
}

// rotate starts the rotation of an account that is due, if it still wants one, and reports whether it did.
func (i *Issuer) rotate(e *entry, now Reading) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead || !e.loaded || e.settings.Paused || e.flight != nil || !e.wanted(now) {
		return false
	}
	if e.held(now) || (e.live(now) && !newServed(e.settings, e.current).due(now)) {
		// It was planned by a clock that was set since. By another moment than this it could be due again at once, and for ever.
		i.planAt(e, now)
		return false
	}
	i.start(e, ReasonRotation, true)
	return true
}

// wanted reports whether the account is in use: its token was read since it was issued, or found alive in storage; or,
// where there is no token since logins fail, somebody has asked for one since the last attempt. Callers hold mu.
func (e *entry) wanted(now Reading) bool {
	if e.failure != nil && !e.live(now) {
		return e.readSince(e.failure.At)
	}
	return e.current != nil && (e.restored || e.readSince(e.current.IssuedAt))
}

// plan says when the scheduler is to look at the account. Callers hold e.mu.
func (i *Issuer) plan(e *entry) { i.planAt(e, i.clock()) }

// planAt is plan at a moment that the caller has judged the account by.
func (i *Issuer) planAt(e *entry, now Reading) {
	if e.dead || !e.loaded || e.settings.Paused || e.flight != nil {
		i.queue.remove(e)
		return
	}
	var at time.Time
	switch {
	case e.current != nil && !e.suspect:
		s := newServed(e.settings, e.current)
		at = now.Wall.Add(e.current.Remaining(now) - s.rotateLeft)
	case e.failure == nil:
		i.queue.remove(e)
		return
	}
	if e.held(now) {
		if next := now.Wall.Add(e.heldFor(now)); at.Before(next) {
			at = next
		}
	}
	i.queue.set(e, at)
}

// untilNext is how long the scheduler may sleep.
func (i *Issuer) untilNext() time.Duration {
	next, ok := i.queue.next()
	if !ok {
		return lookAgain
	}
	return min(max(next.Sub(i.clock().Wall), 0), lookAgain)
}

// idleAfter is how long an account without a living token stays in memory after it was last read.
const idleAfter = 10 * time.Minute

// Sweep plans all accounts anew, in case a clock was set, stores once more what storage would not take, and lets go of accounts
// that are idle. It does no I/O itself: Vault calls it under a lock of its own.
func (i *Issuer) Sweep() {
	now := i.clock()
	i.entries.Range(func(_, value any) bool {
		e := value.(*entry) //nolint:forcetypeassert // the map holds nothing else
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.dead || !e.loaded || e.flight != nil {
			return true
		}
		if !e.readSince(now.Wall.Add(-idleAfter)) && i.letGo(e, now) {
			return true
		}
		i.setRight(e, now)
		i.plan(e)
		if e.unsaved && e.flight == nil {
			i.start(e, reasonStore, false)
		}
		return true
	})
	i.storeOwed()
	i.queue.signal()
	if i.notes.waiting() {
		i.goWork(i.tellAgain)
	}
}
