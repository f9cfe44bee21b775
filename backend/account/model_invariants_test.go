// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// The rules that hold in every state. The numbers are those of the contract's list of behaviour.
const (
	ruleSound      = "the state is sound"
	ruleLease      = "1. a token with less than 6 s left is served no more"
	ruleUseful     = "2. every lease has a third of the token's life"
	ruleOne        = "3. one login is in flight"
	ruleHold       = "4. a failed login is followed by its hold"
	ruleBreaker    = "4. refused credentials are sent again only by a probe, by hand, or when they were changed"
	ruleRetryAfter = "4. Retry-After is honoured"
	ruleForced     = "4. logins by hand are made once in 10 s, and once a minute after a refusal"
	ruleNoted      = "4. an attempt is noted before the login"
	ruleWait       = "5. a reader waits only for what is under way: 2 s beside a token, 15 s without"
	ruleSuspect    = "5. a token that a login may have killed is served no more"
	ruleKnown      = "6. every token that is served is known to storage"
	ruleRejected   = "a rejected token causes one rotation in 5 minutes"
	ruleWho        = "9. only an active node logs in and writes"
	ruleLife       = "12. no life is lengthened"
	ruleLimit      = "max_token_ttl: no token is served longer after the login that brought it"
	ruleGood       = "a token that the upstream gives is served where it is good"
	ruleRevoked    = "no revoked token is served"
	ruleGeneration = "no token of another generation is served"
	rulePaused     = "a paused account serves nothing"
	ruleStatus     = "status/ says what the next reader finds"
	ruleLedger     = "the ledger learns of every token that was served, and of every revocation"
	ruleLive       = "a reader gets a token within the longest hold, once upstream and storage work"
	ruleSettles    = "what storage and ledger are owed is paid, once they work"
)

// tolerance is by how much a clock that was set back goes uncorrected.
const tolerance = Margin

// ghost is what the checker records about the account to check it by: it follows from the actions, never from the state.
type ghost struct {
	revoked []ghostRevoked
	tokens  []ghostToken
	// holds are those of logins, and verHolds those of verifications, by credentials.
	holds, verHolds [2]ghostHold
	// forced and rejected are when such a login last ended, in true time; 0 if never.
	forced, rejected time.Duration
	rejectedVersion  uint64
	// cutOff is when a crash cut a login off, of which generation.
	cutOff           time.Duration
	cutOffGeneration string
	// uncorrected is set if the wall clock was set back and nothing was saved since.
	uncorrected        bool
	uncorrectedVersion uint64
}

type ghostRevoked struct {
	id      string
	version uint64
	durable bool
	// mustTell says that the ledger must learn of it, as the token was served.
	mustTell bool
	// end is when the token was to end, in true time; -1 if it cannot be known, or has ended.
	end time.Duration
}

type ghostToken struct {
	id  string
	end time.Duration // true; -1 if it cannot be known
	// set and since are those of the clocks by which the end was told.
	set, since time.Duration
	// brought is when the last login that brought it began.
	brought time.Duration
	served  bool
	// stale says that all tokens were revoked since the login began that has brought it last.
	stale bool
	// excused says that storage refused the write that would have made the token known.
	excused bool
}

type ghostHold struct {
	kind       upstream.Kind
	at, until  time.Duration
	step       int
	generation string
	login      string
	version    uint64
	durable    bool
	// offClock says that the wall clock was set since: only this process knows how long the hold lasts.
	offClock bool
	// earlier says that an earlier process has stored it: it ends when the clock says so.
	earlier bool
}

func (g *ghost) find(id string) int {
	return slices.IndexFunc(g.tokens, func(t ghostToken) bool { return t.id == id })
}

func (g *ghost) change(n int, f func(t *ghostToken)) {
	g.tokens = slices.Clone(g.tokens)
	f(&g.tokens[n])
}

