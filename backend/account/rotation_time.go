// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"time"

	"vault-plugin-secrets-mastersindia/backend/loginqueue"
)

// RotatesAt is when the token is to be replaced.
func (a *Account) RotatesAt(t *Token) time.Time {
	switch {
	case t.repeated && t.toldLife > 0:
		return t.ExpiresAt.Add(-minLife)
	case t.repeated:
		// Until then the upstream gives the same token again.
		return t.endsRepeated()
	case a.singleSession():
		// Not before the last lease has ended: the login would invalidate its token.
		return t.ExpiresAt.Add(-Margin)
	}
	// Divided first: the other way round, a life of five years is more than a time.Duration holds.
	return t.IssuedAt.Add(t.Life() / 100 * time.Duration(a.RotationPercent))
}

// grace is how long a token that is due for rotation goes on to be served as if nothing were happening. Most logins end within
// it, and then no reader has waited. It is less than what clients that follow Result.TTL add to it (Vault Agent a second, the
// Secrets Operator half of one), so that these find the new token; and it is a fiftieth of the token's life at most, so that
// every lease on a token of a quarter of an hour and more still has a third of it.
func grace(a *Account, t *Token) time.Duration {
	const longest, share = 400 * time.Millisecond, 50
	if a.singleSession() || t.repeated {
		return 0 // the rotation begins when the token has ended
	}
	return min(longest, t.Life()/share)
}

// ReadSince reports whether the account was read since the given time.
func ReadSince(env Env, t time.Time) bool {
	return !env.LastRead.IsZero() && !env.LastRead.Before(t)
}

// InUse reports whether the account is rotated ahead of time: its token was read since it was issued, or found alive in storage
// at start; or, where there is no token since logins fail, it was read since the last attempt.
func (s *State) InUse(env Env) bool {
	if s.Failure != nil && !s.Usable(env.Reading) {
		return ReadSince(env, s.Failure.At)
	}
	return s.Current != nil && (s.Restored || ReadSince(env, s.Current.IssuedAt))
}

// RotationPlan is when the current token is to be replaced, if there is one, or the failed login tried again; ok is false where
// nothing is planned. Whether the account is in use is asked when that time has come.
func (s *State) RotationPlan(now Reading) (p loginqueue.Plan, ok bool) {
	if s.Known != known || s.Account.Paused || s.Work != nil {
		return loginqueue.Plan{}, false
	}
	switch {
	case s.Current != nil && !s.Suspect:
		p.At = now.Wall.Add(s.Current.Remaining(now) - s.rotateLeft())
	case s.Failure == nil:
		return loginqueue.Plan{}, false
	}
	p.Since = p.At
	if s.Failure != nil {
		p.Since = later(p.Since, s.Failure.At)
	}
	if left := max(s.Failure.Left(now), s.GivenUpLeft(now)); left > 0 {
		p.At = later(p.At, now.Wall.Add(left))
	}
	return p, true
}

// rotateLeft is the life at which the current token is to be replaced.
func (s *State) rotateLeft() time.Duration {
	return s.Current.ExpiresAt.Sub(s.Account.RotatesAt(s.Current))
}

// isDue reports whether the current token is to be replaced.
func (s *State) isDue(now Reading) bool { return s.Current.Remaining(now) <= s.rotateLeft() }

// WantsRotation reports whether a reader has come before the scheduler.
func (s *State) WantsRotation(env Env) bool {
	return s.CanServe(env.Reading) && s.Work == nil && s.MayLogin(env, ReasonRotation, s.Account) == nil
}
