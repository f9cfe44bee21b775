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
	// Protocol is that of the account, for messages that name its fields.
	Protocol upstream.Protocol
	// Message says what happened, without a secret.
	Message string
	At      time.Time
	// Consecutive counts the failures since the last success.
	Consecutive int
	// Step counts those of them that share the schedule of pauses.
	Step int
	// NextAttempt is when the next login may be tried.
	NextAttempt time.Time

	// elapsed is the reading at At, as if this process had been there.
	elapsed time.Duration
}

// left is what is left of the pause, by whichever clock gives less. A failure that lies in the future by more than its pause
// was noted by a clock that has been set right since: its pause could last for years, so it counts as over.
func (f *Failure) left(now Reading) time.Duration {
	if f == nil {
		return 0
	}
	length := f.NextAttempt.Sub(f.At)
	byWall := f.NextAttempt.Sub(now.Wall)
	if byWall > 2*length {
		return 0
	}
	return max(0, min(byWall, length-(now.Elapsed-f.elapsed)))
}

// paused reports whether the pause still holds.
func (f *Failure) paused(now Reading) bool { return f.left(now) > 0 }

// anchored is a failure that was read from storage, on the clocks of this process.
func (f *Failure) anchored(now Reading) *Failure {
	length := f.NextAttempt.Sub(f.At)
	f.elapsed = now.Elapsed - length + min(length, max(0, f.NextAttempt.Sub(now.Wall)))
	return f
}

// refused reports whether trying again with the same credentials is useless or worse: it may lock the account.
func (f *Failure) refused() bool {
	return f != nil && (f.Kind == upstream.Rejected || f.Kind == upstream.Invalid)
}

// newFailure makes the failure that follows before (nil for none) when a login of the account ended with err. life is that of
// the account's tokens.
//
// Once credentials were refused, a login that meets an outage says nothing about them: the refusal stays, and so does its
// schedule.
func newFailure(err error, before *Failure, now Reading, a *Account, life time.Duration) *Failure {
	f := &Failure{
		Kind: upstream.Unavailable, Protocol: a.Upstream.Protocol, Message: errUnfinished.Error(),
		At: now.Wall, Consecutive: 1, Step: 1, elapsed: now.Elapsed,
	}
	var retryAfter time.Duration
	if up, ok := errors.AsType[*upstream.Error](err); ok {
		f.Kind, f.Cause, f.Message, retryAfter = up.Kind, up.Cause, up.Error(), up.RetryAfter
	}
	if before != nil {
		f.Consecutive = before.Consecutive + 1
	}
	if before.refused() && !f.refused() {
		f.Kind, f.Cause, f.Message = before.Kind, before.Cause, before.Message
	}
	if before != nil && before.refused() == f.refused() {
		f.Step = max(before.Step, 1) + 1
	}
	f.NextAttempt = now.Wall.Add(pause(f, retryAfter, life))
	return f
}

// pause is how long no login is tried after a failure.
func pause(f *Failure, retryAfter, life time.Duration) time.Duration {
	switch {
	case f.refused():
		return refusedPause(f.Step)
	case f.Kind == upstream.Throttled && retryAfter > 0:
		return min(retryAfter, longestThrottle)
	default:
		return jitter(outagePause(f.Step, life))
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
