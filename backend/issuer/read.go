// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// rotationPatience is how long a reader who could be given the old token waits for a rotation, from when it began.
	rotationPatience = 2 * time.Second
	// leastTTL keeps clients that follow Answer.TTL from coming more often than this while a rotation is overdue, for however long
	// that is. Just before a rotation they are told the second that is left: with more they would miss it.
	leastTTL = 5 * time.Second
	// overdueSpread spreads clients that all wait for the same late rotation.
	overdueSpread = 10 * time.Second
	// A token that an API refused is replaced only if it had time to die, and only so often: see ReadRejected.
	leastRejectedAge = time.Minute
	rejectedEvery    = 5 * time.Minute
)

// Answer is what a reader gets. All of it comes from one reading of the clock.
type Answer struct {
	Account *Account
	Token   *Token
	Now     Reading
	// Remaining is the life that the token has left.
	Remaining time.Duration
	// TTL is the time until the latest planned moment of rotation, after which a reader finds a new token.
	TTL time.Duration
	// RotationPeriod is the time between rotations.
	RotationPeriod time.Duration
	// Memo is for the caller, who may keep in it what it has made of Account, Token and RotationPeriod: these stay the same
	// for many answers, and the memo goes when they go.
	Memo *atomic.Value
}

func (s *served) answer(now Reading) Answer {
	left := s.token.Remaining(now)
	return Answer{
		Account:        s.account,
		Token:          s.token,
		Now:            now,
		Remaining:      left,
		TTL:            min(max(left-s.rotateLeft, time.Second), left),
		RotationPeriod: s.token.Life() - s.rotateLeft,
		Memo:           &s.memo,
	}
}

// answer is what a reader gets who does not wait, and whether the token is not yet due for rotation. Callers hold mu and have
// found the token alive.
func (e *entry) answer(now Reading) (Answer, bool) {
	s := newServed(e.settings, e.current)
	if s.fresh(now) {
		return s.answer(now), true
	}
	return s.overdueAnswer(now, e.heldFor(now)), false
}

// overdueAnswer serves a token whose rotation is late: behind a slow login, a queue, or a pause that ends after the given time.
func (s *served) overdueAnswer(now Reading, next time.Duration) Answer {
	a := s.answer(now)
	chance := time.Duration(rand.Int64N(int64(overdueSpread))) //nolint:gosec // chance that spreads load, not a secret
	// Clients add a chance of their own, of up to a tenth: they must be back before the token dies.
	latest := a.Remaining / 100 * 85 // see rotatesAt
	a.TTL = max(min(next+s.account.Upstream.RequestTimeout+chance, latest), min(leastTTL, a.Remaining))
	return a
}

// Read gives the account's shared token, and logs in for it only if it must. Errors: ErrNoAccount, ErrStopped, *PausedError,
// *LoginError, ctx's own, and storage's unwrapped.
func (i *Issuer) Read(ctx context.Context, name string) (Answer, error) {
	if a, ok := i.ReadWarm(name, i.clock()); ok {
		return a, nil
	}
	return i.await(ctx, i.entry(name), "")
}

// ReadWarm gives the account's shared token if it is in memory and can be handed out with no further thought; otherwise it does
// nothing. It takes no lock and never waits.
func (i *Issuer) ReadWarm(name string, now Reading) (Answer, bool) {
	value, ok := i.entries.Load(name)
	if !ok {
		return Answer{}, false
	}
	e := value.(*entry) //nolint:forcetypeassert // the map holds nothing else
	s := e.served.Load()
	if !s.fresh(now) {
		return Answer{}, false
	}
	e.touch(now)
	return s.answer(now), true
}

// ReadRejected is Read for a caller whom an API has refused the token of the given ID. Where that is still the current one,
// and old enough to have died, it is replaced once for all who ask; else they get what is current.
func (i *Issuer) ReadRejected(ctx context.Context, name, tokenID string) (Answer, error) {
	return i.await(ctx, i.entry(name), tokenID)
}

// decision is what a reader is to do next: to take the answer or the error, or to wait for a flight.
type decision struct {
	answer Answer
	err    error
	flight *flight
	// patience bounds the wait where there is a token to fall back on; 0 waits for as long as the flight takes.
	patience time.Duration
	// fallback says that there is one.
	fallback bool
}

// await gives the reader an answer that is not in memory, and counts it.
func (i *Issuer) await(ctx context.Context, e *entry, rejected string) (Answer, error) {
	a, e, err := i.settle(ctx, e, rejected)
	e.count(err, a.Now)
	return a, err
}

// settle decides and waits until there is an answer. It asks again only after a flight that was overtaken by a change of the
// account, or that did nothing but load it. The entry is that from which the answer comes.
func (i *Issuer) settle(ctx context.Context, e *entry, rejected string) (Answer, *entry, error) {
	for {
		d, dead := i.decide(e, rejected)
		if dead {
			e = i.entry(e.name)
			continue
		}
		if d.flight == nil {
			return d.answer, e, d.err
		}
		i.waiting.Add(1)
		landed, err := d.flight.wait(ctx, d.patience)
		i.waiting.Add(-1)
		switch {
		case err != nil:
			return Answer{}, e, err
		case landed && d.flight.issued != nil:
			return d.flight.issued.answer(i.clock()), e, nil
		case landed && (d.flight.err == nil || d.flight.overtaken()):
			continue
		}
		if a, ok := i.fallBack(e); ok && d.fallback {
			return a, e, nil
		}
		if landed {
			i.forgetMissing(e, d.flight.err)
			return Answer{}, e, d.flight.err
		}
	}
}