// told records the expiry that the upstream states: the first one counts until it has passed.
func (g *ghost) told(w *modelWorld, l modelLogin, id string, end time.Duration) {
	n := g.find(id)
	since := l.trueBegan - l.began.Elapsed
	if r := slices.IndexFunc(g.revoked, func(r ghostRevoked) bool { return r.id == id }); r >= 0 && w.set > 0 {
		g.revoked = slices.Clone(g.revoked)
		g.revoked[r].end = -1 // it may be over, as the clock says
	}
	if n < 0 {
		g.tokens = append(slices.Clip(g.tokens), ghostToken{id: id, end: end, set: w.set, since: since})
		return
	}
	g.change(n, func(t *ghostToken) {
		t.set = max(t.set, w.set)
		switch {
		case t.end < 0:
		case w.set > 0 && w.clocks.raised() == 0: // to a process that began with the clock ahead, the first one has passed
			t.end = -1
		case w.true >= t.end:
			if awake := t.end + w.since - t.since; awake > w.true { // a sleep looks like a clock that was set forward
				end = min(end, awake)
			}
			t.end, t.set, t.since = end, w.set, since
		default:
			t.end = min(t.end, end)
		}
	})
}

// landed records what storage has from now on.
func (g *ghost) landed(version uint64) {
	g.revoked = slices.Clone(g.revoked)
	for n := range g.revoked {
		g.revoked[n].durable = g.revoked[n].durable || g.revoked[n].version <= version
	}
	for n := range g.holds {
		h := &g.holds[n]
		h.durable = h.durable || h.version > 0 && h.version <= version
	}
	if g.uncorrected && g.uncorrectedVersion > 0 && version >= g.uncorrectedVersion {
		g.uncorrected, g.uncorrectedVersion = false, 0
	}
}

// setBack records that the wall clock was set back. Some marks are by this clock alone.
func (g *ghost) setBack(w *modelWorld) {
	inMemory := w.state.Known != unknown
	g.uncorrected, g.uncorrectedVersion = true, 0
	g.forced, g.rejected, g.rejectedVersion, g.cutOff = 0, 0, 0, 0
	for n := range g.holds {
		g.holds[n].offClock = true
		if !inMemory {
			g.holds[n] = ghostHold{}
		}
	}
	g.tokens = slices.Clone(g.tokens)
	for n := range g.tokens {
		if t := &g.tokens[n]; !inMemory && t.set > w.set { // a process that begins later cannot know
			t.end = -1
		}
	}
}

// setAhead records that the wall clock was set forward by mistake: holds of earlier processes are over by this clock.
func (g *ghost) setAhead(w *modelWorld) {
	for n := range g.holds {
		if g.holds[n].offClock = true; g.holds[n].earlier || w.state.Known == unknown {
			g.holds[n] = ghostHold{}
		}
	}
	g.verHolds = [2]ghostHold{}
	g.forced, g.rejected, g.rejectedVersion, g.cutOff = 0, 0, 0, 0
}

// crashed records what a crash makes the account forget, and what it must not.
func (g *ghost) crashed(w *modelWorld) {
	refused := w.state.Lost > w.state.Saved // a write that storage refused was not made good
	g.revoked = slices.DeleteFunc(slices.Clone(g.revoked), func(r ghostRevoked) bool { return !r.durable })
	for n, r := range g.revoked {
		if t := g.find(r.id); t >= 0 && g.tokens[t].set > 0 { // the next process cannot know by which clock its end is
			g.revoked[n].end = -1
		}
	}
	g.tokens = slices.Clone(g.tokens)
	for n := range g.tokens {
		g.tokens[n].since = w.since
		if g.uncorrected && g.tokens[n].set > w.set {
			g.tokens[n].end, g.tokens[n].brought = -1, 0
		}
		if id := g.tokens[n].id; w.scenario.tellsNoLife && !w.record.has(id) { // its beginning was not stored
			g.tokens[n].end = -1
		}
		g.tokens[n].stale = false // a revocation that was not stored is lost
		if refused {
			g.tokens[n].excused = true
		}
	}
	for n := range g.holds {
		if h := &g.holds[n]; w.state.Failure != nil && w.state.Failure.Kind == Blocked && h.kind != upstream.Rejected {
			h.step = 0 // is not stored while logins cannot begin
		}
		if g.holds[n].earlier = true; !g.holds[n].durable || g.holds[n].offClock {
			g.holds[n] = ghostHold{}
		}
	}
	if g.rejectedVersion > 0 { // was not stored
		g.rejected, g.rejectedVersion = 0, 0
	}
	g.verHolds, g.forced, g.cutOff = [2]ghostHold{}, 0, 0
	held := w.record != nil && slices.ContainsFunc(w.record.Failures, func(f StoredFailedLogin) bool { // goes on
		return !f.Verification && f.NextAttempt.After(w.now().Wall)
	})
	if w.record != nil && w.record.Attempt != nil && !w.record.Attempt.Verification && !held {
		g.cutOff, g.cutOffGeneration = w.true, w.record.Generation
	}
	g.uncorrected, g.uncorrectedVersion = false, 0
}

