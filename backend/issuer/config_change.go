// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"cmp"
	"context"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

// Update takes over settings that were just stored. Where their generation is new, all that is known of the account begins anew
// with the token that Verify has brought for a, if it did: a login in flight is given up, and its readers wait for what comes
// next.
//
// The settings are in force already, whatever Update returns: an error means that storage has not taken the token, or, where it
// is a *stored.DamagedError, that the record of the tokens could not be read, and was replaced. It takes as long as ChangeWait at
// most, and storage goes on.
func (i *Issuer) Update(ctx context.Context, a *Account) error {
	ctx, cancel := Outlasting(ctx)
	defer cancel()
	w := i.acquire(a.Name)
	defer w.release()
	var damaged error
	isLoaded := true
	w.do(func(l *locked) {
		l.written = true
		if isLoaded = l.state.IsKnown() || l.state.IsAbsent(); !isLoaded {
			l.apply(account.Invalidated{}, true) // a load in flight may have read the former settings
		}
	})
	if !isLoaded {
		// The tokens that are out are in the record of the former settings. One that is damaged is replaced: nothing else would let
		// the account log in again.
		if damaged = w.loaded(ctx, func(*locked) {}); damaged != nil && !stored.IsDamaged(damaged) {
			return damaged
		}
	}
	return cmp.Or(w.applyAndSave(ctx, account.Written{Account: a}), damaged)
}

// applyAndSave is apply, and waits until storage has taken what follows.
func (w *worker) applyAndSave(ctx context.Context, event account.Event) error {
	var version uint64
	w.do(func(l *locked) {
		l.apply(event, true)
		version = l.state.Urgent
	})
	return w.saved(ctx, version)
}

// Remove forgets an account whose config was just deleted. Readers that wait find out that it is gone. ErrStorageSlow means that
// storage has yet to delete the record: Remove takes as long as ChangeWait at most.
func (i *Issuer) Remove(ctx context.Context, name string) error {
	ctx, cancel := Outlasting(ctx)
	defer cancel()
	w := i.acquire(name)
	defer w.release()
	if err := w.loaded(ctx, func(*locked) {}); err != nil && !stored.IsDamaged(err) {
		w.apply(account.Invalidated{}, true) // the load that hangs may have read the config
		return err
	}
	return w.applyAndSave(ctx, account.Removed{})
}

// Invalidate marks the settings of an account as stale: another node may have changed them, or a write has failed. They are read
// again before the next use. It does no I/O itself. The counts of an account that has left memory are dropped if its config is
// gone.
func (i *Issuer) Invalidate(name string) {
	if w, ok := i.workers.of(name); ok {
		w.apply(account.Invalidated{}, false)
		return
	}
	if _, ok := i.tallies.Load(name); ok {
		i.goWork(func() {
			w := i.acquire(name)
			defer w.release()
			_ = w.loaded(i.ctx, func(*locked) {}) // what cannot be read now is counted on
		})
	}
}
