// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// All times of a State are by the wall clock as it goes now, and what is asked of them is asked of this clock alone. When the
// clock was set, one place takes the whole State along: a step back moves all times back with it, so that no life and no hold
// gets longer; a step forward moves none, as the machine may have been suspended. Whether it was, or the clock was ahead
// before the step, cannot be known. So what is to be remembered has, beside its end, a slack: it is forgotten when both are over.

// clockStep is how the wall clock was set.
type clockStep struct {
	forward, back time.Duration
	// lowered is by how much the clock may have been ahead when the process began, where this step has shown so.
	lowered time.Duration
}

// since is how the clock was set since then, by the same process.
func (s ClockSteps) since(then ClockSteps) clockStep {
	by := clockStep{forward: s.Forward - then.Forward, back: s.Back - then.Back}
	if s.Lowered > then.Lowered {
		by.lowered = s.Lowered
	}
	return by
}

// of is a time after the step.
func (s clockStep) of(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-s.back)
}

func (s clockStep) token(t *Token) *Token {
	if t == nil {
		return nil
	}
	next := *t
	next.IssuedAt, next.ExpiresAt, next.slack = s.of(t.IssuedAt), s.of(t.ExpiresAt), s.slack(t.slack)
	next.refreshExpiresAt, next.revokedAt = s.of(t.refreshExpiresAt), s.of(t.revokedAt)
	return &next
}

// slack is a slack after the step. What the last process has seen of a clock that was ahead explains that it was when this one
// began.
func (s clockStep) slack(before time.Duration) time.Duration { return max(before+s.forward, s.lowered) }

// failure has a hold end when the clock says so or, if that is earlier, when its length is over.
func (s clockStep) failure(f *Failure) *Failure {
	next := *f
	if f.latest.IsZero() {
		next.planned, next.latest = f.NextAttempt, f.NextAttempt
	}
	next.latest = s.of(next.latest).Add(s.forward)
	next.NextAttempt = next.planned
	if next.latest.Before(next.planned) {
		next.NextAttempt = next.latest
	}
	next.At = f.At.Add(next.NextAttempt.Sub(f.NextAttempt))
	return &next
}

func (s clockStep) failures(all []failedLogin) []failedLogin {
	all = slices.Clone(all)
	for n, f := range all {
		all[n].Failure = s.failure(f.Failure)
	}
	return all
}

func (s clockStep) tokens(all []*Token) []*Token {
	all = slices.Clone(all)
	for n, t := range all {
		all[n] = s.token(t)
	}
	return all
}

// IsBehind reports whether the clock was set since the State was by it.
func (s *State) IsBehind(clock ClockSteps) bool { return clock.since(s.clock) != clockStep{} }

// At is the State by the clock as it goes now.
func (s *State) At(clock ClockSteps) State {
	next := *s
	next.move(clock)
	return next
}

// followClock takes the State along where the wall clock was set. The next process must not find the times from before a step
// back.
func (t *transition) followClock() {
	switch by := t.move(t.env.Clock); {
	case by == clockStep{}, t.Known == unknown:
	case by.back > 0:
		t.changed()
		if t.Current != nil {
			t.Corrected = t.Version
		}
	default:
		t.changedLazily()
	}
}

// move takes all that has a time along, and returns how the clock was set.
func (s *State) move(clock ClockSteps) (by clockStep) {
	by, s.clock = clock.since(s.clock), clock
	if by == (clockStep{}) {
		return by
	}
	s.Current = by.token(s.Current)
	s.Superseded, s.Deleted = by.tokens(s.Superseded), by.tokens(s.Deleted)
	s.Revoked = slices.Clone(s.Revoked)
	for n, r := range s.Revoked {
		s.Revoked[n] = revokedToken{ID: r.ID, End: by.of(r.End), slack: by.slack(r.slack)}
	}
	s.Outbox = slices.Clone(s.Outbox)
	for n, o := range s.Outbox {
		s.Outbox[n].Token = by.token(o.Token)
	}
	s.setFailures(by.failures(s.Failures))
	s.ForcedAt, s.RejectedAt, s.RevokedAt = by.of(s.ForcedAt), by.of(s.RejectedAt), by.of(s.RevokedAt)
	if s.Work != nil {
		work := *s.Work
		work.Began.Wall, work.Token, work.failures = by.of(work.Began.Wall), by.token(work.Token), by.failures(work.failures)
		work.Failure = lastOf(work.failures, work.Account)
		s.Work = &work
	}
	return by
}

// fromOtherProcess takes the times that another process has stored by the clock as it was when this one began. One of the two may
// have been wrong: no hold is longer than it was for that, and it is still in force when the clock is set right.
func (t *transition) fromOtherProcess() {
	now, stored := t.env.Wall, t.Failures
	t.clock = ClockSteps{}
	t.move(t.env.Clock)
	if c := t.Current; c != nil && c.IssuedAt.Sub(now) > clockTolerance { // how much of its life is left is not known
		t.Suspect = true
	}
	failures := slices.Clone(stored)
	for n, f := range stored {
		next := *f.Failure
		next.planned, next.latest = f.NextAttempt, now.Add(f.NextAttempt.Sub(f.At))
		failures[n].Failure = clockStep{}.failure(&next)
		if failures[n].NextAttempt.Before(f.NextAttempt) {
			t.changed() // nor does the next process wait for longer
		}
	}
	t.setFailures(failures)
	for _, mark := range []*time.Time{&t.ForcedAt, &t.RejectedAt} {
		if mark.After(now) { // how long ago it was is not known
			*mark = now
		}
	}
}
