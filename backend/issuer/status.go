// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"time"
)

// AccountState is how an account is doing.
type AccountState string

// The states of an account.
const (
	StateIdle       AccountState = "idle"        // no token, and nobody needs one
	StateReady      AccountState = "ready"       // a token, and no login has failed since
	StateBackingOff AccountState = "backing_off" // logins fail; the next attempt waits its turn
	StateRejected   AccountState = "rejected"    // the upstream refuses the credentials or the request
	StatePaused     AccountState = "paused"      // stopped by the operator
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
	// Failure is nil where the last login succeeded.
	Failure *Failure
	// Held says that Failure.NextAttempt is yet to come.
	Held                   bool
	ClockSkew              time.Duration
	SkewKnown              bool
	Logins, Failures, Read int64
}

// Status tells how the account is doing. It reads storage where the account is not in memory, and never logs in.
func (i *Issuer) Status(ctx context.Context, name string) (s Status, err error) {
	w := i.acquire(name)
	defer w.release()
	err = w.ready(ctx, func(l *locked) { s = l.status() })
	return s, err
}

// Known is Status for an account that is in memory; ok is false for any other.
func (i *Issuer) Known(name string) (s Status, ok bool) {
	w, ok := i.lookup(name)
	if !ok {
		return Status{}, false
	}
	w.do(func(l *locked) {
		if ok = l.state.Known == known; ok {
			s = l.status()
		}
	})
	return s, ok
}

func (l *locked) status() Status {
	env, state := l.env(true), &l.state
	s := Status{
		State: state.health(env.Reading), Account: state.Account, Failure: state.Failure, Held: state.Failure.holds(env.Reading),
		LastRead: env.LastRead, ClockSkew: time.Duration(l.Skew.Load()), SkewKnown: l.SkewKnown.Load(),
		Logins: l.Logins.Load(), Failures: l.Failures.Load(), Read: l.Reads.Load(),
	}
	if at := l.LastLogin.Load(); at > 0 {
		s.LastLogin = time.Unix(0, at).UTC()
	}
	if state.usable(env.Reading) {
		s.Token, s.RotatesAt, s.InUse = state.Current, state.Account.rotatesAt(state.Current), state.inUse(env)
	}
	return s
}

// health is the state that status/ shows.
func (s *State) health(now Reading) AccountState {
	switch {
	case s.Account.Paused:
		return StatePaused
	case s.Failure.refused():
		return StateRejected
	case s.Failure != nil:
		return StateBackingOff
	case s.usable(now):
		return StateReady
	default:
		return StateIdle
	}
}

// Tokens is what is known of the tokens of an account, by their IDs.
type Tokens struct {
	Account *Account
	// Current is the ID of the token that readers are given, unless the account is paused; "" where there is none.
	Current string
	// Out are the unexpired tokens, the current one and revoked ones included: those that Revoke acts on.
	Out map[string]Out
}

// Out is a token that is out.
type Out struct {
	Token *Token
	// Killable says that Revoke can ask the upstream to kill it.
	Killable bool
}

// Tokens tells which tokens of the account are out. It reads storage where the account is not in memory, and never logs in.
func (i *Issuer) Tokens(ctx context.Context, name string) (tokens Tokens, err error) {
	w := i.acquire(name)
	defer w.release()
	err = w.ready(ctx, func(l *locked) { tokens = l.state.tokens(i.clock()) })
	return tokens, err
}

func (s *State) tokens(now Reading) Tokens {
	tokens := Tokens{Account: s.Account, Out: make(map[string]Out)}
	for _, t := range s.out(now) {
		tokens.Out[t.ID] = Out{Token: t.withoutSecrets(), Killable: s.Account.canKill(t)}
	}
	if s.usable(now) {
		tokens.Current = s.Current.ID
	}
	return tokens
}
