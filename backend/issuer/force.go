// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"time"
)

const (
	forcedEvery        = 10 * time.Second
	forcedRefusedEvery = time.Minute
)

// Rotation is what became of a forced login.
type Rotation struct {
	Token *Token
	// Previous is the token that was replaced; nil where there was none that lives.
	Previous *Token
}

// Rotate logs in now, also in a pause, and replaces the shared token. It is made at most once in 10 seconds, and once a minute
// after the upstream has refused the credentials; who asks sooner gets what the last one brought.
func (i *Issuer) Rotate(ctx context.Context, name string) (Rotation, error) {
	for {
		e := i.entry(name)
		f, rotation, err := i.force(e)
		if f == nil {
			return rotation, err
		}
		if _, err := f.wait(ctx, 0); err != nil {
			return Rotation{}, err
		}
		switch {
		case f.issued != nil:
			return Rotation{Token: f.issued.token, Previous: i.previous(e, f)}, nil
		case f.err == nil || f.overtaken():
			continue
		default:
			i.forgetMissing(e, f.err)
			return Rotation{}, f.err
		}
	}
}

// force starts or joins a login, or says what is to be answered without one.
func (i *Issuer) force(e *entry) (*flight, Rotation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := i.clock()
	if e.flight != nil || !e.loaded || e.dead {
		return i.joinOrReload(e), Rotation{}, nil
	}
	if e.settings.Paused {
		return nil, Rotation{}, &PausedError{Reason: e.settings.PauseReason}
	}
	var notBefore time.Time
	if since := now.Wall.Sub(e.lastForced); since >= 0 && since < forcedEvery {
		if e.failure == nil && e.live(now) {
			return nil, Rotation{Token: e.current, Previous: e.stillOut(e.forcedFrom, e.current, now)}, nil
		}
		if e.failure != nil {
			notBefore = e.lastForced.Add(forcedEvery)
		}
	}
	if e.failure.refused() && now.Wall.Sub(e.failure.At).Abs() < forcedRefusedEvery {
		notBefore = e.failure.At.Add(forcedRefusedEvery)
	}
	if !notBefore.IsZero() {
		return nil, Rotation{}, &LoginError{Failure: *e.failure, Remembered: true, ForcedAfter: notBefore}
	}
	e.lastForced, e.forcedFrom = now.Wall, e.latest()
	return i.start(e, ReasonForced, false), Rotation{}, nil
}

// joinOrReload returns the flight under way, or one that only loads the account. Callers hold e.mu.
func (i *Issuer) joinOrReload(e *entry) *flight {
	if !e.dead {
		return i.join(e, reasonRestore)
	}
	gone := &flight{done: make(chan struct{}), err: errOvertaken}
	close(gone.done)
	return gone
}

// previous is the token that the login of the flight has replaced, if it lives.
func (i *Issuer) previous(e *entry, f *flight) *Token {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stillOut(f.replaced, f.issued.token, i.clock())
}

// stillOut is the old token, if it lives and was replaced: the upstream may have given the same one again. Callers hold e.mu.
func (e *entry) stillOut(old, next *Token, now Reading) *Token {
	if old == nil || old.ID == next.ID || old.Remaining(now) <= 0 || e.revoked(old.ID) {
		return nil
	}
	return old
}

// latest is the token that was got last, though it may be a former one: a change of the settings supersedes the token that is
// out. Callers hold e.mu.
func (e *entry) latest() *Token {
	if n := len(e.superseded); e.current == nil && n > 0 {
		return e.superseded[n-1]
	}
	return e.current
}

// lockLoaded waits until the account is in memory, and returns its entry locked.
func (i *Issuer) lockLoaded(ctx context.Context, name string) (*entry, error) {
	for {
		e := i.entry(name)
		e.mu.Lock()
		if e.loaded && !e.dead {
			return e, nil
		}
		f := i.joinOrReload(e)
		e.mu.Unlock()
		if _, err := f.wait(ctx, 0); err != nil {
			return nil, err
		}
		if f.err != nil && !f.overtaken() {
			i.forgetMissing(e, f.err)
			return nil, f.err
		}
	}
}
