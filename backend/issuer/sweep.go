// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// evictIfUnread evicts an idle account that was not read or written. Others are evicted by sweep, when they have been idle for
// a while.
func (l *locked) evictIfUnread(env account.Env) {
	if !l.state.IsKnown() || l.LastRead.Load() == 0 && !l.written {
		l.evictIfIdle(env)
	}
}

// evictIfIdle takes the account out of memory if nothing is lost by it.
func (l *locked) evictIfIdle(env account.Env) {
	if l.evicted || l.callers > 0 || len(l.former) > 0 || !l.state.IsIdle(env) {
		return
	}
	l.evicted = true
	l.served.Store(nil)
	l.issuer.queue.Remove(l.worker)
	if l.state.IsKnown() && (l.LastRead.Load() > 0 || l.Logins.Load() > 0) {
		l.issuer.tallies.Store(l.name, l.Tally)
	}
	l.issuer.workers.remove(l.worker)
}

// idleAfter is how long an account without a usable token stays in memory after it was last read.
const idleAfter = 10 * time.Minute

// Sweep plans all accounts anew, in case a clock was set, sends storage and ledger once more what they did not take, and evicts
// accounts that are idle. It does no I/O itself: Vault calls it under a lock of its own.
func (i *Issuer) Sweep() {
	if !i.sweeping.CompareAndSwap(false, true) {
		return
	}
	if !i.goWork(func() {
		defer i.sweeping.Store(false)
		active := i.mayLogin() == nil
		i.now() // also where no account is in memory, a clock that was set is noticed
		i.outbox.retry()
		for w := range i.workers.all() {
			i.guard(func() { w.sweep(active) }) // one that breaks does not end those of the others
		}
		i.queue.Signal()
		if active && i.setBack.Swap(false) {
			i.goWork(i.correctStored) // however long storage takes
		}
	}) {
		i.sweeping.Store(false)
	}
}

func (w *worker) sweep(active bool) {
	var settings *Account
	var toRevoke []*Token
	w.do(func(l *locked) {
		env := w.env(active)
		if !l.state.MissesUrgent() { // before Sweep makes urgent what could wait for it
			settings, toRevoke = l.state.Account, l.state.ToRevoke(env)
		}
		l.apply(account.Sweep{}, active)
		if !l.state.IsKnown() || !account.ReadSince(env, env.Wall.Add(-idleAfter)) {
			l.evictIfIdle(env)
		}
	})
	if active {
		w.revokeUpstream(settings, toRevoke)
		w.retryFormer()
	}
}

// correctStored has the accounts loaded that are not in memory, after the wall clock was set back: by the clock alone, the next
// process would take tokens that have ended for ones that live.
func (i *Issuer) correctStored() {
	if _, ok := i.restoreFrom(i.ctx, nil); !ok {
		i.setBack.Store(true)
	}
}