// sent checks a login that is sent now.
func (w *modelWorld) sent(work *Work) {
	g, c := &w.ghost, credentialsIn(work.Account)
	if slices.ContainsFunc(w.logins, func(l modelLogin) bool { return !l.cancelled }) {
		w.breaks(ruleOne, "a second one is sent")
	}
	if w.record == nil || w.record.Attempt == nil {
		w.breaks(ruleNoted, "storage does not know of it")
	}
	isSame := work.Account.Generation == g.cutOffGeneration && work.Reason != ReasonForced && work.Reason != ReasonVerification
	if g.cutOff > 0 && isSame && w.true < g.cutOff+750*time.Millisecond {
		w.breaks(ruleHold, "a login that was cut off by a crash is repeated at once")
	}
	switch h := g.holds[c]; work.Reason {
	case ReasonForced:
		// If its token is out of use, or its failure is of other settings, there is nothing else to return.
		inForce := w.state.Usable(w.now()) || h.kind == upstream.Rejected || h.kind == upstream.Throttled ||
			h.kind != "" && h.generation == work.Account.Generation
		if g.forced > 0 && inForce && w.true < g.forced+10*time.Second {
			w.breaks(ruleForced, "the last was less than 10 s ago")
		}
		if h.kind == upstream.Rejected && w.true < h.at+time.Minute {
			w.breaks(ruleForced, "the credentials were refused less than a minute ago")
		}
	case ReasonVerification:
		w.sentDuring(h, work, h.kind == upstream.Rejected || h.kind == upstream.Throttled)
		v := g.verHolds[c]
		w.sentDuring(v, work, v.kind == upstream.Rejected || v.kind == upstream.Throttled || v.login == loginOf(&work.Account.Upstream))
	default:
		w.sentDuring(h, work, h.kind == upstream.Rejected || h.kind == upstream.Throttled || h.generation == work.Account.Generation)
		v := g.verHolds[c]
		w.sentDuring(v, work, v.kind == upstream.Rejected || v.kind == upstream.Throttled)
		if work.Reason == ReasonRejected && g.rejected > 0 && w.true < g.rejected+rejectedEvery {
			w.breaks(ruleRejected, "the last was less than 5 minutes ago")
		}
	}
}

func (w *modelWorld) sentDuring(h ghostHold, work *Work, concerns bool) {
	if !concerns || w.true >= h.until {
		return
	}
	rule := ruleHold
	switch h.kind {
	case upstream.Rejected:
		rule = ruleBreaker
	case upstream.Throttled:
		rule = ruleRetryAfter
	default:
	}
	w.breaks(rule, fmt.Sprintf("a login (%s) is sent %s too early", work.Reason, h.until-w.true))
}

// ended records the result of a login, before the account gets it.
func (g *ghost) ended(w *modelWorld, work *Work, err *upstream.Error) {
	c := credentialsIn(work.Account)
	g.cutOff = 0
	if work.Reason == ReasonForced {
		g.forced = w.true
	}
	if err == nil {
		return // whether it is one for the account: see applied
	}
	if work.Reason == ReasonVerification {
		g.verHolds[c] = g.verHolds[c].after(w, work, err)
		return
	}
	h := g.holds[c]
	if v := g.verHolds[c]; h.kind == "" && (v.kind == upstream.Rejected || v.kind == upstream.Throttled) && w.true < v.until {
		h = v // a refusal is one of the credentials, whatever login sent them
	}
	g.holds[c] = h.after(w, work, err)
}

// givenUp records that a login was given up of which the upstream has heard: what was a probe counts as one.
func (g *ghost) givenUp(w *modelWorld, work *Work) {
	c := credentialsIn(work.Account)
	for _, h := range []*ghostHold{&g.holds[c], &g.verHolds[c]} {
		if h.kind == upstream.Rejected && w.true >= h.until {
			h.step++
			h.at, h.until, h.version, h.durable = w.true, w.true+probeSchedule(h.step), w.state.Version, false
		}
	}
}

