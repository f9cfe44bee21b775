// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// Blocked is the kind of a login that could not begin, because storage takes no writes, say. The upstream heard nothing of it.
const Blocked upstream.Kind = "blocked"

// Failure is a login that failed, and the hold that follows it: no login is made before NextAttempt. It is immutable.
type Failure struct {
	Kind  upstream.Kind
	Cause upstream.Cause
	// Protocol is that of the account, for messages that name its fields.
	Protocol upstream.Protocol
	// Message says what happened, without a secret.
	Message string
	At      time.Time
	// Consecutive counts the failures since the last success.
	Consecutive int
	// Step counts those of them that share the schedule of holds.
	Step int
	// NextAttempt is when the next login may be tried.
	NextAttempt time.Time

	// Where another process has stored the failure, stored is NextAttempt as that had it, and latest when the length of the hold is
	// over: see clockStep.
	stored, latest time.Time
	// err is what kept a login of kind Blocked from beginning.
	err error
}

// IsUnusable reports whether the login could not begin since its settings cannot be used.
func (f *Failure) IsUnusable() bool { return errors.Is(f.err, ErrUnusable) }

// Left is what is left of the hold.
func (f *Failure) Left(now Reading) time.Duration {
	if f == nil {
		return 0
	}
	return max(0, f.NextAttempt.Sub(now.Wall))
}

// Holds reports whether no login may be made yet.
func (f *Failure) Holds(now Reading) bool { return f.Left(now) > 0 }

// newFailure is the failure of a login that ended with err, with the Retry-After that came with it. Its hold is not known yet.
func newFailure(err error, env Env) (f *Failure, retryAfter time.Duration) {
	f = &Failure{Kind: upstream.Unavailable, Message: err.Error(), At: env.Wall, NextAttempt: env.Wall}
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		f.Kind, f.Cause, f.Message = failed.Kind, failed.Cause, failed.Error()
		retryAfter = min(failed.RetryAfter, LongestThrottle)
	}
	if again, ok := errors.AsType[*repeatError](err); ok {
		f.Message = again.Error()
	}
	return f, retryAfter
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
