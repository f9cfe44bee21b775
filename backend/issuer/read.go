// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"strings"
	"time"
)

const (
	// rotationWait is how long a reader who could be given the old token waits for a rotation, from when it began.
	rotationWait = 2 * time.Second
	// readWait is how long a reader waits at most: sealing and step-down wait for the requests that are open. It is a little more
	// than the default request_timeout, so that the reader who caused a login that times out is told so.
	readWait = 15*time.Second + 50*time.Millisecond
)

// Read gives the account's shared token, and logs in for it only if it must. Errors: ErrNoAccount, ErrStopped, ErrStillWaiting,
// ErrStorageSlow, *PausedError, *LoginError, ctx's own, and storage's unwrapped.
func (i *Issuer) Read(ctx context.Context, name string) (Result, error) {
	if a, ok := i.ReadWarm(name, i.clock()); ok {
		return a, nil
	}
	return i.read(ctx, name, "")
}

// ReadWarm gives the account's shared token if it is in memory and can be served with no further thought; otherwise it does
// nothing. It takes no lock and never waits.
func (i *Issuer) ReadWarm(name string, now Reading) (Result, bool) {
	w, ok := i.lookup(name)
	if !ok {
		return Result{}, false
	}
	s := w.served.Load()
	if !s.fresh(now) {
		return Result{}, false
	}
	w.touch(now)
	return s.result(now), true
}

// ReadRejected is Read for a caller whom an API has refused the token of the given ID. Where that is still the current one,
// and old enough to have died, it is replaced once for all who ask; else they get what is current.
func (i *Issuer) ReadRejected(ctx context.Context, name, tokenID string) (Result, error) {
	return i.read(ctx, name, strings.ToLower(tokenID))
}

// reader is one read that is not warm.
type reader struct {
	rejected string
	arrived  Reading
	// loads and logins are those that had ended when the reader came.
	loads, logins int
}

// verdict is what a reader is to do now: take the token, take the error, or wait.
type verdict struct {
	err  error
	wait bool
	// bound is how long to wait at most.
	bound time.Duration
}

func (i *Issuer) read(ctx context.Context, name, rejected string) (Result, error) {
	w := i.acquire(name)
	defer w.release()
	r := reader{rejected: rejected, arrived: i.clock()}
	w.LastRead.Store(r.arrived.Wall.UnixNano()) // a read that fails is a sign of use as well
	a, err := w.await(ctx, &r)
	w.count(err, a.Now)
	return a, err
}

// await asks the state what the reader gets, and waits until something has changed where that is nothing yet.
func (w *worker) await(ctx context.Context, r *reader) (Result, error) {
	w.do(func(l *locked) { r.loads, r.logins = l.state.Loads, l.state.Logins })
	for active := false; ; {
		a, v, changed, needs := w.ask(r, active)
		if needs && !active {
			if err := w.issuer.startable(); err != nil { // asks another process: under no lock, and once
				return Result{}, err
			}
			active = true
			a, v, changed, _ = w.ask(r, active)
		}
		if !v.wait {
			return a, v.err
		}
		w.issuer.waiting.Add(1)
		err := w.wait(ctx, changed, v.bound)
		w.issuer.waiting.Add(-1)
		if err != nil {
			return Result{}, err
		}
	}
}

// ask asks the state once. needs says that something is to be begun first, which only an active node may.
func (w *worker) ask(r *reader, active bool) (a Result, v verdict, changed <-chan struct{}, needs bool) {
	w.do(func(l *locked) {
		env := w.env(active)
		if needs = l.state.readNeeds(env, r); needs {
			if !active {
				return
			}
			l.applyForReader(env, r)
			env = w.env(active)
		}
		v, changed = l.state.verdict(env, r), l.changed
		if !v.wait && v.err == nil {
			a = l.result(env.Reading)
		}
	})
	return a, v, changed, needs
}

// startable returns the error with which this node refuses to begin anything.
func (i *Issuer) startable() error {
	if i.ctx.Err() != nil {
		return ErrStopped
	}
	return i.mayLogin()
}