// after is the hold that follows a failure, at the shortest.
func (h ghostHold) after(w *modelWorld, work *Work, err *upstream.Error) ghostHold {
	forced := work.Reason == ReasonForced
	next := ghostHold{
		kind: err.Kind, at: w.true, step: 1, generation: work.Account.Generation, login: loginOf(&work.Account.Upstream),
	}
	if h.kind != upstream.Rejected && h.kind != upstream.Throttled && h.generation != next.generation {
		h = ghostHold{} // an outage may have been mended by the change
	}
	open := h.kind == upstream.Rejected
	if open { // an outage says nothing about the credentials
		next.kind = upstream.Rejected
	}
	if h.kind != "" && open == (next.kind == upstream.Rejected) {
		next.step = h.step + 1
	}
	switch {
	case next.kind == upstream.Rejected:
		next.until = w.true + probeSchedule(next.step)
	case err.RetryAfter > 0:
		next.until = w.true + err.RetryAfter
	default:
		next.until = w.true + min(time.Second<<min(next.step-1, 6), modelLife/20)*3/4
	}
	// What could not begin has a hold as well, of which the checker does not know, and by hand it becomes no longer.
	if f := w.state.Failure; f.Holds(w.now()) && forced && next.kind != upstream.Rejected && err.RetryAfter == 0 {
		next.until, next.step = min(next.until, w.true+f.Left(w.now())), 1
	}
	if open && err.Kind != upstream.Rejected {
		next.at = h.at // of the last refusal
	}
	if forced && w.true < h.until { // trying by hand brings the next attempt no nearer
		next.until, next.step = max(h.until, w.true+err.RetryAfter), h.step
		if h.kind == upstream.Throttled && err.Kind != upstream.Rejected {
			next.kind, next.until = upstream.Throttled, h.until
		}
		if !open && err.Kind == upstream.Rejected {
			next.until, next.step = w.true+probeSchedule(1), 1
		}
	}
	return next
}

// probeSchedule is when refused credentials are tried again.
func probeSchedule(step int) time.Duration {
	return []time.Duration{15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}[min(step, 4)-1]
}

func (g *ghost) revokes(w *modelWorld, targets []*Token, all bool) {
	if all {
		w.logins, g.tokens = slices.Clone(w.logins), slices.Clone(g.tokens)
		for n := range w.logins {
			w.logins[n].revoked = true
		}
		for n := range g.tokens {
			g.tokens[n].stale = true
		}
	}
	for _, t := range targets {
		revoked := ghostRevoked{id: t.ID, version: w.state.Version, end: -1}
		if n := g.find(t.ID); n >= 0 {
			revoked.mustTell = g.tokens[n].served
			if end := g.tokens[n].end; end > w.true {
				revoked.end = end
			}
		}
		g.revoked = slices.DeleteFunc(slices.Clone(g.revoked), func(r ghostRevoked) bool { return r.id == t.ID })
		g.revoked = append(g.revoked, revoked)
	}
}

func (w *modelWorld) applied(before *State, event Event) {
	g, s := &w.ghost, &w.state
	if s.Known == known {
		other := 1 - credentialsIn(s.Account)
		if before.Known == known || before.Known == stale || g.holds[other].kind != "" {
			g.holds[other] = ghostHold{}
		}
	}
	switch e := event.(type) {
	case LoginEnded:
		// A success that the account does not accept counts as an outage.
		if work := s.Work; work != nil && work.ID == e.Work && work.Step >= storing {
			c := credentialsIn(work.Account)
			w.checkAccepted(before, work, e)
			switch {
			case work.Failure == nil:
				g.holds[c], g.verHolds[c] = ghostHold{}, ghostHold{}
			case e.Err == nil:
				// The credentials were taken, so that the circuit breaker is closed.
				for _, h := range []*ghostHold{&g.holds[c], &g.verHolds[c]} {
					if h.kind == upstream.Rejected {
						*h = ghostHold{}
					}
				}
				g.holds[c] = g.holds[c].after(w, work, modelError(upstream.Malformed, "", 0))
				w.excuseUnused(e.Token.ID)
			}
			if work.Failure != nil {
				g.holds[c].version = work.Version
			}
		}
	case Removed:
		for c := range g.holds {
			if g.holds[c].kind == upstream.Rejected {
				g.verHolds[c] = g.holds[c]
			}
		}
		g.holds = [2]ghostHold{}
		g.forced, g.rejected, g.rejectedVersion = 0, 0, 0
	}
	if s.Known == absent {
		g.holds = [2]ghostHold{}
		g.forced, g.rejected, g.rejectedVersion = 0, 0, 0
	}
	replaced := s.Current != nil && s.Current != before.Current && s.Failure == nil
	if before.Work != nil && before.Work.Reason == ReasonRejected && s.Work == nil && replaced {
		g.rejected = w.true
		g.rejectedVersion = 0
		if s.Lost >= before.Work.Version && s.Saved < before.Work.Version {
			g.rejectedVersion = s.Version
		}
	}
	if g.uncorrected && g.uncorrectedVersion == 0 {
		g.uncorrectedVersion = s.Version
	}
	w.excuseForgotten(before, event)
	w.checkFailures(before, event)
	w.checkRevoked()
	w.checkServing()
}

