// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"slices"
	"time"
)

const (
	// rotationWait is how long a reader who could be given the old token waits for a rotation, from when it began.
	rotationWait = 2 * time.Second
	// ReadWait is how long a reader waits at most: sealing and step-down wait for the requests that are open. It is a little more
	// than the default request_timeout, so that the reader who caused a login that times out gets that error.
	ReadWait = 15*time.Second + 50*time.Millisecond
)

// Reader is one read that is not warm.
type Reader struct {
	// Rejected is the ID of a token that an API has refused; "" for none.
	Rejected string
	Arrived  Reading
	// Loads and Logins are those that had ended when the reader came.
	Loads, Logins int
}

// Decision is what a reader is to do now: take the token, take the error, or wait.
type Decision struct {
	Err  error
	Wait bool
	// Bound is how long to wait at most.
	Bound time.Duration
}

// ReadNeeds reports whether something is to be begun, or corrected, for the reader.
func (s *State) ReadNeeds(env Env, r *Reader) bool {
	switch {
	case s.Known != known:
		isAnswered := s.Loads > r.Loads && (s.LoadErr != nil || s.Known == absent)
		return s.Loading == 0 && !isAnswered
	case s.Work != nil:
		return false
	}
	if reason := s.neededReason(env.Reading, r.Rejected); reason != "" && s.MayLogin(env, reason, s.Account) == nil {
		return true
	}
	return s.wantsSave() || s.WantsRotation(env)
}

// Decide says what a reader is to do now. It is asked again whenever something has changed.
func (s *State) Decide(env Env, r *Reader) Decision {
	left := ReadWait - (env.Elapsed - r.Arrived.Elapsed)
	wait := func(bound time.Duration) Decision {
		if left <= 0 {
			return Decision{Err: s.StillWaiting(env.Reading)}
		}
		return Decision{Wait: true, Bound: min(bound, left)}
	}
	switch {
	case s.IsBehind(env.Clock): // it was set only just now
		return wait(time.Millisecond)
	case s.Known == known:
	case s.Loads > r.Loads && s.LoadErr != nil:
		return Decision{Err: s.LoadErr}
	case s.Loads > r.Loads && s.Known == absent:
		return Decision{Err: ErrNoAccount}
	default:
		return wait(ReadWait)
	}
	if err := s.Account.pausedError(); err != nil {
		return Decision{Err: err}
	}
	if s.Usable(env.Reading) {
		if bound := s.rotationBound(env, r); bound > 0 && left > 0 {
			return wait(bound)
		}
		return Decision{}
	}
	if s.Logins > r.Logins && s.LoginErr != nil {
		return Decision{Err: s.LoginErr}
	}
	if err := s.holdError(env.Reading); err != nil { // also beside a login by hand
		return Decision{Err: err}
	}
	if s.Work != nil {
		return wait(ReadWait)
	}
	switch err := s.MayLogin(env, s.neededReason(env.Reading, ""), s.Account); {
	case errors.Is(err, errLeasesRunning):
		return wait(s.Current.Remaining(env.Reading) - Margin)
	case errors.Is(err, ErrGivenUp):
		return wait(s.GivenUpLeft(env.Reading))
	case err != nil:
		return Decision{Err: err}
	default:
		return wait(ReadWait) // what the reader needs has only just become possible
	}
}

// StillWaiting is the error of a caller whose wait is over, by what has taken longest.
func (s *State) StillWaiting(now Reading) error {
	switch w := s.Work; {
	case s.Known != known:
		return ErrStorageSlow
	case w == nil && s.Saving == 0, w != nil && w.Step == loggingIn:
		return ErrStillWaiting
	case w == nil:
		return ErrStorageSlow
	case w.Failure != nil: // it is only being stored
		return &LoginError{Failure: *w.Failure, err: w.Err}
	case now.Elapsed-w.Began.Elapsed > 2*w.Took: // storage has taken more than half of the time
		return ErrStorageSlow
	default:
		return ErrStillWaiting
	}
}

// isUncorrected reports whether storage has times of the current token from before the clock was set back.
func (s *State) isUncorrected() bool { return s.Corrected > s.Saved && s.Corrected > s.Lost }

// rotationBound is how long a reader waits for the login in flight, or for storage to take a corrected token, although there is a
// token; 0 for not at all.
func (s *State) rotationBound(env Env, r *Reader) time.Duration {
	if s.isUncorrected() {
		return rotationWait - (env.Elapsed - r.Arrived.Elapsed)
	}
	if s.Work == nil {
		return 0
	}
	if s.Failure.Holds(env.Reading) {
		return 0
	}
	isRejected := r.Rejected != "" && r.Rejected == s.Current.ID
	switch {
	case isRejected && s.Work.Reason == ReasonRejected:
		return ReadWait - (env.Elapsed - r.Arrived.Elapsed)
	case isRejected || s.isDue(env.Reading):
		return rotationWait - (env.Elapsed - s.Work.Began.Elapsed)
	default:
		return 0
	}
}

// apply makes sure that what a reader needs is under way. Rotations ahead of time are the scheduler's: see Due.
func (e Read) apply(t *transition) {
	if t.Known != known {
		t.load()
		return
	}
	if reason := t.neededReason(t.env.Reading, e.Rejected); reason != "" {
		t.startIfAllowed(reason)
	}
}

// neededReason is why a login is needed at once, also by one who is not a reader; "" where none is.
func (s *State) neededReason(now Reading, rejected string) Reason {
	switch {
	case s.Usable(now) && rejected == s.Current.ID:
		return ReasonRejected
	case s.Usable(now):
		return ""
	case s.Current == nil && !s.RevokedAt.IsZero() && slices.ContainsFunc(s.Revoked, func(r revokedToken) bool {
		return r.End.After(now.Wall)
	}):
		return ReasonAfterRevoke
	case s.Current == nil:
		return ReasonFirstRead
	default:
		return ReasonRotation
	}
}
