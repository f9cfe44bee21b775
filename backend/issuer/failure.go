// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"errors"
	"math/rand/v2"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	firstPause      = time.Second
	longestPause    = time.Minute
	longestThrottle = time.Hour
	clockTolerance  = time.Hour
	// pauseShare is the part of a token's life that a pause after an outage may take: with short-lived tokens a minute
	// would be most of the time that is left for a rotation.
	pauseShare = 20
	// pauseJitter spreads the attempts of many accounts that lost the same upstream at the same moment.
	pauseJitter = 0.25
)

// Failure is a login that failed, and the pause that follows it. All that read the account share it.
type Failure struct {
	Kind  upstream.Kind
	Cause upstream.Cause
	// Message says what happened, without a secret.
	Message string
	At      time.Time
	// Consecutive counts the failures since the last success.
	Consecutive int
	// NextAttempt is when the next login may be tried.
	NextAttempt time.Time
}

// paused reports whether the pause still holds. A failure that lies well in the future was noted by a clock that has been set
// right since: its pause could last for years, so it counts as over.
func (f *Failure) paused(now Reading) bool {
	if f == nil {
		return false
	}
	return now.Wall.Before(f.NextAttempt) && !now.Wall.Before(f.At.Add(-clockTolerance))
}

// refused reports whether trying again with the same credentials is useless or worse: it may lock the account.
func (f *Failure) refused() bool {
	return f.Kind == upstream.Rejected || f.Kind == upstream.Invalid
}

// newFailure makes the failure that follows before (nil for none) when a login ended with err at the given time. life is
// that of the account's tokens.
func newFailure(err error, before *Failure, now time.Time, life time.Duration) *Failure {
	f := &Failure{Kind: upstream.Unavailable, Message: "the login did not finish", At: now, Consecutive: 1}
	var retryAfter time.Duration
	if up, ok := errors.AsType[*upstream.Error](err); ok {
		f.Kind, f.Cause, f.Message, retryAfter = up.Kind, up.Cause, up.Error(), up.RetryAfter
	}
	if before != nil {
		f.Consecutive = before.Consecutive + 1
	}
	f.NextAttempt = now.Add(pause(f, streak(f, before), retryAfter, life))
	return f
}

// streak is how many failures in a row had the same remedy: a refusal after an outage is the first refusal.
func streak(f, before *Failure) int {
	if before == nil || before.refused() != f.refused() {
		return 1
	}
	return f.Consecutive
}

// pause is how long no login is tried after the n-th failure in a row.
func pause(f *Failure, n int, retryAfter, life time.Duration) time.Duration {
	switch {
	case f.refused():
		return refusedPause(n)
	case f.Kind == upstream.Throttled && retryAfter > 0:
		return min(retryAfter, longestThrottle)
	default:
		return jitter(outagePause(n, life))
	}
}

// refusedPause holds few enough probes that no lock-out policy known to us minds them, and finds out within a day that the
// vendor has let the account in again.
func refusedPause(n int) time.Duration {
	switch n {
	case 1:
		return 15 * time.Minute
	case 2:
		return time.Hour
	case 3:
		return 6 * time.Hour
	default:
		return 24 * time.Hour
	}
}

// outagePause doubles from one second to a minute, or to a twentieth of the token's life where that is less.
func outagePause(n int, life time.Duration) time.Duration {
	longest := max(firstPause, min(longestPause, life/pauseShare))
	if n > 6 { // 2^6 s is more than a minute
		return longest
	}
	return min(firstPause<<(n-1), longest)
}

func jitter(d time.Duration) time.Duration {
	share := 1 + pauseJitter*(2*rand.Float64()-1) //nolint:gosec // chance that spreads load, not a secret
	return time.Duration(float64(d) * share)
}
