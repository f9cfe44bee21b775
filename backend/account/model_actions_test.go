// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"fmt"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

type action struct {
	// What it is, in words.
	what string
	do   func(w *modelWorld)
}

// actions are the actions that are possible next in a world, by its scenario.
type actions struct {
	w   *modelWorld
	all []action
}

func (a *actions) add(when bool, what string, do func(w *modelWorld)) {
	if when {
		a.all = append(a.all, action{what, do})
	}
}

// next is the world after an action. The one before stays as it is.
func (w *modelWorld) next(a action) *modelWorld {
	next := *w
	a.do(&next)
	next.clocks = next.env().Clock
	next.goOn()
	next.check()
	return &next
}

func (w *modelWorld) list(buffer []action) []action {
	a := &actions{w: w, all: buffer[:0]}
	a.callers()
	a.effects()
	a.storage()
	a.config()
	a.revocations()
	a.time()
	return a.all
}

func (a *actions) callers() {
	w, s := a.w, a.w.scenario
	plain := slices.ContainsFunc(w.readers, func(r modelReader) bool { return r.Rejected == "" })
	a.add(!plain, "a reader comes", func(w *modelWorld) { w.reads("") })
	rejected := slices.ContainsFunc(w.readers, func(r modelReader) bool { return r.Rejected != "" })
	a.add(s.rejected && !rejected && w.state.Current != nil, "a reader comes whose token an API has refused", func(w *modelWorld) {
		w.reads(w.state.Current.ID)
	})
	due := w.active && w.state.Known == known && w.state.InUse(w.env()) &&
		w.state.MayLogin(w.env(), ReasonRotation, w.state.Account) == nil
	a.add(due, "the queue gives the account a slot", func(w *modelWorld) { w.apply(Due{}) })
	mayForce := s.forced && w.active && w.left.forced > 0 && w.state.Known == known && w.state.Work == nil &&
		w.state.MayLogin(w.env(), ReasonForced, w.state.Account) == nil
	a.add(mayForce, "rotate/ is called", func(w *modelWorld) {
		w.left.forced--
		w.apply(Force{})
	})
	a.add(s.sweep && (w.state.Version > w.state.Saved || len(w.state.Outbox) > 0 || len(w.state.Failures) > 0),
		"the periodic work runs", func(w *modelWorld) {
			if w.canEvict() {
				w.evict()
				return
			}
			w.apply(Sweep{})
		})
	a.add(s.evict && w.canEvict(), "the account is evicted from memory", (*modelWorld).evict)
	a.add(w.left.crashes > 0, "the process crashes and starts again", func(w *modelWorld) {
		w.left.crashes--
		w.crash()
	})
	a.add(s.standby, "the node's role changes", func(w *modelWorld) { w.active = !w.active })
}

func modelError(kind upstream.Kind, cause upstream.Cause, retryAfter time.Duration) *upstream.Error {
	return &upstream.Error{Kind: kind, Op: "login", Cause: cause, RetryAfter: retryAfter}
}

