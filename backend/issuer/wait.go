// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// wait returns when something has changed, the time is over, or the caller is gone. A zero wait has no bound.
func (w *worker) wait(ctx context.Context, changed <-chan struct{}, bound time.Duration) error {
	var over <-chan time.Time
	if bound > 0 {
		timer := time.NewTimer(bound)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
	case <-over:
	case <-w.issuer.ctx.Done():
		return ErrStopped
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s, _ := w.look()
			return s.StillWaiting(w.issuer.clock())
		}
		return context.Cause(ctx)
	}
	return nil
}

// ready waits until the account is in memory, and runs f with it locked. Errors: ErrNoAccount, ErrStopped, ctx's and storage's,
// in which case f was not run.
func (w *worker) ready(ctx context.Context, f func(l *locked)) error {
	missing := false
	err := w.loaded(ctx, func(l *locked) {
		if missing = l.state.IsAbsent(); !missing {
			f(l)
		}
	})
	if err == nil && missing {
		return ErrNoAccount
	}
	return err
}

// loaded is ready also for an account that does not exist.
func (w *worker) loaded(ctx context.Context, f func(l *locked)) error {
	for asked := -1; ; {
		var changed <-chan struct{}
		var err error
		w.do(func(l *locked) {
			s := &l.state
			if asked < 0 {
				asked = s.Loads
			}
			news := s.Loads > asked
			switch {
			case w.issuer.ctx.Err() != nil:
				err = ErrStopped
			case s.IsKnown() || news && s.LoadErr == nil && s.IsAbsent():
				f(l)
			case news && s.LoadErr != nil:
				err = s.LoadErr
			default:
				l.apply(account.Want{}, true)
				changed = l.changed
			}
		})
		if err != nil || changed == nil {
			return err
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return err
		}
	}
}

// saved waits until storage has taken, or refused, the record of that version.
func (w *worker) saved(ctx context.Context, version uint64) error {
	for {
		s, changed := w.look()
		switch {
		case s.Saved >= version:
			return nil
		case s.Lost >= version:
			return s.SaveErr
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return err
		}
	}
}

// look returns the state, and what is closed when it has changed.
func (w *worker) look() (s account.State, changed <-chan struct{}) {
	w.do(func(l *locked) { s, changed = l.state, l.changed })
	return s, changed
}
