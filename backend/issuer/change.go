// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
)

// errChanged says that the account was changed during its verification.
var errChanged = errors.New("the config was changed meanwhile: write again")

// Verify logs in with settings that are not stored yet, and calls commit with the token that this gives, for it to store the
// settings and to call Update. While the same login, or the same credentials, are on hold the result comes from memory.
//
// Until commit has returned this is the account's one login in flight: readers without a token wait for it.
func (i *Issuer) Verify(ctx context.Context, a *Account, commit func(*Token) error) error {
	if err := i.startable(); err != nil {
		return err
	}
	w := i.acquire(a.Name)
	defer w.release()
	id, err := w.beginVerification(ctx, a)
	if err != nil {
		return err
	}
	// From here on a caller who hangs up must not leave it open whether the login counted.
	ctx = context.WithoutCancel(ctx)
	defer w.apply(Abandon{Work: id}, true) // does nothing once the settings are in force
	token, err := w.verification(ctx, id)
	if err != nil {
		return err
	}
	return commit(token)
}

// beginVerification waits until the account has no other login in flight, and begins one.
func (w *worker) beginVerification(ctx context.Context, a *Account) (id uint64, err error) {
	for {
		if err := w.loaded(ctx); err != nil {
			return 0, err
		}
		env, s := w.env(true), &w.state
		if err := s.mayLogin(env, ReasonVerification, a); err != nil {
			w.mu.Unlock()
			return 0, err
		}
		if s.Work == nil {
			reports := w.applyLocked(Verify{Account: a}, true)
			id := w.state.WorkID
			w.mu.Unlock()
			w.report(reports)
			return id, nil
		}
		changed := w.changed
		w.mu.Unlock()
		if err := w.wait(ctx, changed, 0); err != nil {
			return 0, err
		}
	}
}

// verification waits for the token that a verification brings. Where it fails, storage has been told that it has ended.
func (w *worker) verification(ctx context.Context, id uint64) (*Token, error) {
	for {
		w.mu.Lock()
		s, changed := w.state, w.changed
		w.mu.Unlock()
		switch {
		case s.Work != nil && s.Work.ID == id && s.Work.Step == committing:
			return s.Work.Token, nil
		case s.Work != nil && s.Work.ID == id:
		case s.VerifyWork == id:
			if err := w.saved(ctx, s.Version); err != nil && !errors.Is(err, ErrStopped) {
				w.issuer.logger.Warn("the end of a verification could not be stored", "config", w.name, "error", err)
			}
			return nil, s.VerifyErr
		default:
			return nil, errChanged
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return nil, err
		}
	}
}

// Update takes over settings that were just stored. Where their generation is new, all that is known of the account begins anew with
// token, which may be nil: a login in flight is given up, and its readers wait for what comes next.
//
// The settings are in force already, whatever Update returns: an error means that the token could not be stored.
func (i *Issuer) Update(ctx context.Context, a *Account, token *Token) error {
	ctx = context.WithoutCancel(ctx)
	w := i.acquire(a.Name)
	defer w.release()
	// The tokens that are out are in the record of the former settings. A load in flight may have read these.
	w.mu.Lock()
	if w.state.Known == unknown || w.state.Known == stale {
		reports := w.applyLocked(Invalidated{}, true)
		w.mu.Unlock()
		w.report(reports)
		if err := w.loaded(ctx); err != nil {
			return err
		}
	}
	reports := w.applyLocked(Written{Account: a, Token: token}, true)
	version := w.state.Urgent
	w.mu.Unlock()
	w.report(reports)
	return w.saved(ctx, version)
}

// Remove forgets an account whose config was just deleted. Readers that wait find out that it is gone.
func (i *Issuer) Remove(ctx context.Context, name string) error {
	ctx = context.WithoutCancel(ctx)
	w := i.acquire(name)
	defer w.release()
	if err := w.loaded(ctx); err != nil {
		return err
	}
	reports := w.applyLocked(Removed{}, true)
	version := w.state.Urgent
	w.tally = new(tally)
	w.counter.Store(nil)
	w.mu.Unlock()
	w.report(reports)
	i.tallies.Delete(name)
	i.counters.forget(name)
	return w.saved(ctx, version)
}

// Invalidate has the settings of an account read again that another node may have changed, or of which nobody knows what storage holds.
// It does no I/O itself.
func (i *Issuer) Invalidate(name string) {
	if w, ok := i.lookup(name); ok {
		w.apply(Invalidated{}, false)
	}
}
