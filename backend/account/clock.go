// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// Reading is one look at both clocks of the host. The wall clock notices what the other does not (a machine that was
// suspended), and the elapsed one what the wall clock does not (a wall clock that was set back).
type Reading struct {
	// Wall is the wall clock, in UTC and without a monotonic part.
	Wall time.Time
	// Elapsed counts from an arbitrary moment of this process and never goes back.
	Elapsed time.Duration
}

// Clock tells the time. Tests hand in one that jumps.
type Clock func() Reading

// SystemClock reads the host's clocks.
func SystemClock() Clock {
	start := time.Now()
	return func() Reading {
		now := time.Now()
		return Reading{Wall: now.Round(0).UTC(), Elapsed: now.Sub(start)}
	}
}

// withElapsed is a token that was read from storage, on the clocks of this process.
func (t *Token) withElapsed(env Env) *Token {
	at, missed, _ := env.Clocks.elapsedAt(t.IssuedAt, env.Reading)
	t.elapsed, t.missed = at+t.missed, missed+t.missed // since it was stored, and before
	return t
}

// isFromFuture reports whether the token was issued well after now, by a clock that has been set back since: how much of its life
// is left is not known.
func (t *Token) isFromFuture(now Reading) bool {
	return now.Wall.Before(t.IssuedAt.Add(-clockTolerance))
}

// aged is the token with all that the wall clock shows to be over of its life.
func (t *Token) aged(now Reading) *Token {
	missed := t.elapsedLeft(now) - t.ExpiresAt.Sub(now.Wall)
	if missed <= t.missed+Margin {
		return t
	}
	aged := *t
	aged.missed = missed
	return &aged
}

// corrected is the token aged and on a wall clock that was set back since it was issued, and whether that was so: what is stored
// must not give the next process a longer life. A difference below the margin of every lease does no harm. A token that has ended
// keeps its times: where the clock was ahead when this process read it from storage, it has not.
func (t *Token) corrected(now Reading) (*Token, bool) {
	if t == nil {
		return nil, false
	}
	t = t.aged(now)
	left := t.elapsedLeft(now) - t.missed
	if left+t.lifeTold()-t.Life() <= 0 || t.ExpiresAt.Sub(now.Wall)-left <= Margin {
		return t, false
	}
	shifted := *t
	shifted.ExpiresAt = now.Wall.Add(left)
	shifted.IssuedAt = shifted.ExpiresAt.Add(-t.Life())
	return &shifted, true
}

// corrected is the failure on a wall clock that was set since, and whether that was so: the next attempt is said to be when it
// is, and the next process must not wait for longer. A hold that was moved back, as the clock was behind when this process read
// it from storage, is moved forward with the clock.
func (f *Failure) corrected(now Reading) (*Failure, bool) {
	next := now.Wall.Add(f.NextAttempt.Sub(f.At) - (now.Elapsed - f.elapsed))
	if !f.stored.IsZero() && f.stored.Before(next) {
		next = f.stored
	}
	by := next.Sub(f.NextAttempt)
	if by >= -Margin && (f.stored.IsZero() || by <= Margin) {
		return f, false
	}
	shifted := *f
	shifted.At, shifted.NextAttempt = f.At.Add(by), next
	return &shifted, true
}

// correctedFailures are the failed logins likewise.
func correctedFailures(all []failedLogin, now Reading) (right []failedLogin, wrong bool) {
	right = all
	for n, f := range all {
		if failure, isWrong := f.corrected(now); isWrong {
			if !wrong {
				right, wrong = slices.Clone(all), true
			}
			right[n].Failure = failure
		}
	}
	return right, wrong
}

// correctRevoked corrects the ends of revoked tokens likewise.
func (t *transition) correctRevoked() {
	now, isCopy := t.env.Reading, false
	for n, r := range t.Revoked {
		if r.otherClock || r.ahead(now) <= Margin {
			continue
		}
		if !isCopy {
			t.Revoked, isCopy = slices.Clone(t.Revoked), true
			t.changed()
		}
		t.Revoked[n].End = now.Wall.Add(r.elapsed - now.Elapsed)
	}
}

// correct is the token corrected, and whether its times were wrong.
func (t *transition) correct(token *Token) (right *Token, wrong bool) {
	right, wrong = token.corrected(t.env.Reading)
	if wrong {
		t.changed()
	} else if right != token {
		t.changedLazily()
	}
	return right, wrong
}

// correctClock corrects the times of tokens, holds and marks where the wall clock was set back since.
func (t *transition) correctClock() {
	now := t.env.Reading
	right, wrong := t.correct(t.Current)
	if wrong {
		t.Corrected = t.Version
	}
	t.Current = right
	if c := t.Current; c != nil && !t.Suspect && c.Remaining(now) <= 0 && c.ExpiresAt.Sub(now.Wall) > Margin {
		t.changed()
		t.Suspect = true // it has ended or, with a clock that was ahead at start, it has not
	}
	if right, wrong := correctedFailures(t.Failures, now); wrong {
		t.changed()
		t.setFailures(right)
	}
	if t.Work != nil {
		if right, wrong := correctedFailures(t.Work.failures, now); wrong {
			t.changed()
			t.changeWork(func(w *Work) { w.failures, w.Failure = right, lastOf(right, w.Account) })
		}
		if right, _ := t.correct(t.Work.Token); right != t.Work.Token {
			t.changeWork(func(w *Work) { w.Token = right })
		}
	}
	t.correctRevoked()
	for _, mark := range []*time.Time{&t.ForcedAt, &t.RejectedAt} {
		if mark.After(now.Wall) { // how long ago it was is not known
			t.changed()
			*mark = now.Wall
		}
	}
	for _, list := range []*[]*Token{&t.Superseded, &t.Deleted} {
		for n, token := range *list {
			if right, _ := t.correct(token); right != token {
				*list = slices.Clone(*list)
				(*list)[n] = right
			}
		}
	}
}