func (a *actions) effects() {
	w, s := a.w, a.w.scenario
	for n := range w.logins {
		l := &w.logins[n]
		up := w.upstream[credentialsIn(l.work.Account)]
		login := func(what string, do func(w *modelWorld, l modelLogin)) {
			if l.cancelled {
				what = "a login that was given up: " + what
			}
			a.add(true, what, func(w *modelWorld) {
				l := w.logins[n]
				w.logins = slices.Delete(slices.Clone(w.logins), n, n+1)
				do(w, l)
			})
		}
		if l.cancelled {
			login("it comes to nothing", func(*modelWorld, modelLogin) {})
			// An upstream makes sessions in the order of the logins: of one that it makes after a later one nobody can know.
			if s.percent == 100 && l.work.ID != w.state.WorkID {
				continue
			}
		}
		login("the upstream gives a new token", func(w *modelWorld, l modelLogin) { w.gives(l, w.fresh("t"), modelLife) })
		if l.cancelled {
			continue
		}
		if s.repeats && up.id != "" {
			if !s.tellsNoLife {
				login("the upstream gives the same token with a full life", func(w *modelWorld, l modelLogin) {
					w.gives(l, up.id, modelLife)
				})
			}
			if left := up.end - w.true; left > 0 {
				login("the upstream gives the same token with what life it has left", func(w *modelWorld, l modelLogin) {
					w.gives(l, up.id, left)
				})
			}
		}
		fails := func(when bool, what string, err *upstream.Error) {
			if when {
				login(what, func(w *modelWorld, l modelLogin) { w.refuses(l, err) })
			}
		}
		fails(s.outages&refused != 0, "the upstream refuses the credentials", modelError(upstream.Rejected, "", 0))
		fails(s.outages&throttled != 0, "the upstream asks to come again in two minutes",
			modelError(upstream.Throttled, "", 2*time.Minute))
		notFound := modelError(upstream.Unavailable, upstream.CauseDNS, 0)
		notFound.NotSent = true
		fails(s.outages&down != 0, "the upstream is not found", notFound)
		if s.outages&lost != 0 {
			login("the upstream's response is lost", func(w *modelWorld, l modelLogin) {
				w.loses(l)
				w.refuses(l, modelError(upstream.Unavailable, upstream.CauseTimeout, 0))
			})
		}
		if s.outages&late != 0 {
			login("the token has expired when it arrives", func(w *modelWorld, l modelLogin) { w.gives(l, w.fresh("t"), 3*time.Second) })
		}
		if s.outages&blocked != 0 {
			login("the upstream cannot even be asked", func(w *modelWorld, l modelLogin) {
				w.applyAs(NotStarted{Work: l.work.ID, Err: errModelStorage}, true)
			})
		}
	}
}

// gives has the upstream respond to a login with a token.
func (w *modelWorld) gives(l modelLogin, id string, life time.Duration) {
	c := credentialsIn(l.work.Account)
	end, isNew := w.true+life, w.upstream[c].id != id
	if isNew { // life counts from before the request was sent
		end = l.trueBegan + life
		if life < minLife {
			end = w.true + life
		}
	}
	w.upstream[c] = modelToken{id: id, end: end}
	if end-w.true < 10*time.Second && life >= minLife && !w.scenario.tellsNoLife { // the client makes an error of that
		err := modelError(upstream.Malformed, "", 0)
		err.TokenID = id
		w.refuses(l, err)
		return
	}
	token := &Token{
		ID: id, Access: "secret of " + id, Generation: l.work.Account.Generation, Reason: l.work.Reason, refresh: "refresh of " + id,
		IssuedAt: l.began.Wall, ExpiresAt: l.began.Wall.Add(end - l.trueBegan),
	}
	if w.scenario.tellsNoLife {
		token.ExpiresAt, token.lifeAssumed = l.began.Wall.Add(l.work.Account.Upstream.DefaultTokenTTL), true
	}
	if !l.cancelled {
		isRight := l.work.Account.Upstream.DefaultTokenTTL == modelLife
		if w.scenario.tellsNoLife && (!isRight || !isNew && w.ghost.find(id) < 0) {
			end = -1 // the engine assumes a wrong life, or a later beginning
		}
		w.ghost.told(w, l, id, end)
		w.ghost.change(w.ghost.find(id), func(t *ghostToken) { t.stale = l.revoked })
		if w.scenario.hasLimits() {
			w.ghost.change(w.ghost.find(id), func(t *ghostToken) { t.brought = l.trueBegan })
		}
		w.ghost.ended(w, l.work, nil)
	}
	w.applyAs(LoginEnded{Work: l.work.ID, Token: token, Clock: l.steps}, true)
}

func (w *modelWorld) refuses(l modelLogin, err *upstream.Error) {
	if !l.cancelled {
		w.ghost.ended(w, l.work, err)
	}
	w.applyAs(LoginEnded{Work: l.work.ID, Err: err}, true)
}

// loses has the upstream log in without the engine knowing: the new token replaces the old one.
func (w *modelWorld) loses(l modelLogin) {
	w.upstream[credentialsIn(l.work.Account)] = modelToken{id: w.fresh("t"), end: w.true + modelLife}
}

