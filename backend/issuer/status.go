// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"time"
)

// Status is the health of an account, without a secret.
type Status struct {
	State   AccountState
	Account *Account
	// Token is the current one if it is usable, else nil.
	Token     *Token
	RotatesAt time.Time
	InUse     bool
	// LastRead and LastLogin are zero where there was none since this process started.
	LastRead, LastLogin time.Time
	// RejectedFrom is from when on Token is replaced where an API refuses it; zero where there is none. LastRejected is when the
	// last such replacement was made, if Token is not replaced before some time has passed since; else zero.
	RejectedFrom, LastRejected time.Time
	// InFlightSince is when the login began that is in flight; zero where there is none.
	InFlightSince time.Time
	// Suspect says that there is a token which a lost login may have invalidated: it is not served.
	Suspect bool
	// Failure is nil where the last login succeeded.
	Failure *Failure
	// Held says that Failure.NextAttempt is yet to come.
	Held                   bool
	ClockSkew              time.Duration
	SkewKnown              bool
	Logins, Failures, Read int64
}

// Status returns the state of the account. It reads storage where the account is not in memory, and never logs in.
func (i *Issuer) Status(ctx context.Context, name string) (s Status, err error) {
	w := i.acquire(name)
	defer w.release()
	err = w.ready(ctx, func(l *locked) { s = l.status() })
	return s, err
}

// InMemory reports whether anything is known of an account without reading storage, though its settings may be stale.
func (i *Issuer) InMemory(name string) bool {
	_, ok := i.workers.of(name)
	return ok
}

// Known is Status for an account that is in memory; ok is false for any other.
func (i *Issuer) Known(name string) (s Status, ok bool) {
	w, ok := i.workers.of(name)
	if !ok {
		return Status{}, false
	}
	w.do(func(l *locked) {
		if ok = l.state.IsKnown(); ok {
			s = l.status()
		}
	})
	return s, ok
}

func (l *locked) status() Status {
	env, state := l.env(true), &l.state
	s := Status{
		State: state.Health(env.Reading), Account: state.Account, Failure: state.LastFailure(env.Reading),
		LastRead: env.LastRead, LastLogin: notAfter(env.Wall, &l.LastLogin),
		ClockSkew: time.Duration(l.Skew.Load()), SkewKnown: l.SkewKnown.Load(),
		Logins: l.Logins.Load(), Failures: l.Failures.Load(), Read: l.Reads.Load(), Suspect: state.Suspect,
	}
	s.Held = s.Failure.Holds(env.Reading)
	if state.Work != nil {
		s.InFlightSince = state.Work.Began.Wall
	}
	if state.Usable(env.Reading) {
		s.Token, s.RotatesAt, s.InUse = state.Current, state.Account.RotatesAt(state.Current), state.InUse(env)
		s.RejectedFrom, s.LastRejected = state.RejectedFrom(), state.LastRejected(env.Reading)
	}
	return s
}

// IsRevoking reports whether the upstream goes on being asked to revoke a token under former settings of the account, such as
// those of a config that was deleted.
func (i *Issuer) IsRevoking(name, tokenID string) (is bool) {
	if w, ok := i.workers.of(name); ok {
		w.do(func(l *locked) { is = l.isFormer(tokenID) })
	}
	return is
}

// IsRevoked reports whether a token must not be served, as far as the account is in memory.
func (i *Issuer) IsRevoked(name, tokenID string) (is bool) {
	if w, ok := i.workers.of(name); ok {
		w.do(func(l *locked) { is = l.state.IsRevoked(tokenID) })
	}
	return is
}

// Tokens returns the tokens of the account that are valid upstream. It reads storage where the account is not in memory, and
// never logs in.
func (i *Issuer) Tokens(ctx context.Context, name string) (tokens Tokens, err error) {
	w := i.acquire(name)
	defer w.release()
	err = w.ready(ctx, func(l *locked) {
		tokens = l.state.Tokens(i.clock())
		for id, out := range tokens.Out {
			out.Revocable, out.Why = out.Revocable || l.isFormer(id), l.revokeErrors[id]
			tokens.Out[id] = out
		}
	})
	return tokens, err
}
