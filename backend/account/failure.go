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

const (
	firstBackoff   = time.Second
	longestBackoff = time.Minute
	// LongestThrottle is the longest Retry-After that is believed.
	LongestThrottle = time.Hour
	// backoffShare is the part of a token's life that a backoff after an outage may take: with short-lived tokens a minute
	// would be most of the time that is left for a rotation.
	backoffShare = 20
	// backoffJitter spreads the attempts of many accounts that lost the same upstream at the same moment.
	backoffJitter = 0.25
)

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

	// askedUntil is the end of the Retry-After that the upstream has just given; zero where it gave none. It is not stored:
	// NextAttempt is never before it.
	askedUntil time.Time
	// elapsed is Reading.Elapsed at At, as if this process had been running then.
	elapsed time.Duration
	// credentials names those that the login sent, and login all that it sent: see credentialsOf and loginOf.
	credentials, login string
	// err is what kept a login of kind Blocked from beginning.
	err error
}

// Left is what is left of the hold, by whichever clock gives less.
func (f *Failure) Left(now Reading) time.Duration {
	if f == nil {
		return 0
	}
	length := f.NextAttempt.Sub(f.At)
	return max(0, min(f.NextAttempt.Sub(now.Wall), length-(now.Elapsed-f.elapsed)))
}

// age is how long ago the failure was, by whichever clock gives more.
func (f *Failure) age(now Reading) time.Duration {
	return max(now.Wall.Sub(f.At), now.Elapsed-f.elapsed)
}

// Holds reports whether no login may be made yet.
func (f *Failure) Holds(now Reading) bool { return f.Left(now) > 0 }

// concerns reports whether the failure says something about an account under other settings than those it came with. Refused
// credentials stay refused, and a throttled caller stays throttled, whatever else was changed; an outage may have been mended by
// the change, and a malformed request by any change of what is sent.
func (f *Failure) concerns(a *Account) bool {
	switch {
	case f == nil:
		return false
	case f.Kind == upstream.Invalid:
		return f.login == loginOf(&a.Upstream)
	case f.Kind != upstream.Rejected && f.Kind != upstream.Throttled:
		return false
	case f.credentials == "": // stored by an older version
		return !a.CredentialsUpdatedAt.After(f.At)
	default:
		return f.credentials == credentialsOf(&a.Upstream)
	}
}

// newFailure makes the failure that follows before (nil for none) when a login of the account ended with err. life is that of
// the account's tokens, and chance in [0, 1) spreads the backoff.
//
// Once credentials were refused, a login that meets an outage says nothing about them: the refusal stays, and so does its
// schedule.
func newFailure(err error, before *Failure, env Env, a *Account, life time.Duration) *Failure {
	f := &Failure{
		Kind: upstream.Unavailable, Protocol: a.Upstream.Protocol, Message: err.Error(), At: env.Wall, Consecutive: 1, Step: 1,
		elapsed: env.Elapsed, credentials: credentialsOf(&a.Upstream), login: loginOf(&a.Upstream),
	}
	var retryAfter time.Duration
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		f.Kind, f.Cause, f.Message, retryAfter = failed.Kind, failed.Cause, failed.Error(), failed.RetryAfter
	}
	if before != nil {
		f.Consecutive = before.Consecutive + 1
	}
	if before.Refused() && !f.Refused() {
		f.Kind, f.Cause, f.Message = before.Kind, before.Cause, before.Message
		f.credentials, f.login = before.credentials, before.login
	}
	if before != nil && before.Refused() == f.Refused() {
		f.Step = max(before.Step, 1) + 1
	}
	if retryAfter = min(retryAfter, LongestThrottle); retryAfter > 0 {
		f.askedUntil = env.Wall.Add(retryAfter)
	}
	f.NextAttempt = env.Wall.Add(holdLength(f, retryAfter, life, env.Chance))
	if again, ok := errors.AsType[*repeatError](err); ok && !before.Refused() {
		f.Message, f.NextAttempt = again.Error(), later(f.NextAttempt, again.until)
	}
	return f
}

// blocked is the failure that follows when a login could not begin. A hold that is still running stays as it is, and so does an
// open circuit breaker: the upstream has said nothing that would change it. Its probe comes again when the login can begin.
func (f *Failure) blocked(err error, env Env, a *Account) *Failure {
	if f.Holds(env.Reading) || f.Refused() {
		kept := *f
		kept.Consecutive++
		if !f.Holds(env.Reading) {
			kept.NextAttempt = env.Wall.Add(longestBackoff)
		}
		return &kept
	}
	next := &Failure{
		Kind: Blocked, Protocol: a.Upstream.Protocol, Message: "a login could not begin: " + err.Error(), At: env.Wall, Consecutive: 1,
		Step: 1, elapsed: env.Elapsed, credentials: credentialsOf(&a.Upstream), err: err,
	}
	if f != nil {
		next.Consecutive = f.Consecutive + 1
		if f.Kind == Blocked {
			next.Step = f.Step + 1
		}
	}
	next.NextAttempt = env.Wall.Add(backoff(next.Step, longestBackoff*backoffShare))
	return next
}

// afterForced is the failure that a login leaves which was made while before still held. Trying by hand must not push the
// engine's own next attempt away, nor bring it nearer than what the upstream has asked for.
func (f *Failure) afterForced(before *Failure, env Env) *Failure {
	if !before.Holds(env.Reading) {
		return f
	}
	kept := *f
	// The hold of an outage, or of a probe that could not begin, would have refused credentials sent again within a minute.
	isRefusal := f.Refused() && (!before.Refused() || before.age(env.Reading) >= probeAfter(before.Step))
	if isRefusal || f.Kind == upstream.Throttled && before.Kind != upstream.Throttled {
		kept.NextAttempt = later(before.NextAttempt, f.NextAttempt)
		return &kept
	}
	kept.Step, kept.NextAttempt = before.Step, later(before.NextAttempt, f.askedUntil)
	if before.Kind == upstream.Throttled && f.Kind != upstream.Throttled { // the upstream's Retry-After still runs
		kept.Kind, kept.Cause, kept.Message = before.Kind, before.Cause, before.Message
	}
	return &kept
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