// checkRevoked checks that the account remembers what was revoked, and when it ends: until then there may be no other.
func (w *modelWorld) checkRevoked() {
	s, g := w.inTime(), &w.ghost
	if s.Known == unknown || s.bounds.revoked > 0 || w.scenario.tellsNoLife {
		return
	}
	for _, r := range g.revoked {
		n := slices.IndexFunc(s.Revoked, func(v revokedToken) bool { return v.ID == r.id })
		if n < 0 {
			w.breaks(ruleRevoked, r.id+" is forgotten")
			continue
		}
		left := s.Revoked[n].End.Sub(w.now().Wall)
		t := g.find(r.id)
		if t >= 0 && g.tokens[t].end < 0 {
			continue
		}
		beganAhead := w.set > 0 && w.clocks.raised() == 0 // it is known when the clock is set right
		if early := r.end - w.true - left - s.Revoked[n].slack.max(); r.end >= 0 && early > tolerance && !beganAhead {
			w.breaks(ruleRevoked, fmt.Sprintf("%s is thought to end %s too early", r.id, early))
		}
		if t >= 0 && r.end >= 0 && w.set == 0 && w.true+left > g.tokens[t].end+tolerance {
			w.breaks(ruleLive, fmt.Sprintf("%s was revoked and is thought to end %s too late", r.id, w.true+left-g.tokens[t].end))
		}
	}
}

// checkAccepted checks that a token that came and is good is served, whatever max_token_ttl and default_token_ttl said before.
func (w *modelWorld) checkAccepted(before *State, work *Work, e LoginEnded) {
	if e.Err != nil || work.Failure == nil || !w.scenario.hasLimits() {
		return
	}
	if t := before.given(e.Token.ID); t != nil {
		left := t.asTold().Remaining(w.now())
		for _, left := range []time.Duration{left, left + t.slack.max()} {
			if took := w.now().Wall.Sub(e.Token.IssuedAt); left < minLife && left > -repeatMargin-took {
				return // by the next login it is given a new life, or another one comes
			}
		}
	}
	t := w.ghost.tokens[w.ghost.find(e.Token.ID)]
	if !w.state.IsRevoked(t.id) && t.end-w.true >= minLife+tolerance && w.true-t.brought < modelLimit-minLife {
		w.breaks(ruleGood, fmt.Sprintf("%s, for %s: %s", t.id, t.end-w.true, work.Failure.Message))
	}
}

// excuseUnused drops the checker's claim about a token that had ended when it came, by both clocks: the account does not remember
// what it was told.
func (w *modelWorld) excuseUnused(id string) {
	t := w.state.given(id)
	if !w.state.IsRevoked(id) && (t == nil || !t.MayLive(w.now())) {
		w.ghost.change(w.ghost.find(id), func(t *ghostToken) { t.end, t.since = min(t.end, w.true), w.since })
	}
}

