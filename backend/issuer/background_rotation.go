// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/fairqueue"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

// lookAgain bounds the scheduler's sleep: timers do not notice that the machine was suspended or its clock set.
const lookAgain = time.Minute

// rotateWhenDue rotates the tokens of accounts in use ahead of their expiry, until ctx ends.
func (i *Issuer) rotateWhenDue(ctx context.Context) {
	i.restore(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.queue.Wake():
		case <-timer.C:
		}
		timer.Reset(i.rotateDue())
	}
}

// rotateDue begins the rotations that are due, as many as may be in flight, and returns how long to sleep.
func (i *Issuer) rotateDue() time.Duration {
	for asked := false; i.ctx.Err() == nil; asked = true {
		now := i.clock()
		if !asked && i.queue.AnyDue(now.Wall) && i.mayLogin() != nil {
			return lookAgain
		}
		w, slot, ok := i.queue.Next(now.Wall)
		if !ok {
			return i.queue.Sleep(now.Wall, lookAgain)
		}
		w.useSlot(slot)
	}
	return lookAgain
}

// useSlot rotates the account, if it still wants that.
func (w *worker) useSlot(t *fairqueue.Slot) {
	w.do(func(l *locked) {
		if l.evicted || l.state.Work != nil {
			w.issuer.queue.GiveBack(t)
			return
		}
		l.slot = t
		wants := l.state.IsKnown() && l.state.InUse(w.env(true))
		l.apply(account.Due{}, true)
		if !wants || l.state.Work == nil && w.issuer.queue.IsDue(w, w.issuer.clock().Wall) {
			w.issuer.queue.Remove(w) // until it is read, or the next sweep
		}
	})
}

// restoreAgain is how long what storage did not give at start is left alone.
const restoreAgain = time.Minute

// restore loads the accounts that have a record, so that tokens which were in use before a restart are rotated in time, and the
// upstream is told of revocations. A reader who comes earlier loads its account itself. What storage does not give is tried again
// in the background.
func (i *Issuer) restore(ctx context.Context) {
	names, ok := i.restoreFrom(ctx, nil)
	if ok {
		return
	}
	i.goWork(func() {
		ticker := time.NewTicker(restoreAgain)
		defer ticker.Stop()
		for !ok {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			names, ok = i.restoreFrom(ctx, names)
		}
	})
}

// restoreFrom loads the accounts of those names; nil stands for all that have a record. It returns which are left, and whether
// there are none.
func (i *Issuer) restoreFrom(ctx context.Context, names []string) (left []string, ok bool) {
	if names == nil {
		err := errPanic
		i.guard(func() { names, err = i.store.List(ctx) })
		if err != nil {
			if ctx.Err() == nil {
				i.logger.Warn("the stored tokens could not be listed: it will be tried again", "error", err)
			}
			return nil, false
		}
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, true
		}
		err := i.restoreOne(ctx, name)
		if err != nil && !errors.Is(err, ErrNoAccount) && !stored.IsDamaged(err) {
			left = append(left, name)
		}
	}
	return left, len(left) == 0
}

// restoreOne loads one account. It is evicted again where it has no usable token: memory is for accounts in use.
func (i *Issuer) restoreOne(ctx context.Context, name string) error {
	w := i.acquire(name)
	defer w.release()
	return w.ready(ctx, func(l *locked) { l.apply(account.Want{AtStart: true}, true) })
}

// idleAfter is how long an account without a usable token stays in memory after it was last read.
const idleAfter = 10 * time.Minute

// Sweep plans all accounts anew, in case a clock was set, tells storage and ledger once more what they would not take, and evicts
// accounts that are idle. It does no I/O itself: Vault calls it under a lock of its own.
func (i *Issuer) Sweep() {
	if !i.sweeping.CompareAndSwap(false, true) {
		return
	}
	if !i.goWork(func() {
		defer i.sweeping.Store(false)
		active := i.mayLogin() == nil
		i.outbox.retry()
		for _, value := range i.workers.Range {
			value.(*worker).sweep(active) //nolint:forcetypeassert // the map holds nothing else
		}
		i.queue.Signal()
	}) {
		i.sweeping.Store(false)
	}
}

func (w *worker) sweep(active bool) {
	w.do(func(l *locked) {
		env := w.env(active)
		if !l.state.IsKnown() || !account.ReadSince(env, env.Wall.Add(-idleAfter)) {
			l.evictIfIdle(env.Reading)
		}
		if !l.evicted {
			l.apply(account.Sweep{}, active)
		}
	})
	if active {
		w.tellAgain()
	}
}
