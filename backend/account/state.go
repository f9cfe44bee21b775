// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package account is one upstream account and its shared token as a state machine: it decides when to log in, whom to serve with
// what, and what to remember.
//
// All that is known of an account is its State. State.Apply is pure, and nothing else changes a State: it takes the account from
// one State to the next when an Event happens, and says in Effects what is to be done. Doing that is for package issuer.
package account

import (
	"cmp"
	"slices"
	"time"
)

// maxSuperseded and maxRefreshBytes bound the tokens that are remembered after they were replaced, and their refresh tokens, so
// that one storage entry of Vault can hold them (1 MiB). Those that end first are dropped first.
const (
	maxSuperseded   = 768
	maxRefreshBytes = 192 << 10
	// maxDeleted bounds the tokens of deleted configs, and those that had expired when they came. An upstream that repeats its
	// token has one.
	maxDeleted = 16
	// maxOutbox bounds what the ledger does not have, likewise: a ledger whose damage lasts must not end the logins.
	maxOutbox = 1024
)

// bounds are how much an account remembers, where that is less than the constants say: the model checker meets them in a few
// steps. Zero stands for the constant.
type bounds struct{ failedLogins, superseded, revoked, outbox int }

// limits are the bounds in force.
func (s *State) limits() bounds {
	return bounds{
		failedLogins: cmp.Or(s.bounds.failedLogins, maxFailedLogins),
		superseded:   cmp.Or(s.bounds.superseded, maxSuperseded),
		revoked:      cmp.Or(s.bounds.revoked, maxRevoked),
		outbox:       cmp.Or(s.bounds.outbox, maxOutbox),
	}
}

// Env is what an event finds outside the account: the pure core asks for nothing else.
type Env struct {
	Reading

	// Active says that this node may log in and write to storage.
	Active bool
	// Clock is by how much the wall clock was set.
	Clock ClockSteps
	// LastRead is when the account was last read, by the wall clock; zero for never.
	LastRead time.Time
	// Chance in [0, 1) spreads backoffs.
	Chance float64
}

// IsOver reports whether a token may be forgotten, as no upstream takes it any more.
func (env Env) IsOver(t *Token) bool {
	return !t.ValidUntil().Add(t.delay).After(env.Wall) && !env.Clock.justBegan(env.Reading)
}

// knowledge is what is known of an account's settings.
type knowledge int

const (
	// unknown: storage was not read yet.
	unknown knowledge = iota
	// absent: there is no config of that name.
	absent
	// stale: another node may have written the config. Nothing is served until it was read again.
	stale
	// known: Account is what storage has.
	known
)

// step is where the work in flight has got to.
type step int

const (
	// noting: the start of the login is being stored.
	noting step = iota + 1
	// loggingIn: the upstream was asked.
	loggingIn
	// storing: the result of the login is being stored.
	storing
	// committing: a verification has succeeded, and its settings are being stored by the caller.
	committing
)

// Work is the one login in flight, a verification included. It is immutable.
type Work struct {
	// ID tells a login that was cancelled from the one that came after it.
	ID     uint64
	Reason Reason
	Step   step
	// Account has the settings it logs in with: of a verification, those that are not stored yet.
	Account *Account
	// Began is when it began.
	Began Reading
	// Version is that of the record that the step waits for.
	Version uint64
	// Abandoned says that nobody waits for a verification any more: a token that it brings is dropped.
	Abandoned bool
	// Token is what the login brought; else Err and Failure are what it ended with. Took is how long the upstream needed.
	Token   *Token
	Err     error
	Failure *Failure
	Took    time.Duration
	// failures are all that are remembered once Failure is in force.
	failures []failedLogin
}

// verifies reports whether the work is a verification, which is about other settings than those in force. Once these are stored
// it is a login as any other.
func (w *Work) verifies() bool {
	return w != nil && w.Reason == ReasonVerification && w.Step != storing
}