// excuseForgotten drops the checker's claims about what the account has forgotten since it remembers only so much.
func (w *modelWorld) excuseForgotten(before *State, event Event) {
	g, s, most := &w.ghost, &w.state, w.state.bounds
	if most.failedLogins > 0 && len(s.Failures) >= most.failedLogins {
		loaded, _ := event.(Loaded)
		wasFull := len(before.Failures) >= most.failedLogins || loaded.Record != nil && len(loaded.Record.Failures) >= most.failedLogins
		if wasFull && !slices.Equal(before.Failures, s.Failures) {
			g.holds, g.verHolds = [2]ghostHold{}, [2]ghostHold{}
		}
	}
	if most.superseded > 0 {
		for _, t := range before.Superseded {
			if n := g.find(t.ID); n >= 0 && s.Find(t.ID) == nil {
				g.change(n, func(t *ghostToken) { t.end = -1 })
			}
		}
	}
	if most.revoked > 0 && len(s.Revoked) >= most.revoked {
		g.revoked = slices.DeleteFunc(slices.Clone(g.revoked), func(r ghostRevoked) bool {
			return before.IsRevoked(r.id) && !s.IsRevoked(r.id)
		})
	}
	if most.outbox == 0 || len(s.Outbox) < most.outbox {
		return
	}
	for _, o := range before.Outbox {
		if n := g.find(o.Token.ID); n >= 0 && !w.ledgerWillKnow(true, o.Token.ID, false) {
			g.change(n, func(t *ghostToken) { t.excused = true })
		}
		g.revoked = slices.Clone(g.revoked)
		for n, r := range g.revoked {
			g.revoked[n].mustTell = r.mustTell && (r.id != o.Token.ID || w.ledgerWillKnow(true, r.id, true))
		}
	}
}

// checkServing checks what a reader would be given now.
func (w *modelWorld) checkServing() {
	s, g, now := w.inTime(), &w.ghost, w.now()
	if warm := w.state.Served(nil); w.scenario.setsClocks() && warm.Fresh(now, &w.clocks) && !s.CanServe(now) {
		w.breaks(ruleLease, "a warm read is given what others are not")
	}
	if !s.CanServe(now) {
		return
	}
	id := s.Current.ID
	n := g.find(id)
	if n < 0 {
		w.breaks(ruleSound, "a token is served that the upstream never gave")
		return
	}
	if slices.ContainsFunc(g.revoked, func(r ghostRevoked) bool { return r.id == id }) {
		w.breaks(ruleRevoked, id)
	}
	if !w.changed && (w.op == nil || w.op.step < opStores) {
		switch {
		case w.config == nil || w.config.Generation != s.Current.Generation:
			w.breaks(ruleGeneration, id)
		case w.config.Paused:
			w.breaks(rulePaused, id)
		}
	}
	t := g.tokens[n]
	if t.stale {
		w.breaks(ruleRevoked, id+" was asked for before all were revoked")
	}
	left := s.Current.Remaining(now)
	if limit := s.Account.MaxTokenTTL; t.brought > 0 && limit > 0 && w.true-t.brought > limit {
		w.breaks(ruleLimit, fmt.Sprintf("%s was brought %s ago", id, w.true-t.brought))
	}
	if t.end >= 0 && t.end-w.true < minLife-tolerance {
		w.breaks(ruleLease, fmt.Sprintf("%s is served with %s left", id, t.end-w.true))
	}
	if t.end >= 0 && left > t.end-w.true+tolerance {
		w.breaks(ruleLife, fmt.Sprintf("%s has %s left and is thought to have %s", id, t.end-w.true, left))
	}
	if w.config != nil && w.config.singleSession() && s.Work == nil && w.upstream[credentialsIn(s.Account)].id != id {
		w.breaks(ruleSuspect, id)
	}
	refused := s.Lost > s.Saved
	if !refused && !t.excused && !w.record.has(id) {
		w.breaks(ruleKnown, id)
	}
	if !t.served {
		g.change(n, func(t *ghostToken) { t.served = true })
	}
}

func (w *modelWorld) serves(r *modelReader) {
	s, now := &w.state, w.now()
	if !s.CanServe(now) {
		w.breaks(ruleLease, "a reader is given a token that is not to be served")
		return
	}
	t := s.Current
	waited := w.true > r.came // for a login that took its time
	held := waited || s.Failure != nil || s.Work != nil || s.GivenUpLeft(now) > 0 || t.repeated || s.Account.singleSession()
	if t.Remaining(now) < t.Life()/3 && !held {
		w.breaks(ruleUseful, fmt.Sprintf("%s has %s left, and nothing is in the way of a rotation", t.ID, t.Remaining(now)))
	}
	w.lastRead = now.Wall
	w.checkServing()
}