func (a *actions) storage() {
	w, s := a.w, a.w.scenario
	if s.slowLoads {
		for n, l := range w.loads {
			what := [...]string{"a load reads the config", "a load reads the record", "a load ends"}[l.stage]
			a.add(true, what, func(w *modelWorld) { w.loadGoesOn(n) })
			a.add(s.failures, "a load fails", func(w *modelWorld) {
				w.loadEnds(n, Loaded{ID: w.loads[n].id, Err: errModelLoad})
			})
		}
	}
	if w.save != nil && s.slowSaves {
		a.add(!w.save.landed, "storage takes the record", (*modelWorld).saveLands)
		a.add(true, "storage responds that it has the record", func(w *modelWorld) { w.saveEnds(true, nil) })
		a.add(s.failures, "storage responds with an error", func(w *modelWorld) { w.saveEnds(false, errModelStorage) })
	}
	if w.tell != nil && s.slowLedger {
		a.add(true, "the ledger is told", (*modelWorld).tellGoesOn)
		a.add(s.failures, "the ledger takes nothing", func(w *modelWorld) { w.tell = nil })
	}
	if w.op != nil && w.op.step == opStores && s.slowConfig {
		a.add(true, "storage takes the config", func(w *modelWorld) { w.configStored(true, nil) })
		a.add(s.failures, "storage refuses the config", func(w *modelWorld) { w.configStored(false, errModelStorage) })
		a.add(s.failures, "storage takes the config and responds with an error", func(w *modelWorld) {
			w.configStored(true, errModelStorage)
		})
	}
}

func (a *actions) config() {
	w, s := a.w, a.w.scenario
	names := map[change]string{
		changeHeaders: "headers", changeCredentials: "new credentials", changePaused: "paused", changeDeleted: "nothing",
		changeLimit: "max_token_ttl", changeAssumed: "default_token_ttl",
	}
	for _, c := range s.changes {
		if w.left.writes == 0 {
			break
		}
		begins := func(step opStep) func(w *modelWorld) {
			return func(w *modelWorld) {
				account, ok := w.changedAccount(c)
				if !ok {
					return
				}
				w.left.writes--
				o := &modelOp{step: step, old: w.config, account: account, loads: w.state.Loads}
				if step == opBegins {
					w.verify = o
					return
				}
				w.op = o
			}
		}
		// Two writes that may verify come one after the other; a pause and a deletion wait for no verification.
		free := w.op == nil && w.active && (w.verify == nil || c == changePaused || c == changeDeleted)
		a.add(free && s.writesHere, "the config is written here: "+names[c], begins(opStores))
		a.add(free && w.verify == nil && s.verifies && (c == changeHeaders || c == changeCredentials), "the config is verified and written: "+names[c],
			begins(opBegins))
		a.add(s.writesElsewhere && w.op == nil && w.verify == nil, "the config is written on another cluster: "+names[c], func(w *modelWorld) {
			account, ok := w.changedAccount(c)
			if !ok {
				return
			}
			w.left.writes--
			w.config, w.changed = account, true
		})
	}
	a.add(w.verify != nil, "the caller of the verification hangs up", (*modelWorld).callerGone)
	a.add(w.changed, "the invalidation arrives", func(w *modelWorld) {
		w.changed = false
		w.applyAs(Invalidated{}, false)
	})
	a.add(s.invalidates && w.state.Known == known && w.left.writes > 0, "an invalidation comes for nothing", func(w *modelWorld) {
		w.left.writes--
		w.applyAs(Invalidated{}, false)
	})
}

func (a *actions) revocations() {
	w, s := a.w, a.w.scenario
	revoke := func(id string) func(w *modelWorld) {
		return func(w *modelWorld) {
			targets := w.inTime().Revocable(w.now(), id)
			w.left.revokes--
			w.apply(Revoke{TokenID: id})
			w.ghost.revokes(w, targets, id == "")
			if w.broken == "" && id == "" && w.state.CanServe(w.now()) {
				w.breaks(ruleRevoked, "a token stays in use after all were revoked")
			}
			w.checkServing()
			for _, t := range targets {
				if s.kills {
					w.kills = append(slices.Clip(w.kills), modelKill{token: t, keep: time.Hour})
				}
			}
		}
	}
	if w.active && w.left.revokes > 0 && w.state.Known == known {
		a.add(true, "revoke/ is called for all tokens", revoke(""))
		if t := w.state.Current; t != nil && t.Remaining(w.now()) > 0 {
			a.add(true, "revoke/ is called for the current token", revoke(t.ID))
		}
		for n, t := range w.state.Superseded {
			a.add(n < 2 && t.Remaining(w.now()) > 0, "revoke/ is called for a superseded token", revoke(t.ID))
		}
	}
	for _, t := range w.state.Deleted {
		a.add(w.active && w.left.revokes > 0 && w.state.Known == known, "revoke/ is called for a token of a deleted config", revoke(t.ID))
	}
	for n, k := range w.kills {
		for _, o := range []Outcome{Killed, Unknown} {
			a.add(n < 1, fmt.Sprintf("the upstream's response to the revocation: %s", o), func(w *modelWorld) {
				w.kills = slices.Delete(slices.Clone(w.kills), n, n+1)
				w.applyAs(RevokeEnded{Token: k.token, Outcome: o, Keep: k.keep}, true)
			})
		}
	}
}

