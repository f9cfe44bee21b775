// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	forcedEvery        = 10 * time.Second
	forcedRefusedEvery = time.Minute
	// givenUpEvery bounds how often a login is given up for another one, whatever changes the account that often.
	givenUpEvery = 5 * time.Second
)

// Why a login is not made although nothing has failed.
const (
	errNotLoaded     = notNowError("the settings are not in memory")
	errNotDue        = notNowError("the current token is not to be replaced yet")
	ErrTooSoon       = notNowError("such a login was made only just now")
	ErrGivenUp       = notNowError("the last login was given up only just now, and may have reached the upstream")
	errLeasesRunning = notNowError("the last leases on the old token have not ended yet")
)

// notNowError is a reason that no caller gets to see.
type notNowError string

func (n notNowError) Error() string { return string(n) }

// MayLogin says why a login may not be made now, or nil. It is asked for every login, by readers, scheduler, rotate/ and
// verifications alike, and nothing else decides that. a has the settings that the login would use.
func (s *State) MayLogin(env Env, reason Reason, a *Account) error {
	switch {
	case reason == ReasonVerification:
		return s.mayVerify(env, a)
	case s.Known != known:
		return errNotLoaded
	case s.Account.Paused:
		return s.Account.pausedError()
	case s.GivenUpLeft(env.Reading) > 0:
		return ErrGivenUp
	case reason == ReasonForced:
		return s.mayForce(env)
	}
	if err := s.holdError(env.Reading); err != nil {
		return err
	}
	if s.Usable(env.Reading) {
		return s.mayReplace(env, reason)
	}
	// For a second the token is too short for a new lease while the last leases on it still run.
	if s.Current != nil && !s.Suspect && s.Account.singleSession() && s.Current.Remaining(env.Reading) > Margin {
		return errLeasesRunning
	}
	return nil
}

// mayForce is MayLogin for a forced login, which no hold keeps back.
func (s *State) mayForce(env Env) error {
	var notBefore time.Time
	if since := env.Wall.Sub(s.ForcedAt); since >= 0 && since < forcedEvery {
		if s.Failure == nil && s.Usable(env.Reading) {
			return ErrTooSoon
		}
		if s.Failure != nil {
			notBefore = s.ForcedAt.Add(forcedEvery)
		}
	}
	if s.Failure.Refused() && env.Wall.Sub(s.Failure.At) < forcedRefusedEvery {
		notBefore = s.Failure.At.Add(forcedRefusedEvery)
	}
	if notBefore.IsZero() {
		return nil
	}
	return &LoginError{Failure: *s.Failure, Remembered: true, ForcedAfter: notBefore}
}

// mayVerify is MayLogin for a verification. While the circuit breaker is open or a Retry-After runs, a write that changes no
// credential is not verified, whatever else it changes: the same refused password would be sent again with each.
func (s *State) mayVerify(env Env, a *Account) error {
	if f := failureOf(s.Failures, a, true); f.Holds(env.Reading) {
		return &LoginError{Failure: *f, Remembered: true}
	}
	return nil
}

// holdError is the error with which a reader is answered while no login may be made; nil where there is no hold.
func (s *State) holdError(now Reading) error {
	f := s.LastFailure(now)
	switch {
	case !f.Holds(now):
		return nil
	case f.Kind == Blocked:
		return f.err
	default:
		return &LoginError{Failure: *f, Remembered: true}
	}
}

// LastFailure is the last login's failure, and the hold that readers find; nil for none. The end of a token that the upstream
// repeats is such a hold, although no login has failed: the token is too short to be served, and until its end there is no other.
func (s *State) LastFailure(now Reading) *Failure {
	t := s.Current
	if s.Failure.Holds(now) || s.Account == nil || t == nil || !t.repeated || s.Suspect || t.Usable(now) || s.isDue(now) {
		return s.Failure
	}
	return &Failure{
		Kind: upstream.Malformed, Cause: Repeated, Protocol: s.Account.Upstream.Protocol, Message: (&repeatError{isEnd: true}).Error(),
		At: now.Wall, NextAttempt: s.Account.RotatesAt(t),
	}
}

// pausedError is why a paused account makes no login and serves no token; nil for one that is not paused.
func (a *Account) pausedError() error {
	if !a.Paused {
		return nil
	}
	return &PausedError{Reason: a.PauseReason}
}

// mayReplace is MayLogin for a login that replaces a usable token.
func (s *State) mayReplace(env Env, reason Reason) error {
	switch {
	case reason == ReasonRotation && s.isDue(env.Reading):
		return nil
	case reason != ReasonRejected:
		return errNotDue
	case env.Wall.Before(s.RejectedFrom()):
		return ErrTooSoon
	default:
		return nil
	}
}
