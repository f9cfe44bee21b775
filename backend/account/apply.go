// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

// transition is one Apply under way: the state as it becomes, and the effects so far.
type transition struct {
	State

	env     Env
	effects []Effect
	room    [4]Effect // for most transitions
}

// Apply says what becomes of an account when something happens to it, and what is to be done. It is pure, and nothing else
// changes a State.
func (s *State) Apply(env Env, event Event) (State, []Effect) {
	t := &transition{State: *s, env: env}
	t.effects = t.room[:0]
	t.correctClock()
	event.apply(t)
	t.logIn()
	t.save()
	return t.State, t.effects
}

func (t *transition) emit(e Effect) { t.effects = append(t.effects, e) }

// changed marks a change that must be stored at once.
func (t *transition) changed() {
	t.Version++
	t.Urgent = t.Version
}

// changedLazily marks a change that is stored with the next write or the next sweep.
func (t *transition) changedLazily() { t.Version++ }

// save begins a write if one is wanted and none is in flight: so the latest record is always the last one written. What storage
// has of an account that is not in memory is not replaced.
func (t *transition) save() {
	if t.Known == unknown {
		return
	}
	if t.Saving != 0 || !t.env.Active || t.Urgent <= t.Saved || t.Urgent <= t.Lost {
		return
	}
	t.Saving = t.Version
	t.emit(SaveRecord{Version: t.Version, Record: t.record(t.env)})
}

// apply takes note of what became of a write, and goes on with the work that waited for it.
func (e Saved) apply(t *transition) {
	t.Saving, t.SaveErr = 0, e.Err
	if e.Err == nil {
		t.Saved = e.Version
	} else {
		t.Lost = e.Version
	}
	t.sendToLedger()
	t.emit(Wake{})
	w := t.Work
	if w == nil || e.Version < w.Version {
		return
	}
	switch {
	case w.Step == noting && e.Err != nil:
		t.startFailed(e.Err)
	case w.Step == storing:
		t.finish(e.Err)
	}
}

// logIn sends the login whose start is stored. What was known of the account when it began may have changed since: it
// waits for settings that are being read again, and a paused account makes none. A verification has its own.
func (t *transition) logIn() {
	w := t.Work
	if w == nil || w.Step != noting || t.Saved < w.Version || t.Known == stale && !w.verifies() {
		return
	}
	if !w.verifies() && t.Account.Paused {
		t.cancelWork()
		return
	}
	t.changeWork(func(w *Work) { w.Step = loggingIn })
	t.emit(Login{Work: t.Work, Redact: t.Secrets()})
}

// without is a list without some of its elements. What a State refers to never changes, so it is a copy, or the list itself where
// nothing is gone, without room to append.
func without[T any](list []T, gone func(T) bool) []T {
	if !slices.ContainsFunc(list, gone) {
		return slices.Clip(list)
	}
	return slices.DeleteFunc(slices.Clone(list), gone)
}

// changeWork puts another version of the work in flight in its place.
func (t *transition) changeWork(change func(w *Work)) {
	w := *t.Work
	change(&w)
	t.Work = &w
}

// apply is for what no event brings: what is not to be relied on is read again without a reader, storage and ledger are sent
// again what they refused, and what has ended is dropped.
func (Sweep) apply(t *transition) {
	if t.Known == stale || t.Known == unknown && t.Version > 0 { // see Broken
		t.load()
	}
	if t.Version > t.Saved {
		t.changed()
	}
	t.sendToLedger()
	if t.Known == absent {
		t.dropRevokedOfDeleted()
	}
	t.dropOver()
}

// apply drops what the ledger knows from the outbox.
func (e Sent) apply(t *transition) {
	before := len(t.Outbox)
	t.Outbox = without(t.Outbox, func(o OutboxEntry) bool { return slices.Contains(e.Entries, o) })
	switch {
	case len(t.Outbox) == before:
	case t.Usable(t.env.Reading):
		t.changedLazily() // the next write is not far
	default:
		t.changed()
	}
}

// sendToLedger sends what is in the outbox, where this node may.
func (t *transition) sendToLedger() {
	if len(t.Outbox) > 0 && t.env.Active {
		t.emit(SendToLedger{})
	}
}

// addToOutbox puts a token into the outbox, unless its end and its revocation are there already. It takes the place of an
// earlier entry.
func (t *transition) addToOutbox(token *Token, keep time.Duration) {
	bare := token.withoutSecrets()
	bare.Generation, bare.replaced = "", "" // the ledger does not keep them, and the record is small
	same := func(o OutboxEntry) bool { return o.Token.ID == bare.ID }
	if n := slices.IndexFunc(t.Outbox, same); n >= 0 {
		keep = max(keep, t.Outbox[n].Keep) // a change of ledger_retention is for new tokens
		if before := t.Outbox[n].Token; before.revocation == bare.revocation && !bare.ExpiresAt.After(before.ExpiresAt) {
			return
		}
	}
	next := append(without(t.Outbox, same), OutboxEntry{Token: bare, Keep: keep})
	t.Outbox = next[max(0, len(next)-t.limits().outbox):]
}
