// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"fmt"
	"slices"
	"time"
)

// longestHold is that of an account whose credentials were refused again and again.
const longestHold = 24 * time.Hour

// lives has upstream, storage and clock work from now on: readers must get a token within the longest hold, and all be saved.
func (w *modelWorld) lives() string {
	next := *w
	w = &next
	w.scenario, w.active = w.scenario.good, true
	w.logins = slices.DeleteFunc(slices.Clone(w.logins), func(l modelLogin) bool { return l.cancelled })
	w.kills = nil
	if w.set > 0 {
		w.setRight()
	}
	if w.changed {
		w.changed = false
		w.applyAs(Invalidated{}, false)
	}
	w.works()
	if how := w.getsToken(); how != "" {
		return ruleLive + ": " + how
	}
	if how := w.replacesRejected(); how != "" {
		return ruleLive + ": " + how
	}
	if how := w.settles(); how != "" {
		return ruleSettles + ": " + how
	}
	w.check()
	return w.broken
}

// works lets all that is in flight come to an end.
func (w *modelWorld) works() {
	for range 100 {
		w.goOn()
		n := slices.IndexFunc(w.logins, func(l modelLogin) bool { return !l.cancelled })
		if w.broken != "" || n < 0 {
			return
		}
		l := w.logins[n]
		w.logins = slices.Delete(slices.Clone(w.logins), n, n+1)
		w.gives(l, w.fresh("t"), modelLife)
	}
	w.breaks(ruleWait, "logins never end")
}

// getsToken has readers come until one gets a token.
func (w *modelWorld) getsToken() string {
	for began := w.true; ; {
		w.reads("")
		w.works()
		switch s := &w.state; {
		case w.broken != "":
			return w.broken
		case s.CanServe(w.now()):
			return ""
		case w.config == nil && s.Known == absent, w.config != nil && w.config.Paused && s.Known == known:
			return "" // as it should be
		case w.true-began > longestHold:
			return fmt.Sprintf("none after %s: %s", w.true-began, w.summary())
		case s.Failure.Holds(w.now()):
			w.true += s.Failure.Left(w.now())
		default:
			w.true += time.Second
		}
		w.goOn()
	}
}

// replacesRejected has a reader come whose token an API has refused, once that may cause a login.
func (w *modelWorld) replacesRejected() string {
	s := &w.state
	if w.broken != "" || !w.scenario.rejected || !s.CanServe(w.now()) {
		return ""
	}
	age := w.now().Wall.Sub(s.Current.IssuedAt)
	wait := max(0, leastRejectedAge-age, s.Failure.Left(w.now()))
	wait = max(wait, rejectedEvery-w.now().Wall.Sub(s.RejectedAt))
	if w.set != 0 || w.record != nil && w.record.RejectedAt.After(w.now().Wall) {
		return "" // such a mark lasts longer where the clock was set back
	}
	w.true += wait
	w.goOn()
	if !s.CanServe(w.now()) {
		return ""
	}
	id := s.Current.ID
	w.reads(id)
	w.works()
	if s.CanServe(w.now()) && s.Current.ID == id {
		return "the token stays although an API refuses it: " + w.summary()
	}
	return w.broken
}

// settles has the periodic work run, twice.
func (w *modelWorld) settles() string {
	for range 2 {
		w.true += time.Minute
		w.apply(Sweep{})
		w.works()
	}
	s := &w.state
	if s.Known == unknown { // not in memory
		return w.broken
	}
	switch {
	case w.broken != "":
		return w.broken
	case s.Version != s.Saved || w.save != nil:
		return "storage does not know all"
	case len(s.Outbox) > 0:
		return "the ledger does not know all"
	case s.Work != nil || s.Loading != 0:
		return "something is in flight for ever: " + w.summary()
	case len(w.readers) > 0:
		return "a reader waits for ever"
	}
	return ""
}
