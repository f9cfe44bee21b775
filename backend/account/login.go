// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"cmp"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// errExpiredOnArrival: waiting for it to get better would be a loop of logins.
var errExpiredOnArrival = &upstream.Error{
	Kind: upstream.Malformed, Op: "login", Detail: "the token had expired, or nearly, when it arrived",
}

func (Force) apply(t *transition) { t.startIfAllowed(ReasonForced) }

// apply begins a rotation, now that the account has a slot, if it still wants one.
func (Due) apply(t *transition) {
	if t.Known == known && t.InUse(t.env) {
		t.startIfAllowed(cmp.Or(t.neededReason(t.env.Reading, ""), ReasonRotation))
	}
}

// startIfAllowed begins a login with the settings in force, where there is none in flight.
func (t *transition) startIfAllowed(reason Reason) {
	if t.Work == nil && t.MayLogin(t.env, reason, t.Account) == nil {
		t.start(reason, t.Account)
	}
}

// start begins a login. Storage takes a note first: a crash in the middle counts as a failure, and cannot become a login storm.
func (t *transition) start(reason Reason, a *Account) {
	t.WorkID++
	t.changed()
	t.Work = &Work{ID: t.WorkID, Reason: reason, Step: noting, Account: a, Began: t.env.Reading, Version: t.Version}
}

// startFailed ends a login that could not begin.
func (t *transition) startFailed(err error) {
	w := t.Work
	t.Work = nil
	t.changedLazily()
	if w.verifies() {
		t.endVerification(w, err)
		return
	}
	t.setFailures(t.failuresAfterBlocked(err, t.env, w.Account))
	t.endLogin(err)
	t.emit(Report{Reason: w.Reason, Failure: t.Failure, Err: err})
}

// apply is startFailed for a login that storage knows of.
func (e NotStarted) apply(t *transition) {
	if t.Work != nil && t.Work.ID == e.Work {
		t.startFailed(e.Err)
		t.changed()
	}
}

// endLogin has all that waited for the login ask again.
func (t *transition) endLogin(err error) {
	t.Logins++
	t.LoginErr = err
	t.emit(Wake{})
}

// cancelWork gives the login in flight up. The upstream may have made it all the same, and what it has brought already stays
// known: a token can be revoked, a failure holds, and both count.
func (t *transition) cancelWork() {
	w := t.Work
	if w == nil {
		return
	}
	switch {
	case w.Step == loggingIn:
		t.Suspect = t.Suspect || t.endsSession(nil, w.Account)
		t.GivenUp = &w.Began
		if w.Reason == ReasonForced {
			t.ForcedAt = t.env.Wall
		}
		t.setFailures(t.failuresProbed(t.env, w))
		t.emit(CancelLogin{Work: w.ID})
	case w.Failure != nil:
		t.State = t.failed()
	case w.Token == nil || t.Current != nil && t.Current.ID == w.Token.ID:
	case t.Account != nil:
		t.supersede(w.Token, t.env)
	default:
		t.Deleted = t.withDeleted(w.Token)
	}
	t.Work = nil
	t.changed()
	t.emit(Wake{})
	t.emit(Report{Reason: w.Reason, Token: w.Token, Failure: w.Failure, Took: w.Took, Err: w.Err})
}

// apply looks at what a login brought. It is stored first and the callers get it then: so no crash leaves readers with a token
// that is not known, and none takes a hold away.
func (e LoginEnded) apply(t *transition) {
	w := t.Work
	if w == nil || w.ID != e.Work || w.Step != loggingIn {
		return // the account has changed since, and the login was given up
	}
	e.Token = t.env.Clock.since(e.Clock).token(e.Token, t.env.Wall)
	if w.verifies() {
		t.verified(w, e)
		return
	}
	token, err := t.checkToken(e.Token, e.Err, w.Account)
	var failures []failedLogin
	if err != nil {
		failures = t.failuresAfter(err, t.env, sentBy(w.Account, false), w.Account.life(t.Current))
	} else {
		t.Suspect = t.Suspect || t.endsSession(token, w.Account)
		t.addToOutbox(token, w.Account.LedgerRetention)
	}
	t.changed()
	t.changeWork(func(w *Work) {
		w.Step, w.Version, w.Took, w.Token, w.Err = storing, t.Version, e.Took, token, err
		w.failures, w.Failure = failures, lastOf(failures, w.Account)
	})
}