// decide says what a reader is to do next, and starts the flight if one is needed. rejected is the token that an API refused,
// or "".
func (i *Issuer) decide(e *entry, rejected string) (d decision, dead bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := i.clock()
	if e.dead {
		return decision{}, true
	}
	e.lastRead.Store(now.Wall.UnixNano()) // a read that fails is a sign of use as well: see wanted
	if !e.loaded {
		return decision{flight: i.join(e, ReasonFirstRead)}, false
	}
	if e.settings.Paused {
		return decision{err: &PausedError{Reason: e.settings.PauseReason}}, false
	}
	if e.live(now) {
		if f := i.setRight(e, now); f != nil {
			return decision{flight: f, patience: rotationPatience, fallback: true}, false
		}
		return i.decideLive(e, rejected, now), false
	}
	switch {
	case e.flight != nil:
		return decision{flight: e.flight}, false
	case e.failure.paused(now):
		return decision{err: &LoginError{Failure: *e.failure, Remembered: true}}, false
	case now.Elapsed < e.obstacleEnd:
		return decision{err: e.obstacle}, false
	default:
		return decision{flight: i.join(e, e.readReason())}, false
	}
}

// decideLive is decide for an account whose token lives. Callers hold e.mu.
func (i *Issuer) decideLive(e *entry, rejected string, now Reading) decision {
	a, fresh := e.answer(now)
	d := decision{answer: a, fallback: true}
	if rejected != "" && rejected == e.current.ID {
		return i.decideRejected(e, d, now)
	}
	if fresh || (e.flight == nil && e.held(now)) {
		return d
	}
	f := i.rotateEarly(e, now)
	if f == nil {
		return d
	}
	if left := rotationPatience - (now.Elapsed - f.began.Elapsed); left > 0 {
		d.flight, d.patience = f, left
	}
	return d
}

// rotateEarly returns the flight under way, or starts a rotation for a reader who came before the scheduler. Where all slots are
// taken the account waits its turn, and the flight is nil. Callers hold e.mu.
func (i *Issuer) rotateEarly(e *entry, now Reading) *flight {
	if e.flight != nil {
		return e.flight
	}
	select {
	case i.slots <- struct{}{}:
		return i.start(e, ReasonRotation, true)
	default:
		i.queue.set(e, now.Wall)
		return nil
	}
}

// decideRejected joins all who name the refused token to one login, if it may be made. Callers hold e.mu.
func (i *Issuer) decideRejected(e *entry, d decision, now Reading) decision {
	if e.flight != nil {
		d.flight = e.flight
		return d
	}
	young := now.Wall.Sub(e.current.IssuedAt) < leastRejectedAge
	again := now.Wall.Sub(e.lastRejected).Abs() < rejectedEvery // after a clock that was set back as well
	if young || again || e.held(now) {
		return d
	}
	e.lastRejected = now.Wall
	d.flight = i.join(e, ReasonRejected)
	return d
}

// join returns the flight under way, or starts one. Callers hold e.mu.
func (i *Issuer) join(e *entry, reason Reason) *flight {
	if e.flight != nil {
		return e.flight
	}
	return i.start(e, reason, false)
}

// readReason is why a reader without a token causes a login. Callers hold e.mu.
func (e *entry) readReason() Reason {
	if e.current == nil && !e.revokedAt.IsZero() && e.revokedAt.After(e.lastLogin) {
		return ReasonAfterRevoke
	}
	if e.current != nil {
		return ReasonRotation
	}
	return ReasonFirstRead
}

// fallBack serves the old token after a wait, if it has outlived that.
func (i *Issuer) fallBack(e *entry) (Answer, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := i.clock()
	if !e.loaded || e.settings.Paused || !e.live(now) {
		return Answer{}, false
	}
	a, _ := e.answer(now)
	return a, true
}

// forgetMissing drops the entry of an account that does not exist, so that wrong names do not pile up in memory.
func (i *Issuer) forgetMissing(e *entry, err error) {
	if !errors.Is(err, ErrNoAccount) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.loaded && e.flight == nil {
		i.drop(e)
	}
}

// drop takes the entry out of memory. Callers hold e.mu.
func (i *Issuer) drop(e *entry) {
	e.supersede()
	e.closeClient()
	e.dead, e.loaded = true, false
	e.served.Store(nil)
	i.queue.remove(e)
	i.entries.CompareAndDelete(e.name, e)
}

// wait returns true when the flight has landed, and false when patience is over before that.
func (f *flight) wait(ctx context.Context, patience time.Duration) (bool, error) {
	var over <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-f.done:
		return true, nil
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
