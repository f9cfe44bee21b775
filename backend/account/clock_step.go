// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// All times of a State are by the wall clock as it goes now, and what is asked of them is asked of this clock alone. When the
// clock was set, one place takes the whole State along: a step back moves all times back with it, so that no life gets
// longer; a step forward moves only holds, as the machine may have been suspended. Whether it was, or the clock was ahead before
// the step, cannot be known. So what is to be remembered has, beside its end, a slack: it is forgotten when both are over.

// clockStep is how the wall clock was set.
type clockStep struct {
	forward, back time.Duration
	// lowered is by how much further back the clock was set than it ever was.
	lowered time.Duration
}

// slack is by how much later than it looks a thing may end, if of all steps since one was a mistake: forward is for a clock that
// was ahead since, lowered for one that was ahead before.
type slack struct{ forward, lowered time.Duration }

func (s slack) max() time.Duration { return max(s.forward, s.lowered) }

func (s slack) atMost(d time.Duration) slack { return slack{min(s.forward, d), min(s.lowered, d)} }

// after is the slack after one more step.
func (s slack) after(by clockStep) slack {
	return slack{s.forward + by.forward, s.lowered + by.lowered}
}

// since is how the clock was set since then, by the same process.
func (s ClockSteps) since(then ClockSteps) clockStep {
	return clockStep{s.Forward - then.Forward, s.Back - then.Back, s.Lowered - then.Lowered}
}

// of is a time after the step.
func (s clockStep) of(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-s.back)
}

// token is a token after the step. now is the wall clock then.
func (s clockStep) token(t *Token, now time.Time) *Token {
	if t == nil {
		return nil
	}
	next := *t
	next.IssuedAt, next.ExpiresAt = s.of(t.IssuedAt), s.of(t.ExpiresAt)
	// It was issued before now: by this step, it does not end later than its life from now on.
	next.slack = t.slack.after(s).atMost(max(t.slack.max(), now.Add(t.lifeTold()).Sub(next.endTold())))
	next.refreshExpiresAt, next.revokedAt = s.of(t.refreshExpiresAt), s.of(t.revokedAt)
	return &next
}

// failure is a failure after the step: a hold is as long as it was. One that another process has stored ends when the clock says
// so or, if that is earlier, when its length is over.
func (s clockStep) failure(f *Failure) *Failure {
	next := *f
	next.NextAttempt = s.of(f.NextAttempt).Add(s.forward)
	if !f.stored.IsZero() {
		next.latest = s.of(f.latest).Add(s.forward)
		next.NextAttempt = f.stored
		if next.latest.Before(f.stored) {
			next.NextAttempt = next.latest
		}
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

func (s clockStep) tokens(all []*Token, now time.Time) []*Token {
	all = slices.Clone(all)
	for n, t := range all {
		all[n] = s.token(t, now)
	}
	return all
}

// IsBehind reports whether the clock was set since the State was by it.
func (s *State) IsBehind(clock ClockSteps) bool { return clock.since(s.clock) != clockStep{} }

// At is the State by the clock as it goes now.
func (s *State) At(clock ClockSteps, now Reading) State {
	next := *s
	next.move(clock, now)
	return next
}

// followClock takes the State along where the wall clock was set.
func (t *transition) followClock() {
	if by := t.move(t.env.Clock, t.env.Reading); t.Known != unknown {
		t.moved(by)
	}
}

// moved has the State stored: the next process must not find the times from before the clock was set, above all from before it
// was set back.
func (t *transition) moved(by clockStep) {
	if by == (clockStep{}) {
		return
	}
	t.changed()
	if by.back > 0 && t.Current != nil {
		t.Corrected = t.Version
	}
}

// move takes all that has a time along, and returns how the clock was set.
func (s *State) move(clock ClockSteps, now Reading) (by clockStep) {
	by, s.clock = clock.since(s.clock), clock
	if by == (clockStep{}) {
		return by
	}
	s.Current = by.token(s.Current, now.Wall)
	s.Superseded, s.Deleted = by.tokens(s.Superseded, now.Wall), by.tokens(s.Deleted, now.Wall)
	s.Revoked = slices.Clone(s.Revoked)
	for n, r := range s.Revoked {
		s.Revoked[n] = revokedToken{ID: r.ID, End: by.of(r.End), slack: r.slack.after(by)}
	}
	s.Outbox = slices.Clone(s.Outbox)
	for n, o := range s.Outbox {
		s.Outbox[n].Token = by.token(o.Token, now.Wall)
	}
	s.setFailures(by.failures(s.Failures))
	s.ForcedAt, s.RejectedAt, s.RevokedAt = by.of(s.ForcedAt), by.of(s.RejectedAt), by.of(s.RevokedAt)
	if s.Work != nil {
		work := *s.Work
		work.Began.Wall, work.Token, work.failures = by.of(work.Began.Wall), by.token(work.Token, now.Wall), by.failures(work.failures)
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
	t.moved(t.move(t.env.Clock, t.env.Reading))
	if c := t.Current; c != nil && c.IssuedAt.Sub(now) > clockTolerance { // how much of its life is left is not known
		t.Suspect = true
	}
	failures := slices.Clone(stored)
	for n, f := range stored {
		next := *f.Failure
		next.stored, next.latest = f.NextAttempt, now.Add(f.NextAttempt.Sub(f.At))
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