func (a *actions) time() {
	w, s := a.w, a.w.scenario
	a.clock()
	if w.set > 0 {
		a.add(w.true < w.ahead+modelRight, "a minute passes", func(w *modelWorld) { w.true += time.Minute })
		return
	}
	if s.untilTheEnd {
		if t := w.inTime().Current; t != nil {
			a.add(true, "the token ends", func(w *modelWorld) { w.true += max(0, t.Remaining(w.now())) + repeatMargin })
		} else {
			a.add(true, "half an hour passes", func(w *modelWorld) { w.true += modelLife * 3 / 2 })
		}
		return
	}
	a.add(true, "a second passes", func(w *modelWorld) { w.true += time.Second })
	for _, d := range w.deadlines() {
		a.add(true, fmt.Sprintf("%s pass", d), func(w *modelWorld) { w.true += d })
	}
}

// clock has the clocks of the machine go otherwise than time.
func (a *actions) clock() {
	w, s := a.w, a.w.scenario
	a.add(s.setsBack && w.left.setBacks > 0, "the wall clock is set back by ten minutes", func(w *modelWorld) {
		w.left.setBacks--
		w.set -= modelSetBack
		w.ghost.setBack(w)
	})
	a.add(s.setsAhead && w.left.setBacks > 0, "the wall clock is set forward by mistake", func(w *modelWorld) {
		w.left.setBacks--
		w.set, w.ahead = modelAhead, w.true
		w.ghost.setAhead(w)
	})
	a.add(w.set > 0, "the wall clock is set right", (*modelWorld).setRight)
	a.add(s.sleeps && w.left.setBacks > 0, "the machine sleeps for a quarter of an hour", func(w *modelWorld) {
		w.left.setBacks--
		w.true += modelSleep
		w.since += modelSleep
	})
}

func (w *modelWorld) setRight() {
	w.set = 0
	w.ghost.setBack(w)
}

// deadlines are the times until something changes by itself.
func (w *modelWorld) deadlines() []time.Duration {
	s, now := w.inTime(), w.now()
	var all []time.Duration
	add := func(d time.Duration) {
		if d > 0 && d != time.Second && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	if p, ok := s.RotationPlan(now); ok {
		add(p.At.Sub(now.Wall))
	}
	add(s.GivenUpLeft(now))
	add(s.Failure.Left(now))
	if t := s.Current; t != nil {
		add(t.Remaining(now) - minLife + time.Millisecond)
		add(t.Remaining(now) + repeatMargin)
		add(t.ValidUntil().Sub(now.Wall) + repeatMargin)
		if w.scenario.rejected && w.state.RejectedAt.Before(now.Wall.Add(-rejectedEvery)) {
			add(leastRejectedAge - now.Wall.Sub(t.IssuedAt))
		}
	}
	for _, r := range s.Revoked {
		add(r.End.Sub(now.Wall))
	}
	for _, f := range s.Failures {
		add(f.Left(now))
	}
	if w.scenario.rejected {
		add(rejectedEvery - now.Wall.Sub(s.RejectedAt).Abs())
	}
	if w.scenario.forced {
		add(forcedEvery - now.Wall.Sub(s.ForcedAt).Abs())
		if s.Failure.Refused() {
			add(forcedRefusedEvery - now.Wall.Sub(s.Failure.At))
		}
	}
	if len(w.readers) > 0 {
		add(rotationWait - (now.Elapsed - w.readers[0].Arrived.Elapsed))
		add(ReadWait - (now.Elapsed - w.readers[0].Arrived.Elapsed))
		if s.Work != nil {
			add(rotationWait - (now.Elapsed - s.Work.Began.Elapsed))
		}
	}
	return all
}
