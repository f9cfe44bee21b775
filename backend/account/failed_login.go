// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// maxFailedLogins bounds those that are remembered. An account has ten of its own at most.
const maxFailedLogins = 16

// refusedKept is how long a refusal is remembered after its hold, also when other settings are in force: the next refusal of the
// same is one of a series.
const refusedKept = 24 * time.Hour

// sent names what a login sends, by digests.
type sent struct {
	Login       string
	Credentials string
	// Verification says that a write of settings asked for it.
	Verification bool
}

// sentBy is what a login with the settings sends. The digests are made once: each read in a hold asks for them.
func sentBy(a *Account, verification bool) sent {
	known := a.sent.Load()
	if known == nil {
		known = &sent{Login: loginOf(&a.Upstream), Credentials: credentialsOf(&a.Upstream)}
		a.sent.Store(known)
	}
	s := *known
	s.Verification = verification
	return s
}

// failedLogin is a login that failed, and what it had sent. Its hold belongs to that, and not to the account: settings that
// come, go and come again find the holds that are theirs. Each has its own, so that none shortens, ends or hides another.
type failedLogin struct {
	*Failure
	sent
}

// concerns reports whether a login that would send this has to heed the failure. Refused credentials stay refused, and a
// throttled caller stays throttled, whatever else is changed; a malformed request or an outage may have been mended by the
// change. A verification that meets an outage says nothing to readers: they have a token, or a login of their own.
func (f failedLogin) concerns(s sent) bool {
	switch f.Kind {
	case upstream.Rejected, upstream.Throttled:
		return f.Credentials == s.Credentials
	case upstream.Invalid:
		return f.Login == s.Login
	default:
		return f.sent == s
	}
}

// lasts reports whether the failure outlives the settings, if they are deleted and written again.
func (f failedLogin) lasts() bool { return f.Refused() || f.Kind == upstream.Throttled }

// isOver reports whether the failure says nothing about the next login with such settings.
func (f failedLogin) isOver(now Reading) bool {
	kept := f.Refused() && now.Wall.Sub(later(f.NextAttempt, f.latest)) < refusedKept
	return !kept && !f.Holds(now)
}

// is reports whether both are of one kind, of which the later takes the place of the earlier.
func (f failedLogin) is(other *Failure) bool {
	return f.Kind == other.Kind && (f.Cause == Repeated) == (other.Cause == Repeated)
}

// isReplacedBy reports whether a later failure takes the place of this one: it is of the same kind, and concerns the same.
func (f failedLogin) isReplacedBy(next failedLogin) bool {
	return f.is(next.Failure) && f.concerns(next.sent)
}

// failureOf is what the failed logins come to for settings: how the last one ended, and the longest of their holds. An open
// circuit breaker is what counts, whatever has happened beside it. It is nil for none.
func failureOf(all []failedLogin, a *Account, verification bool) *Failure {
	if len(all) == 0 || a == nil {
		return nil
	}
	f := heldBy(all, sentBy(a, verification))
	if f != nil {
		f.Protocol = a.Upstream.Protocol
	}
	return f
}

// heldBy is the same for what a login would send.
func heldBy(all []failedLogin, s sent) *Failure {
	var first, longest *Failure
	consecutive := 0
	for _, f := range all {
		if !f.concerns(s) {
			continue
		}
		if first == nil || f.comesBefore(first) {
			first = f.Failure
		}
		if longest == nil || f.NextAttempt.After(longest.NextAttempt) {
			longest = f.Failure
		}
		consecutive = max(consecutive, f.Consecutive)
	}
	if first == nil {
		return nil
	}
	f := *first
	f.Consecutive, f.NextAttempt = consecutive, longest.NextAttempt
	return &f
}

// comesBefore reports whether this failure, rather than an earlier one of the list, says how the account is.
func (f failedLogin) comesBefore(other *Failure) bool {
	switch {
	case f.Refused() || other.Refused():
		return f.Refused() && (!other.Refused() || !f.At.Before(other.At))
	case !f.NextAttempt.Equal(other.NextAttempt):
		return f.NextAttempt.After(other.NextAttempt)
	default: // what was found while a hold ran shares its end
		return other.Kind == Blocked || f.Kind == upstream.Throttled
	}
}

// setFailures takes over other failed logins. What they come to for the settings in force follows from them. The last stays, as
// it may have come just now.
func (s *State) setFailures(all []failedLogin) {
	if own := failureOwner(s.Account); len(all) > s.limits().failedLogins {
		first := slices.MinFunc(all[:len(all)-1], func(a, b failedLogin) int { // those of other settings first, by their ends
			switch {
			case own(a) && !own(b):
				return 1
			case own(b) && !own(a):
				return -1
			default:
				return a.NextAttempt.Compare(b.NextAttempt)
			}
		})
		all = without(all, func(f failedLogin) bool { return f == first })
	}
	s.Failures = all
	s.Failure = failureOf(all, s.Account, false)
}

