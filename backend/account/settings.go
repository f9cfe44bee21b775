// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// revokedKept is how long the ID of a revoked token outlives its end. An upstream may give its one token again, also when other
// credentials were used meanwhile, or the config was deleted and written anew. It is dropped when another token has come after
// that.
const revokedKept = 30 * 24 * time.Hour

// isOver reports whether no upstream is thought to give the token again.
func (r revokedToken) isOver(env Env) bool {
	return env.Wall.Sub(r.End) > r.slack.max()+revokedKept && !env.Clock.justBegan(env.Reading)
}

// apply has the account loaded where it is not in memory.
func (e Want) apply(t *transition) {
	switch {
	case t.Known != known:
		t.load()
	case e.AtStart && t.Logins == 0:
		t.Restored = t.Usable(t.env.Reading)
	}
}

// load begins to read the account, unless that is under way.
func (t *transition) load() {
	if t.Loading == 0 {
		t.LoadID++
		t.Loading = t.LoadID
		t.emit(LoadAccount{ID: t.LoadID})
	}
}

// apply has the settings read again before anything is served. What is in flight goes on: only another generation ends it.
func (Invalidated) apply(t *transition) {
	if t.Known == known {
		t.Known = stale
	}
	if t.Loading != 0 { // what it reads may be of before the change
		t.Loading = 0
		t.load()
	}
	t.emit(Wake{})
}

// apply takes over what storage has.
func (e Loaded) apply(t *transition) {
	if e.ID != t.Loading {
		return // the account has changed since that load began
	}
	t.Loading = 0
	t.Loads++
	t.emit(Wake{})
	t.LoadErr = e.Err
	if e.Err != nil {
		return
	}
	first := t.Known == unknown
	if first && e.Record != nil {
		t.restore(e.Record, e.Account)
		if e.Record.Attempt != nil {
			t.unfinished(e.Record.Attempt, e.Account)
		}
	}
	switch {
	case e.Account != nil:
	case t.Known == absent: // as before: a verification that would create the config goes on
		return
	default:
		t.settingsGone(e.Record != nil && !e.Record.isOfDeleted())
		return
	}
	if first && e.Record == nil { // nothing to store
		t.Generation, t.RefreshTarget = e.Account.Generation, refreshTarget(&e.Account.Upstream)
	}
	t.adopt(e.Account)
	if first && e.Record != nil && e.Record.Outbox == nil {
		for _, token := range t.out(t.env.Reading) {
			t.addToOutbox(token, e.Account.LedgerRetention)
		}
		t.changedLazily()
	}
	t.sendToLedger()
}

// apply takes over settings that were just stored, and the token that their verification brought.
func (e Written) apply(t *transition) {
	t.Loading = 0
	verification := t.Work
	isVerified := verification != nil && verification.Step == committing && verification.Account == e.Account
	switch {
	case isVerified:
		t.Work = nil
		t.changed()
	case verification.verifies():
		t.cancelWork()
	}
	t.adopt(e.Account)
	if t.Version == 0 || t.Version > t.Saved {
		t.changed() // a restart must find the account, and what storage has refused is tried again
	}
	if isVerified {
		t.storeVerified(verification)
	}
	t.emit(Wake{})
}

// adopt is the one place that decides what new settings mean for token, login, hold and failure: for a write here, a write on
// another cluster and a load alike.
func (t *transition) adopt(a *Account) {
	if t.Generation == "" { // written anew
		t.dropOver()
	}
	t.Known, t.Account = known, a
	t.setFailures(t.Failures)
	if a.Generation != t.Generation {
		t.adoptOther(a)
	}
	if clamped := t.Current.limited(a); clamped != t.Current {
		t.Current = clamped
		t.changed()
	}
	t.adoptInFlight()
}

// adoptInFlight has the login in flight judged by the settings in force, which may have other limits than those that it began
// under.
func (t *transition) adoptInFlight() {
	if t.Work == nil || t.Work.verifies() || t.Work.Account == t.Account {
		return
	}
	clamped := t.Work.Token.limited(t.Account)
	if clamped != t.Work.Token {
		t.changed()
	}
	t.changeWork(func(w *Work) { w.Account, w.Token = t.Account, clamped })
}

