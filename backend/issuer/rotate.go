// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
)

// Rotation is the result of a forced login.
type Rotation struct {
	Token *Token
	// Previous is the token that was replaced; nil where there was none that is still good upstream.
	Previous *Token
	// TooSoon is set where no login was made, since the last one was only just before.
	TooSoon bool
	// Same is set where the login brought the token that there was before.
	Same bool
}

// Rotate logs in now, also during a hold, and replaces the shared token. It joins a login that is in flight. It is made at most
// once in 10 seconds, and once a minute after the upstream has refused the credentials; a caller who asks sooner gets the result
// of the last. It waits as long as readers do; the login goes on.
func (i *Issuer) Rotate(ctx context.Context, name string) (Rotation, error) {
	if err := i.startable(); err != nil {
		return Rotation{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, account.ReadWait)
	defer cancel()
	w := i.acquire(name)
	defer w.release()
	var before *Token
	for logins := -1; ; {
		var made rotationDecision
		if err := w.ready(ctx, func(l *locked) {
			if logins < 0 {
				logins, before = l.state.Logins, l.state.Current
			}
			made = l.rotate(logins)
		}); err != nil {
			return Rotation{}, err
		}
		if made.changed == nil {
			made.Same = !made.TooSoon && before != nil && made.Token != nil && made.Token.ID == before.ID
			return made.Rotation, made.err
		}
		if err := w.wait(ctx, made.changed, made.bound); err != nil {
			return Rotation{}, err
		}
	}
}

// rotationDecision is what Rotate returns, or what it waits for.
type rotationDecision struct {
	Rotation

	err     error
	changed <-chan struct{}
	bound   time.Duration
}

// rotate says what Rotate returns, or begins the login that it waits for.
func (l *locked) rotate(logins int) rotationDecision {
	env, s := l.env(true), &l.state
	current := Rotation{Token: s.Current, Previous: s.Previous(env.Reading)}
	switch {
	case s.Logins > logins && s.LoginErr != nil:
		return rotationDecision{err: s.LoginErr}
	case s.Logins > logins && s.CanServe(env.Reading):
		return rotationDecision{Rotation: current}
	case s.Work != nil:
		return rotationDecision{changed: l.changed}
	}
	err := s.MayLogin(env, account.ReasonForced, s.Account)
	switch {
	case errors.Is(err, account.ErrTooSoon):
		current.TooSoon = true
		return rotationDecision{Rotation: current}
	case errors.Is(err, account.ErrGivenUp):
		return rotationDecision{changed: l.changed, bound: s.GivenUpLeft(env.Reading)}
	case err != nil:
		return rotationDecision{err: err}
	}
	l.apply(account.Force{}, true)
	return rotationDecision{changed: l.changed}
}
