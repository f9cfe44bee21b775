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
	// A token that an API refused is replaced only if it had time to die, and only so often.
	leastRejectedAge = time.Minute
	rejectedEvery    = 5 * time.Minute
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
		return &PausedError{Reason: s.Account.PauseReason}
	case s.GivenUpLeft(env.Reading) > 0:
		return ErrGivenUp
	case reason == ReasonForced:
		return s.mayForce(env)
	}
	if err := s.holdError(env); err != nil {
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

// mayReplace is MayLogin for a login that replaces a usable token.
func (s *State) mayReplace(env Env, reason Reason) error {
	switch {
	case reason == ReasonRotation && s.isDue(env.Reading):
		return nil
	case reason != ReasonRejected:
		return errNotDue
	case env.Wall.Before(s.RejectedFrom(env.Reading)):
		return ErrTooSoon
	default:
		return nil
	}
}

// RejectedFrom is from when on the current token, which there must be, is replaced where an API has refused it.
func (s *State) RejectedFrom(now Reading) time.Time {
	from := s.Current.IssuedAt.Add(leastRejectedAge)
	if last := s.LastRejected(now); !last.IsZero() {
		from = later(from, last.Add(rejectedEvery))
	}
	return from
}

// LastRejected is when a token that an API had refused was last replaced; zero where that is too long ago to keep another one.
func (s *State) LastRejected(now Reading) time.Time {
	if now.Wall.Sub(s.RejectedAt).Abs() < rejectedEvery { // also after the clock was set back
		return s.RejectedAt
	}
	return time.Time{}
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
	if s.Failure.Refused() && s.Failure.age(env.Reading) < forcedRefusedEvery {
		notBefore = env.Wall.Add(forcedRefusedEvery - s.Failure.age(env.Reading))
	}
	if notBefore.IsZero() {
		return nil
	}
	return &LoginError{Failure: *s.Failure, Remembered: true, ForcedAfter: notBefore}
}

// mayVerify is MayLogin for a verification. While the circuit breaker is open or a Retry-After runs, a write that changes no
// credential is not verified, whatever else it changes: the same refused password would be sent again with each.
func (s *State) mayVerify(env Env, a *Account) error {
	if f := s.failedVerification(a); f.Holds(env.Reading) {
		return &LoginError{Failure: *f, Remembered: true}
	}
	if s.Known == known && s.Failure.Holds(env.Reading) && s.Failure.concerns(a) {
		return &LoginError{Failure: *s.Failure, Remembered: true}
	}
	return nil
}

// failedVerification is the remembered failure of a verification that concerns these settings: of several the one that holds
// longest.
func (s *State) failedVerification(a *Account) *Failure {
	login := loginOf(&a.Upstream)
	var last *Failure
	for _, v := range s.Verifications {
		concerns := v.Login == login || v.Failure.concerns(a)
		if concerns && (last == nil || v.Failure.NextAttempt.After(last.NextAttempt)) {
			last = v.Failure
		}
	}
	return last
}

// holdError is the error with which a reader is answered while no login may be made; nil where there is no hold.
func (s *State) holdError(env Env) error {
	if s.Failure.Holds(env.Reading) {
		if s.Failure.Kind == Blocked {
			return s.Failure.err
		}
		return &LoginError{Failure: *s.Failure, Remembered: true}
	}
	if s.Current != nil && s.Current.repeated && !s.Suspect && s.isEnding(env.Reading) {
		return &LoginError{Remembered: true, Failure: Failure{
			Kind: upstream.Malformed, Cause: Repeated, Protocol: s.Account.Upstream.Protocol, Message: (&repeatError{isEnd: true}).Error(),
			At: env.Wall, Consecutive: 1, Step: 1, NextAttempt: s.Account.RotatesAt(s.Current),
		}}
	}
	return nil
}

// isEnding reports whether the current token is too short to be served, but not to be replaced yet.
func (s *State) isEnding(now Reading) bool { return !s.Current.Usable(now) && !s.isDue(now) }
