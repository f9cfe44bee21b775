// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

// restoreAgain is how long what storage did not give at start is left alone.
const restoreAgain = time.Minute

// restore loads the accounts that have a record, so that tokens which were in use before a restart are rotated in time, and the
// revocations are sent upstream. A reader who comes earlier loads its account itself. What storage does not give is tried again.
func (i *Issuer) restore(ctx context.Context) {
	ticker := time.NewTicker(restoreAgain)
	defer ticker.Stop()
	for names, ok := i.restoreFrom(ctx, nil); ; names, ok = i.restoreFrom(ctx, names) {
		if ok || names != nil {
			i.unread.Store(&names)
		}
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// restoreFrom loads the accounts of those names; nil stands for all that have a record. It returns which are left, and whether
// there are none.
func (i *Issuer) restoreFrom(ctx context.Context, names []string) (left []string, ok bool) {
	if names == nil {
		err := errPanic
		i.guard(func() { names, err = i.store.List(ctx) })
		if err != nil {
			if ctx.Err() == nil {
				i.logger.Warn("stored accounts could not be loaded: it will be tried again", "accounts", "all", "error", err)
			}
			return nil, false
		}
	}
	var failed error
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, true
		}
		err := errPanic
		i.guard(func() { err = i.restoreOne(ctx, name) })
		switch {
		case err == nil, errors.Is(err, ErrNoAccount):
		case stored.IsDamaged(err):
			i.logger.Error("an account cannot be loaded", "config", name, "error", err)
		default:
			left, failed = append(left, name), err
		}
	}
	if failed != nil && ctx.Err() == nil {
		i.logger.Warn("stored accounts could not be loaded: it will be tried again", "accounts", len(left), "error", failed)
	}
	return left, len(left) == 0
}

// restoreOne loads one account. It is evicted again where it has no usable token: memory is for accounts in use.
func (i *Issuer) restoreOne(ctx context.Context, name string) error {
	w := i.acquire(name)
	defer w.release()
	return w.ready(ctx, func(l *locked) { l.apply(account.Want{AtStart: true}, true) })
}