// adoptOther takes over settings that log in otherwise than before.
func (t *transition) adoptOther(a *Account) {
	if !t.Work.verifies() {
		t.cancelWork()
	}
	t.supersedeCurrent()
	if target := refreshTarget(&a.Upstream); target != t.RefreshTarget {
		t.RefreshTarget = target
		t.dropRefreshTokens()
	}
	t.Generation = a.Generation
	t.changed()
}

// dropRefreshTokens forgets the refresh tokens of another endpoint: see CanRevoke. There is no current token.
func (t *transition) dropRefreshTokens() {
	t.Superseded = slices.Clone(t.Superseded)
	for n, token := range t.Superseded {
		if token.refreshTarget != t.RefreshTarget {
			t.Superseded[n] = token.withoutRefresh()
		}
	}
}

// apply drops the account. Storage may have a record of it that could not be read, and that goes too.
func (Removed) apply(t *transition) { t.settingsGone(true) }

// settingsGone drops all that goes with a config that does not exist any more. The outbox stays, and of
// the tokens which were revoked, and when they end: a config of the same name may be written, and its upstream may repeat them.
// stored says that storage has a record.
func (t *transition) settingsGone(stored bool) {
	t.cancelWork() // may have brought a failure
	failures := without(t.Failures, func(f failedLogin) bool { return !f.lasts() || f.isOver(t.env.Reading) })
	stored = stored || t.Known == known || t.Known == stale || len(failures) < len(t.Failures)
	// Deleting a config and writing it again is no way around an open circuit breaker, nor around a Retry-After.
	next := t.counts()
	next.Known, next.Revoked, next.Outbox, next.Failures = absent, t.Revoked, t.Outbox, failures
	next.Deleted = t.withDeleted(append(slices.Clip(t.Superseded), t.Current)...)
	t.State = next
	t.dropOverOfDeleted()
	if stored || t.Version > t.Saved { // the operator tries again what storage has refused
		t.changed()
	}
	t.emit(Wake{})
}

// counts are what those who wait compare with what they have seen, and when a login was given up, without anything that is
// known of the account.
func (s *State) counts() State {
	return State{
		LoadID: s.LoadID, Version: s.Version, Urgent: s.Urgent, Saving: s.Saving, Saved: s.Saved, Lost: s.Lost,
		SaveErr: s.SaveErr, Loads: s.Loads, LoadErr: s.LoadErr, Logins: s.Logins, WorkID: s.WorkID, GivenUp: s.GivenUp,
		clock: s.clock, bounds: s.bounds,
	}
}

// apply has the account read from storage again, as after a restart: what is in memory is not to be relied on, and none may wait
// for ever. The next reader has that done, or the next sweep, until which the account stays in memory: at once, what breaks each
// time would be a loop.
func (e Broken) apply(t *transition) {
	next := t.counts()
	next.Version++
	next.Lost, next.SaveErr = next.Version, e.Err
	next.Loads, next.LoadErr = next.Loads+1, e.Err
	if _, ok := e.Job.(SaveRecord); ok {
		next.Saving = 0
	}
	if t.Work != nil {
		t.emit(CancelLogin{Work: t.Work.ID})
	}
	t.State = next
	t.emit(Wake{})
}

// withDeleted are the tokens that outlive their config, with some more: the last of them, if they are too many.
func (t *transition) withDeleted(more ...*Token) []*Token {
	all := t.Deleted
	for _, token := range more {
		if token != nil && !t.IsRevoked(token.ID) && !t.env.IsOver(token) {
			all = append(without(all, func(t *Token) bool { return t.ID == token.ID }), token.withoutSecrets())
		}
	}
	return all[max(0, len(all)-maxDeleted):]
}

func (t *transition) dropOverOfDeleted() {
	before := len(t.Revoked) + len(t.Deleted)
	t.Revoked = without(t.Revoked, func(r revokedToken) bool { return r.isOver(t.env) })
	t.Deleted = without(t.Deleted, t.env.IsOver)
	if len(t.Revoked)+len(t.Deleted) != before {
		t.changed()
	}
}