func (w *modelWorld) waiting(r *modelReader, v Decision) {
	s, now := &w.state, w.now()
	waited := now.Elapsed - r.Arrived.Elapsed
	switch {
	case v.Bound <= 0 || waited >= ReadWait:
		w.breaks(ruleWait, "a reader waits longer than 15 s")
	case s.CanServe(now) && s.Corrected > max(s.Saved, s.Lost) && (s.Work == nil || s.Work.Reason != ReasonRejected):
		if waited >= rotationWait {
			w.breaks(ruleWait, "a reader waits longer than 2 s for storage beside a token")
		}
	case s.CanServe(now) && s.Work == nil:
		w.breaks(ruleWait, "a reader waits beside a token for nothing")
	case s.CanServe(now) && s.Work.Reason != ReasonRejected && now.Elapsed-s.Work.Began.Elapsed >= rotationWait:
		w.breaks(ruleWait, "a reader waits longer than 2 s beside a token")
	case s.CanServe(now) && s.Failure.Holds(now) && s.Work.Reason != ReasonForced && s.Work.Reason != ReasonVerification:
		w.breaks(ruleWait, "a reader waits in a hold")
	}
}

func (w *modelWorld) check() {
	g, s := &w.ghost, &w.state
	if w.broken != "" {
		return
	}
	w.checkServing()
	w.checkStatus()
	inMemory := s.Known != unknown
	for _, t := range g.tokens {
		if t.served && !t.excused && !w.ledgerWillKnow(inMemory, t.id, false) {
			w.breaks(ruleLedger, t.id)
		}
	}
	for _, r := range g.revoked {
		if r.mustTell && r.durable && !w.ledgerWillKnow(inMemory, r.id, true) {
			w.breaks(ruleLedger, "the revocation of "+r.id)
		}
	}
	for _, r := range w.readers {
		if s.Corrected > max(s.Saved, s.Lost) {
			break // they wait for storage
		}
		if s.Loading == 0 && s.Work == nil && s.GivenUpLeft(w.now()) == 0 && (s.Current == nil || s.Account == nil || !s.Account.singleSession()) {
			w.breaks(ruleWait, fmt.Sprintf("a reader (rejected %q) waits for nothing", r.Rejected))
		}
	}
	w.prune()
}

// checkStatus checks what status/ says against what a reader would find who comes now.
func (w *modelWorld) checkStatus() {
	s, now := &w.state, w.now()
	if s.Known != known {
		return
	}
	env := w.env()
	env.Active = true
	why := s.MayLogin(env, s.neededReason(now, ""), s.Account)
	_, isHeld := errors.AsType[*LoginError](why)
	isHeld = isHeld || why != nil && s.Failure != nil && errors.Is(why, s.Failure.err)
	f := s.LastFailure(now)
	health := s.Health(now)
	var wrong bool
	switch health {
	case StatePaused:
		wrong = !s.Account.Paused || s.CanServe(now)
	case StateReady:
		wrong = !s.CanServe(now) || f != nil
	case StateIdle:
		wrong = s.CanServe(now) || s.Account.Paused || f != nil || isHeld
	case StateBackingOff:
		wrong = f == nil || f.Refused() || s.Account.Paused
	case StateRejected:
		wrong = !f.Refused() || s.Account.Paused
	default:
		wrong = true
	}
	switch {
	case wrong:
		w.breaks(ruleStatus, fmt.Sprintf("%s, and a reader finds: %v", health, why))
	case health != StatePaused && (f.Holds(now) && why == nil || isHeld && !f.Holds(now)):
		w.breaks(ruleStatus, fmt.Sprintf("next_attempt_at is shown: %t, and a reader finds: %v", f.Holds(now), why))
	case f != nil && (f.Kind == "" || f.Message == "" || f.Holds(now) && !f.NextAttempt.After(now.Wall)):
		w.breaks(ruleStatus, "the last error is not said")
	}
}

