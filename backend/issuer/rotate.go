// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
)

// Rotation is the result of a forced login.
type Rotation struct {
	Token *Token
	// Previous is the token that was replaced; nil where there was none that is still good upstream.
	Previous *Token
}

// Rotate logs in now, also during a hold, and replaces the shared token. It joins a login that is in flight. It is made at most once in
// 10 seconds, and once a minute after the upstream has refused the credentials; a caller who asks sooner gets the result of the last.
func (i *Issuer) Rotate(ctx context.Context, name string) (Rotation, error) {
	if err := i.startable(); err != nil {
		return Rotation{}, err
	}
	w := i.acquire(name)
	defer w.release()
	if err := w.ready(ctx); err != nil {
		return Rotation{}, err
	}
	logins := w.state.Logins
	for {
		done, rotation, reports, err := w.rotate(logins)
		changed := w.changed
		w.mu.Unlock()
		w.report(reports)
		if done {
			return rotation, err
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return Rotation{}, err
		}
		if err := w.ready(ctx); err != nil {
			return Rotation{}, err
		}
	}
}

// rotate says what Rotate returns, or begins the login that it waits for. The caller holds w.mu.
func (w *worker) rotate(logins int) (done bool, rotation Rotation, reports []Effect, err error) {
	env, s := w.env(true), &w.state
	switch {
	case s.Logins > logins && s.LoginErr != nil:
		return true, Rotation{}, nil, s.LoginErr
	case s.Logins > logins && s.canServe(env.Reading):
		return true, Rotation{Token: s.Current, Previous: s.previous(env.Reading)}, nil, nil
	case s.Work != nil:
		return false, Rotation{}, nil, nil
	}
	err = s.mayLogin(env, ReasonForced, s.Account)
	switch {
	case errors.Is(err, errTooSoon):
		return true, Rotation{Token: s.Current, Previous: s.previous(env.Reading)}, nil, nil
	case err != nil:
		return true, Rotation{}, nil, err
	default:
		return false, Rotation{}, w.applyLocked(Force{}, true), nil
	}
}