// failureOwner tells which failures concern logins or verifications of the settings.
func failureOwner(a *Account) func(failedLogin) bool {
	if a == nil {
		return func(failedLogin) bool { return false }
	}
	login := sentBy(a, false)
	verification := login
	verification.Verification = true
	return func(f failedLogin) bool { return f.concerns(login) || f.concerns(verification) }
}

// dropOver forgets the failures that say nothing about the settings in force, nor about the next ones.
func (t *transition) dropOver() {
	own, before := failureOwner(t.Account), len(t.Failures)
	t.setFailures(without(t.Failures, func(f failedLogin) bool { return f.isOver(t.env.Reading) && !own(f) }))
	if len(t.Failures) != before {
		t.changed()
	}
}

// failuresAfter are the failed logins once the one that was sent has ended with err; life is that of its tokens. It moves no hold
// that still runs but for a Retry-After: only a login by hand does not heed holds, or one that was cut off, and it must neither
// push the engine's own next attempt away nor bring it nearer.
func (s *State) failuresAfter(err error, env Env, sent sent, life time.Duration) []failedLogin {
	before := heldBy(s.Failures, sent)
	f, retryAfter := newFailure(err, env)
	f.Consecutive = 1 + before.consecutive()
	var next []failedLogin
	var held *Failure // of the same kind, whose hold still runs
	step := 0         // the last one of the schedule that f shares
	for _, old := range s.Failures {
		switch {
		case !old.concerns(sent):
			next = append(next, old)
			continue
		case old.Kind == Blocked, old.Refused() && isAccepted(err): // the upstream was asked since, or took the credentials
			continue
		case old.Refused():
			old = old.probed(env)
		}
		if old.Refused() == f.Refused() {
			step = max(step, old.Step)
		}
		if !old.is(f) {
			next = append(next, old)
		} else if old.Holds(env.Reading) {
			held = old.Failure
		}
	}
	again, repeats := errors.AsType[*repeatError](err)
	switch {
	case held != nil:
		f.Step, f.NextAttempt = held.Step, held.NextAttempt
	case f.Refused():
		f.Step = max(step, 1)
		f.NextAttempt = env.Wall.Add(probeAfter(f.Step))
	default:
		f.Step = step + 1
		f.NextAttempt = env.Wall.Add(holdLength(f.Step, retryAfter, life, env.Chance))
		if repeats {
			f.NextAttempt = later(f.NextAttempt, again.until)
		}
		if before.Holds(env.Reading) && f.NextAttempt.After(before.NextAttempt) {
			f.NextAttempt = before.NextAttempt
		}
	}
	f.NextAttempt = later(f.NextAttempt, env.Wall.Add(retryAfter))
	if repeats && again.isEnd && again.until.After(env.Wall) { // there is no other token before
		f.NextAttempt = later(again.until, env.Wall.Add(firstBackoff))
	}
	return append(next, failedLogin{f, sent})
}

// isAccepted reports whether the upstream has taken what was sent, although it brought no token that can be served.
func isAccepted(err error) bool {
	_, repeats := errors.AsType[*repeatError](err)
	return repeats || errors.Is(err, errExpiredOnArrival)
}

// lastOf is what the last login met, with the time of the next attempt and the number of failures that all come to for it; nil if
// none has failed.
func lastOf(all []failedLogin, a *Account) *Failure {
	if len(all) == 0 {
		return nil
	}
	last := all[len(all)-1]
	f, come := *last.Failure, heldBy(all, last.sent)
	f.Protocol, f.Consecutive, f.NextAttempt = a.Upstream.Protocol, come.Consecutive, come.NextAttempt
	return &f
}

// failuresAfterBlocked are the failed logins once one could not begin. The upstream has said nothing that would change others.
func (s *State) failuresAfterBlocked(err error, env Env, a *Account) []failedLogin {
	sent, step := sentBy(a, false), 0
	next := without(s.Failures, func(f failedLogin) bool {
		isOld := f.Kind == Blocked && f.concerns(sent)
		if isOld {
			step = f.Step
		}
		return isOld
	})
	f := &Failure{
		Kind: Blocked, Message: "a login could not begin: " + err.Error(), At: env.Wall, Consecutive: 1 + s.Failure.consecutive(),
		Step: step + 1, err: err,
	}
	f.NextAttempt = env.Wall.Add(backoff(f.Step, longestBackoff*backoffShare))
	if s.Failure.Holds(env.Reading) {
		f.Step, f.NextAttempt = max(step, 1), s.Failure.NextAttempt
	}
	return append(next, failedLogin{f, sent})
}

func (f *Failure) consecutive() int {
	if f == nil {
		return 0
	}
	return f.Consecutive
}

// failuresAfterSuccess are those that a successful login leaves: they are of other settings, about which it says nothing.
func (s *State) failuresAfterSuccess() []failedLogin {
	if len(s.Failures) == 0 {
		return nil
	}
	return without(s.Failures, failureOwner(s.Account))
}