// checkFailures checks that status/ counts a login that has ended, and that a verification ends with its own failure.
func (w *modelWorld) checkFailures(before *State, event Event) {
	s := &w.state
	if ended, _ := event.(LoginEnded); ended.Err != nil && s.VerifyWork == ended.Work && before.VerifyWork != ended.Work {
		told, failed := new(LoginError), new(upstream.Error)
		if errors.As(s.VerifyErr, &told) && errors.As(ended.Err, &failed) && told.Kind != failed.Kind {
			w.breaks(ruleStatus, fmt.Sprintf("a verification was %s, and its caller got %s", failed.Kind, told.Kind))
		}
	}
	if s.Logins == before.Logins {
		return
	}
	want := 0
	if s.LoginErr != nil {
		want = 1
		if before.Failure != nil {
			want += before.Failure.Consecutive
		}
	}
	got := 0
	if s.Failure != nil {
		got = s.Failure.Consecutive
	}
	if got != want {
		w.breaks(ruleStatus, fmt.Sprintf("%d failed logins since the last success, and there were %d", got, want))
	}
	var isOpen, isProbe bool // the circuit breaker, and the login by hand at the time of its probe
	for _, f := range before.Failures {
		if f.Refused() && f.concerns(sentBy(s.Account, false)) {
			isOpen, isProbe = isOpen || f.Holds(w.now()), isProbe || !f.Holds(w.now())
		}
	}
	isForced := before.Work != nil && before.Work.Reason == ReasonForced && before.Failure.Holds(w.now())
	held, left, failed, again := before.Failure.Left(w.now()), s.Failure.Left(w.now()), new(upstream.Error), new(repeatError)
	isRefused := errors.As(s.LoginErr, &failed) && failed.Kind == upstream.Rejected
	isEnd := errors.As(s.LoginErr, &again) && again.isEnd // there is no other token before
	switch {
	case isRefused && isOpen && left > held+tolerance,
		isForced && !isRefused && !isProbe && !isEnd && left > max(held, failed.RetryAfter)+tolerance:
		w.breaks(ruleHold, "a login by hand moves the next attempt")
	}
}

// ledgerWillKnow reports whether the ledger knows of a token, or of its revocation, or the account still has it unsaved.
func (w *modelWorld) ledgerWillKnow(inMemory bool, id string, revoked bool) bool {
	if slices.ContainsFunc(w.ledger, func(n modelNote) bool { return n.id == id && (n.revoked || !revoked) }) {
		return true
	}
	if inMemory {
		return slices.ContainsFunc(w.state.Outbox, func(o OutboxEntry) bool {
			return o.Token.ID == id && (o.Token.revocation != "" || !revoked)
		})
	}
	return w.record != nil && slices.ContainsFunc(w.record.Outbox, func(o StoredOutboxEntry) bool {
		return o.ID == id && (o.Revocation != "" || !revoked)
	})
}

// prune drops what can no longer matter, so that states repeat.
func (w *modelWorld) prune() {
	g := &w.ghost
	g.revoked = slices.DeleteFunc(slices.Clone(g.revoked), func(r ghostRevoked) bool {
		return !w.refers(r.id) && (!r.mustTell || slices.Contains(w.ledger, modelNote{id: r.id, revoked: true}))
	})
	g.tokens = slices.DeleteFunc(slices.Clone(g.tokens), func(t ghostToken) bool {
		settled := !t.served || t.excused || slices.ContainsFunc(w.ledger, func(n modelNote) bool { return n.id == t.id })
		return settled && !w.refers(t.id)
	})
	w.ledger = slices.DeleteFunc(slices.Clone(w.ledger), func(n modelNote) bool {
		return g.find(n.id) < 0 && !slices.ContainsFunc(g.revoked, func(r ghostRevoked) bool { return r.id == n.id })
	})
	for n := range g.holds {
		if g.holds[n].kind != "" && w.true > g.holds[n].until+48*time.Hour {
			g.holds[n] = ghostHold{}
		}
	}
}

// refers reports whether anything can still bring a token to readers.
func (w *modelWorld) refers(id string) bool {
	if w.upstream[0].id == id || w.upstream[1].id == id || w.state.Find(id) != nil || w.record.has(id) {
		return true
	}
	if w.save != nil && w.save.Record.has(id) || w.op != nil && w.op.token != nil && w.op.token.ID == id {
		return true
	}
	if work := w.state.Work; work != nil && work.Token != nil && work.Token.ID == id {
		return true
	}
	return slices.ContainsFunc(w.loads, func(l modelLoad) bool { return l.record.has(id) })
}

func (r *Record) has(id string) bool {
	if r == nil {
		return false
	}
	return r.Current != nil && r.Current.ID == id || slices.ContainsFunc(r.Superseded, func(t StoredToken) bool { return t.ID == id })
}