// applyForReader begins what the reader needs.
func (l *locked) applyForReader(env Env, r *reader) {
	if l.state.wantsRotation(env) {
		if l.turn = l.issuer.turns.Try(l.worker, l.state.Account.host()); l.turn != nil {
			l.apply(Due{}, true)
			return
		}
	}
	l.apply(Read{Rejected: r.rejected}, true)
}

// wantsRotation reports whether a reader has come before the scheduler.
func (s *State) wantsRotation(env Env) bool {
	return s.canServe(env.Reading) && s.Work == nil && s.mayLogin(env, ReasonRotation, s.Account) == nil
}

// readNeeds reports whether something is to be begun, or corrected, for the reader.
func (s *State) readNeeds(env Env, r *reader) bool {
	switch {
	case s.Known != known:
		isAnswered := s.Loads > r.loads && (s.LoadErr != nil || s.Known == absent)
		return s.Loading == 0 && !isAnswered
	case s.Work != nil:
		return false
	}
	if reason := s.readReason(env.Reading, r.rejected); reason != "" && s.mayLogin(env, reason, s.Account) == nil {
		return true
	}
	if s.Current != nil {
		if _, wrong := s.Current.corrected(env.Reading); wrong {
			return true
		}
	}
	return s.wantsRotation(env)
}

// verdict says what a reader is to do now. It is judged anew whenever something has changed.
func (s *State) verdict(env Env, r *reader) verdict {
	left := readWait - (env.Elapsed - r.arrived.Elapsed)
	wait := func(bound time.Duration) verdict {
		if left <= 0 {
			return verdict{err: s.stillWaiting()}
		}
		return verdict{wait: true, bound: min(bound, left)}
	}
	switch {
	case s.Known == known:
	case s.Loads > r.loads && s.LoadErr != nil:
		return verdict{err: s.LoadErr}
	case s.Loads > r.loads && s.Known == absent:
		return verdict{err: ErrNoAccount}
	default:
		return wait(readWait)
	}
	if s.Account.Paused {
		return verdict{err: &PausedError{Reason: s.Account.PauseReason}}
	}
	if s.usable(env.Reading) {
		if bound := s.rotationBound(env, r); bound > 0 && left > 0 {
			return wait(bound)
		}
		return verdict{}
	}
	if s.Logins > r.logins && s.LoginErr != nil {
		return verdict{err: s.LoginErr}
	}
	if s.Work != nil {
		return wait(readWait)
	}
	switch err := s.mayLogin(env, s.readReason(env.Reading, ""), s.Account); {
	case errors.Is(err, errLeasesRunning):
		return wait(s.Current.Remaining(env.Reading) - Margin)
	case errors.Is(err, errGivenUp):
		return wait(s.givenUpLeft(env.Reading))
	case err != nil:
		return verdict{err: err}
	default:
		return wait(readWait) // what the reader needs has only just become possible
	}
}

// stillWaiting is what a reader is told whose wait is over, by what it has waited for.
func (s *State) stillWaiting() error {
	if s.Known != known || s.Work != nil && s.Work.Step != loggingIn {
		return ErrStorageSlow
	}
	return ErrStillWaiting
}

// rotationBound is how long a reader waits for the login in flight, or for storage to take a corrected token, although there is a
// token; 0 for not at all.
func (s *State) rotationBound(env Env, r *reader) time.Duration {
	if s.Corrected > s.Saved && s.Corrected > s.Lost {
		return rotationWait - (env.Elapsed - r.arrived.Elapsed)
	}
	if s.Work == nil {
		return 0
	}
	isRejected := r.rejected != "" && r.rejected == s.Current.ID
	switch {
	case isRejected && s.Work.Reason == ReasonRejected:
		return readWait - (env.Elapsed - r.arrived.Elapsed)
	case isRejected || s.isDue(env.Reading):
		return rotationWait - (env.Elapsed - s.Work.Began.Elapsed)
	default:
		return 0
	}
}
