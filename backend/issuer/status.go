// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"time"
)

// State is how an account is doing.
type State string

// The states of an account.
const (
	StateIdle       State = "idle"        // no token, and nobody needs one
	StateReady      State = "ready"       // a token, and no login has failed since
	StateBackingOff State = "backing_off" // logins fail; the next attempt waits its turn
	StateRejected   State = "rejected"    // the upstream refuses the credentials or the request
	StatePaused     State = "paused"      // stopped by the operator
)

// Status is the health of an account, without a secret.
type Status struct {
	State   State
	Account *Account
	// Token is the current one if it lives, else nil.
	Token     *Token
	RotatesAt time.Time
	InUse     bool
	// LastRead and LastLogin are zero where there was none since the account was loaded.
	LastRead, LastLogin time.Time
	// Failure is nil where the last login succeeded.
	Failure                *Failure
	ClockSkew              time.Duration
	SkewKnown              bool
	Logins, Failures, Read int64
}

// Status tells how the account is doing. It reads storage where the account is not in memory, and never logs in.
func (i *Issuer) Status(ctx context.Context, name string) (Status, error) {
	e, err := i.lockLoaded(ctx, name)
	if err != nil {
		return Status{}, err
	}
	defer e.mu.Unlock()
	return e.status(i.clock()), nil
}

// Known is Status for an account that is in memory; ok is false for any other.
func (i *Issuer) Known(name string) (s Status, ok bool) {
	value, ok := i.entries.Load(name)
	if !ok {
		return Status{}, false
	}
	e := value.(*entry) //nolint:forcetypeassert // the map holds nothing else
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead || !e.loaded {
		return Status{}, false
	}
	return e.status(i.clock()), true
}

// status is Status for callers that hold mu.
func (e *entry) status(now Reading) Status {
	s := Status{
		State: e.state(now), Account: e.settings, Failure: e.failure, LastLogin: e.lastLogin,
		ClockSkew: e.skew, SkewKnown: e.skewKnown, Logins: e.logins, Failures: e.failures, Read: e.reads.Load(),
	}
	if at := e.lastRead.Load(); at > 0 {
		s.LastRead = time.Unix(0, at).UTC()
	}
	if e.live(now) {
		s.Token, s.RotatesAt, s.InUse = e.current, e.settings.rotatesAt(e.current), e.wanted(now)
	}
	return s
}

func (e *entry) state(now Reading) State {
	switch {
	case e.settings.Paused:
		return StatePaused
	case e.failure.refused():
		return StateRejected
	case e.failure != nil:
		return StateBackingOff
	case e.live(now):
		return StateReady
	default:
		return StateIdle
	}
}

// Tokens is what is known of the tokens of an account, by their IDs.
type Tokens struct {
	Account *Account
	// Current is the ID of the token that readers are given, unless the account is paused; "" where there is none alive.
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
func (i *Issuer) Tokens(ctx context.Context, name string) (Tokens, error) {
	e, err := i.lockLoaded(ctx, name)
	if err != nil {
		return Tokens{}, err
	}
	defer e.mu.Unlock()
	now := i.clock()
	known := Tokens{Account: e.settings, Out: make(map[string]Out)}
	for _, t := range e.out(now) {
		known.Out[t.ID] = Out{Token: t.withoutSecrets(), Killable: t.refresh != "" && e.settings.Upstream.RefreshURL != ""}
	}
	if e.live(now) {
		known.Current = e.current.ID
	}
	return known, nil
}