// finish ends a login whose result storage has taken, or refused: that changes nothing for those who wait.
func (t *transition) finish(saveErr error) {
	w := t.Work
	t.State = t.afterWork(t.env)
	if w.Failure != nil {
		t.endLogin(&LoginError{Failure: *w.Failure, err: w.Err})
		t.emit(Report{Reason: w.Reason, Failure: w.Failure, Took: w.Took, Err: w.Err})
		return
	}
	if w.Reason != ReasonVerification {
		t.endLogin(nil)
	}
	t.emit(Report{Reason: w.Reason, Token: w.Token, Took: w.Took, Err: saveErr})
}

// afterWork is the state that follows when the result of the login in flight is stored. It is also what is
// stored before that.
func (s *State) afterWork(env Env) State {
	if s.Work.Failure != nil {
		return s.failed()
	}
	return s.accepted(s.Work.Token, env)
}

// failed is the state once the failure of the login in flight is in force.
func (s *State) failed() State {
	w, next := s.Work, *s
	next.setFailures(w.failures)
	next.Work = nil
	if w.Reason == ReasonForced {
		next.ForcedAt = w.failures[len(w.failures)-1].At // the last is that of this login
	}
	next.Suspect = s.Suspect || s.invalidatedBy(w.Err, w.Account)
	return next
}

// accepted is the state once the token that a login brought is the current one.
func (s *State) accepted(token *Token, env Env) State {
	next := *s
	replaced := next.latest()
	if next.Current != nil && next.Current.ID != token.ID {
		next.supersede(next.Current, env)
	}
	next.Superseded = without(next.Superseded, func(t *Token) bool { return t.ID == token.ID })
	current := *token
	if replaced != nil && replaced.ID != token.ID {
		current.replaced = replaced.ID
	}
	next.Current, next.Suspect, next.Restored, next.Work = &current, false, false, nil
	next.RevokedAt = time.Time{}
	next.setFailures(s.failuresAfterSuccess())
	switch token.Reason {
	case ReasonForced:
		next.ForcedAt = env.Wall
	case ReasonRejected:
		next.RejectedAt = env.Wall
	default:
	}
	next.Revoked = without(next.Revoked, func(r revokedToken) bool { return r.isOver(env) })
	next.Deleted = without(next.Deleted, func(t *Token) bool { return t.ID == token.ID || env.IsOver(t) })
	return next
}

// supersedeCurrent takes the current token out of use.
func (t *transition) supersedeCurrent() {
	if t.Current != nil {
		t.supersede(t.Current, t.env)
	}
	t.Current, t.Suspect, t.Restored = nil, false, false
}

// supersede keeps a token that is served no more, for as long as it is good upstream, and what is known of its revocation where
// it was given before. Those that have expired are dropped.
func (s *State) supersede(token *Token, env Env) {
	next := make([]*Token, 0, len(s.Superseded)+1)
	for _, t := range s.Superseded {
		switch {
		case t.ID == token.ID && t.revocation != "":
			token = token.withRevocationOf(t, s.RefreshTarget)
		case t.ID != token.ID && !env.IsOver(t):
			next = append(next, t)
		}
	}
	if s.IsRevoked(token.ID) && token.revocation == "" {
		token = token.revokedAs(s.outcomeAtFirst(token), env.Wall)
	}
	next = append(next, token)
	size := 0
	for _, t := range next {
		size += len(t.refresh)
	}
	for len(next) > s.limits().superseded || size > maxRefreshBytes {
		first := slices.MinFunc(next, func(a, b *Token) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
		next = without(next, func(t *Token) bool { return t == first })
		size -= len(first.refresh)
	}
	s.Superseded = next
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
