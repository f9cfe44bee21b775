// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"strings"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// Read gives the account's shared token, and logs in for it only if it must. Errors: ErrNoAccount, ErrStopped, ErrStillWaiting,
// ErrStorageSlow, *PausedError, *LoginError, ctx's own, and storage's unwrapped.
func (i *Issuer) Read(ctx context.Context, name string) (Result, error) {
	if a, ok := i.ReadWarm(name, i.clock()); ok {
		return a, nil
	}
	return i.read(ctx, name, "")
}

// ReadWarm gives the account's shared token if it is in memory and can be served with no further thought; otherwise it does
// nothing. It takes no lock and never waits.
func (i *Issuer) ReadWarm(name string, now Reading) (Result, bool) {
	w, ok := i.workers.of(name)
	if !ok {
		return Result{}, false
	}
	s := w.served.Load()
	if !s.Fresh(now, i.steps.Load()) {
		return Result{}, false
	}
	w.touch(now)
	return s.Result(now), true
}

// ReadRejected is Read for a caller whom an API has refused the token of the given ID. Where that is still the current one,
// and old enough to have died, it is replaced once for all who ask; else they get what is current.
func (i *Issuer) ReadRejected(ctx context.Context, name, tokenID string) (Result, error) {
	return i.read(ctx, name, strings.ToLower(tokenID))
}

func (i *Issuer) read(ctx context.Context, name, rejected string) (Result, error) {
	w := i.acquire(name)
	defer w.release()
	began := i.clock()
	r := account.Reader{Rejected: rejected, Arrived: began}
	deadline, limited := ctx.Deadline()
	if limited { // counts from when the request came
		r.Arrived.Elapsed -= max(0, account.ReadWait-time.Until(deadline))
	}
	w.LastRead.Store(began.Wall.UnixNano()) // a read that fails is a sign of use as well
	a, err := w.await(ctx, &r)
	counted, isOver := err, limited && time.Until(deadline) <= 0
	if err != nil && (isOver || ctx.Err() != nil) && i.clock().Elapsed-began.Elapsed < account.ReadWait-time.Second {
		counted = context.Canceled // by the caller, or by a deadline of the caller's own
	}
	w.count(counted, a.Now)
	return a, err
}

// startable returns the error with which this node refuses to begin anything.
func (i *Issuer) startable() error {
	if i.ctx.Err() != nil {
		return ErrStopped
	}
	return i.mayLogin()
}
