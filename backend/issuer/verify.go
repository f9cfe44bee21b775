// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"cmp"
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// Verify logs in with settings that are not stored yet, and calls commit with the token that this gives, for it to store the
// settings and to call Update. While the same login, or the same credentials, are on hold the result comes from memory.
//
// Until commit has returned this is the account's one login in flight: readers without a token wait for it. ErrChanged means that
// another Update, Remove or Revoke came first.
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
	// From here on a caller who hangs up must not leave it open whether the login counted, for as long as a seal may wait.
	ctx, cancel := outlive(ctx, account.ReadWait)
	defer cancel()
	defer w.apply(account.Abandon{Work: id}, true) // does nothing once the settings are in force
	token, err := w.verification(ctx, id)
	if err != nil {
		return err
	}
	return commit(token)
}

// outlive is a context that ends when ctx has, but not in the first moments, which last for d.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	began := time.Now()
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(d - time.Since(began)):
			cancel(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel(nil) }
}

// beginVerification waits until the account has no other login in flight, and begins one. Both take at most as long as readers
// wait.
func (w *worker) beginVerification(ctx context.Context, a *Account) (id uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, account.ReadWait)
	defer cancel()
	for {
		var changed <-chan struct{}
		var refused error
		var version uint64
		if err := w.loaded(ctx, func(l *locked) {
			switch refused = cmp.Or(context.Cause(ctx), l.state.MayLogin(w.env(true), account.ReasonVerification, a)); {
			case refused != nil:
			case l.state.Work != nil:
				changed = l.changed
			default:
				l.apply(account.Verify{Account: a}, true)
				id, version = l.state.WorkID, l.state.Urgent
			}
		}); err != nil {
			return 0, err
		}
		switch {
		case refused != nil:
			return 0, refused
		case changed == nil:
			return id, w.noted(ctx, id, version)
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return 0, err
		}
	}
}

// noted waits until storage has taken, or refused, the note that a verification begins. Where ctx ends first nothing is sent.
func (w *worker) noted(ctx context.Context, id, version uint64) error {
	err := w.saved(ctx, version)
	if ctx.Err() == nil {
		return nil // a refusal is the result of the verification
	}
	w.do(func(l *locked) {
		if l.state.Saved >= version {
			err = nil // the login is sent
			return
		}
		l.apply(account.Abandon{Work: id}, true)
	})
	return err
}

// verification waits for the token that a verification brings. If it fails, storage has its end.
func (w *worker) verification(ctx context.Context, id uint64) (*Token, error) {
	for {
		s, changed := w.look()
		if token, ok := s.Verified(id); ok {
			return token, nil
		}
		switch {
		case s.Work != nil && s.Work.ID == id:
		case s.VerifyWork == id:
			ctx, cancel := context.WithTimeout(ctx, account.ReadWait)
			defer cancel()
			if err := w.saved(ctx, s.Version); err != nil && !errors.Is(err, ErrStopped) {
				w.issuer.logger.Warn("the end of a verification could not be stored", "config", w.name, "error", err)
			}
			return nil, s.VerifyErr
		default:
			return nil, ErrChanged
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return nil, err
		}
	}
}
