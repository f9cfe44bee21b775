// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"
)

// Rotation is the result of a forced login.
type Rotation struct {
	Token *Token
	// Previous is the token that was replaced; nil where there was none that is still good upstream.
	Previous *Token
}

// Rotate logs in now, also during a hold, and replaces the shared token. It joins a login that is in flight. It is made at most
// once in 10 seconds, and once a minute after the upstream has refused the credentials; a caller who asks sooner gets the result
// of the last.
func (i *Issuer) Rotate(ctx context.Context, name string) (Rotation, error) {
	if err := i.startable(); err != nil {
		return Rotation{}, err
	}
	w := i.acquire(name)
	defer w.release()
	for logins := -1; ; {
		var made rotationVerdict
		err := w.ready(ctx, func() (reports []Effect) {
			if logins < 0 {
				logins = w.state.Logins
			}
			made, reports = w.rotate(logins)
			return reports
		})
		if err != nil {
			return Rotation{}, err
		}
		if made.changed == nil {
			return made.Rotation, made.err
		}
		if err := w.wait(ctx, made.changed, made.bound); err != nil {
			return Rotation{}, err
		}
	}
}

// rotationVerdict is what Rotate returns, or what it waits for.
type rotationVerdict struct {
	Rotation

	err     error
	changed <-chan struct{}
	bound   time.Duration
}

// rotate says what Rotate returns, or begins the login that it waits for. The caller holds w.mu.
func (w *worker) rotate(logins int) (v rotationVerdict, reports []Effect) {
	env, s := w.env(true), &w.state
	current := Rotation{Token: s.Current, Previous: s.previous(env.Reading)}
	switch {
	case s.Logins > logins && s.LoginErr != nil:
		return rotationVerdict{err: s.LoginErr}, nil
	case s.Logins > logins && s.canServe(env.Reading):
		return rotationVerdict{Rotation: current}, nil
	case s.Work != nil:
		return rotationVerdict{changed: w.changed}, nil
	}
	err := s.mayLogin(env, ReasonForced, s.Account)
	switch {
	case errors.Is(err, errTooSoon):
		return rotationVerdict{Rotation: current}, nil
	case errors.Is(err, errGivenUp):
		return rotationVerdict{changed: w.changed, bound: s.givenUpLeft(env.Reading)}, nil
	case err != nil:
		return rotationVerdict{err: err}, nil
	}
	reports = w.applyLocked(Force{}, true)
	return rotationVerdict{changed: w.changed}, reports
}