// revokedToken is a token ID that is never served again.
type revokedToken struct {
	ID string
	// End is the token's last known end, and slack by how much later it may be.
	End   time.Time
	slack slack
}

// OutboxEntry is an entry that the ledger does not have yet.
type OutboxEntry struct {
	Token *Token // without secrets
	// Keep is how long the ledger is to remember the token after it has expired.
	Keep time.Duration
}

// State is all that is known of one account, in memory and in storage. It is a value: Apply returns a new one, and what its
// pointers and slices refer to never changes.
type State struct {
	// Settings.
	Known   knowledge
	Account *Account // nil where Known is unknown or absent
	// Generation and RefreshTarget are those of the tokens: see Record.
	Generation    string
	RefreshTarget string
	// Loading is the load in flight whose result counts; 0 for none. LoadID is the last that was used.
	Loading, LoadID uint64

	// Tokens.
	Current *Token
	// Suspect says that a lost login may have invalidated the current token, of a single-session account.
	Suspect bool
	// Restored says that the current token was found alive in storage at start, which counts as a read.
	Restored   bool
	Superseded []*Token
	Revoked    []revokedToken
	// Deleted are those of a config of this name that was deleted, and those that had expired when they came, without secrets: the
	// upstream may repeat them.
	Deleted []*Token

	// Failures are the logins that failed, verifications included, the latest last.
	Failures []failedLogin
	// Failure is what they come to for the settings in force, and the hold: see MayLogin. Only setFailures sets it.
	Failure *Failure
	// ForcedAt and RejectedAt are when such a login was last made; RevokedAt is when the account was revoked, until the next login.
	ForcedAt, RejectedAt, RevokedAt time.Time

	Work *Work

	// Outbox is what the ledger does not have yet, the oldest first.
	Outbox []OutboxEntry

	// Version counts the changes to be stored, and Urgent is the last that cannot wait for the next sweep. Saving is
	// the version being written (0 for none), Saved the last that was written, and Lost the last that storage refused.
	Version, Urgent, Saving, Saved, Lost uint64
	// Corrected is the version with the current token's times as they were last corrected. The next process must not find the old
	// ones.
	Corrected uint64

	// Loads and Logins count what has ended, with LoadErr and LoginErr as the last result: so a caller that waited knows whether the
	// result is news.
	Loads, Logins     int
	LoadErr, LoginErr error
	// SaveErr is what storage said to the last write.
	SaveErr error
	// VerifyErr is what the verification of that work ended with.
	VerifyErr  error
	VerifyWork uint64
	// WorkID is the last that was used.
	WorkID uint64
	// GivenUp is when the login began that was given up last; nil for none.
	GivenUp *Reading

	clock  ClockSteps // by which all the times are
	bounds bounds
}

// IsKnown reports whether the settings are in memory and may be used.
func (s *State) IsKnown() bool { return s.Known == known }

// HasSettings reports whether there are settings in memory, if only stale ones.
func (s *State) HasSettings() bool { return s.Account != nil }

// IsAbsent reports whether there is no config of that name.
func (s *State) IsAbsent() bool { return s.Known == absent }

// Owes reports whether storage or the ledger miss something.
func (s *State) Owes() bool { return s.MissesUrgent() || len(s.Outbox) > 0 }

// MissesUrgent reports whether storage does not have what a restart must know.
func (s *State) MissesUrgent() bool { return s.Urgent > s.Saved }

// Verified is the token that the verification of that work has brought, once it waits for its settings to be stored.
func (s *State) Verified(work uint64) (token *Token, ok bool) {
	if s.Work == nil || s.Work.ID != work || s.Work.Step != committing {
		return nil, false
	}
	return s.Work.Token, true
}

// GivenUpLeft is how long no login is made since one was given up.
func (s *State) GivenUpLeft(now Reading) time.Duration {
	if s.GivenUp == nil {
		return 0
	}
	return max(0, givenUpEvery-(now.Elapsed-s.GivenUp.Elapsed))
}

// Usable reports whether the current token may be served. Whether the settings allow that is for CanServe.
func (s *State) Usable(now Reading) bool { return !s.Suspect && s.Current.Usable(now) }

// CanServe reports whether readers get the current token.
func (s *State) CanServe(now Reading) bool {
	return s.Known == known && !s.Account.Paused && s.Usable(now)
}

// IsRevoked reports whether the token of that ID must not be served.
func (s *State) IsRevoked(id string) bool {
	return slices.ContainsFunc(s.Revoked, func(r revokedToken) bool { return r.ID == id })
}

// Find is the token of that ID, if it is remembered.
func (s *State) Find(id string) *Token {
	if s.Current != nil && s.Current.ID == id {
		return s.Current
	}
	if n := slices.IndexFunc(s.Superseded, func(t *Token) bool { return t.ID == id }); n >= 0 {
		return s.Superseded[n]
	}
	return nil
}

// out are the tokens that may be good upstream, the current one last.
func (s *State) out(now Reading) []*Token {
	var out []*Token
	for _, t := range s.Superseded {
		if t.MayLive(now) {
			out = append(out, t)
		}
	}
	if s.Current != nil && s.Current.MayLive(now) {
		out = append(out, s.Current)
	}
	return out
}

// Secrets are those that no message may hold, as an upstream may name one in its response to a later login: the tokens, and what
// the settings in force have.
func (s *State) Secrets() []string {
	all := make([]string, 0, 2*len(s.Superseded)+4)
	if s.Account != nil {
		all = append(all, s.Account.Upstream.Secrets()...)
	}
	for _, t := range s.Superseded {
		all = append(all, t.Access, t.refresh)
	}
	if s.Current != nil {
		all = append(all, s.Current.Access, s.Current.refresh)
	}
	return without(all, func(secret string) bool { return secret == "" })
}

// IsIdle reports whether nothing is lost if the account is evicted from memory: storage and ledger know all, nothing is in
// flight, there is no usable token, no hold that a list of the accounts should show, no revocation that the upstream is yet to be
// told of, and no token of a deleted config.
func (s *State) IsIdle(env Env) bool {
	now := env.Reading
	settled := s.Loading == 0 && s.Work == nil && s.Saving == 0 && s.Version == s.Saved && len(s.Outbox) == 0 &&
		s.GivenUpLeft(now) == 0
	if !settled || slices.ContainsFunc(s.Failures, func(f failedLogin) bool { return !f.isOver(now) }) {
		return false
	}
	if s.Known != known {
		return s.Known != stale && len(s.Deleted) == 0 // which the sweep drops when they are over
	}
	return len(s.ToRevoke(env)) == 0 && !s.Usable(now) && !s.Account.Paused && !s.Failure.Refused() && !s.LastFailure(now).Holds(now)
}

// ToRevoke are the revoked tokens that are to be revoked upstream, and about which it has not responded.
func (s *State) ToRevoke(env Env) []*Token {
	if s.Account == nil {
		return nil
	}
	return without(s.Superseded, func(t *Token) bool {
		return t.revocation != Unknown || !s.Account.CanRevoke(t) || env.IsOver(t)
	})
}

// latest is the token that was issued last: a change of the settings supersedes the token that is out.
func (s *State) latest() *Token {
	if n := len(s.Superseded); s.Current == nil && n > 0 {
		return s.Superseded[n-1]
	}
	return s.Current
}

// Previous is the token that the current one took over from, if it is still good upstream.
func (s *State) Previous(now Reading) *Token {
	if s.Current == nil || s.Current.replaced == "" || s.IsRevoked(s.Current.replaced) {
		return nil
	}
	old := s.Find(s.Current.replaced)
	if old == nil || !old.MayLive(now) {
		return nil
	}
	return old
}
