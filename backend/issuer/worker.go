// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/backend/loginqueue"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// worker performs what the state machine of one account asks for. There is one for a name as long as anything about that name is
// in flight, unsaved, or waited for.
type worker struct {
	name   string
	issuer *Issuer

	*counters.Tally // outlives the worker

	counter atomic.Pointer[counters.Counter] // set once the account is in use
	served  atomic.Pointer[account.Served]   // what warm reads load; follows from state

	mu      sync.Mutex
	guarded locked // see do
}

// locked is what the lock of a worker guards. Only do hands it out, and only while the lock is held, so nothing here waits.
type locked struct {
	*worker

	state account.State
	// changed is closed, and replaced, when callers that wait should ask again.
	changed chan struct{}
	// jobs are to be done, and reports to be logged and counted, when the lock is not held any more.
	jobs    []account.Effect
	reports []account.Effect
	// callers are those that hold on to the worker.
	callers int
	evicted bool
	// written says that the config was written while the account was in memory: its readers come soon.
	written bool
	// revoking are the tokens whose revocation is being sent upstream, by ID.
	revoking map[string]bool
	// former are the tokens that are still to be revoked upstream under former settings, by these: the config was deleted, or has
	// another refresh_url, to which their refresh tokens must not go.
	former map[*Account][]*Token
	// revokeAfter are the ends of Retry-Afters, in elapsed time, by the refresh endpoint that asked for it.
	revokeAfter map[string]time.Duration
	// revokeErrors says why the upstream has not revoked a token, by ID.
	revokeErrors map[string]string
	// revocations are the calls of Revoke that have not returned.
	revocations []*revocation
	// slot is set while the queue counts a login of this account.
	slot   *loginqueue.Slot
	cancel context.CancelFunc // of the login in flight
	// client remembers the upstream's clock between logins; clientOf are the settings that it was made for.
	client   upstream.Client
	clientOf *Account
}

// acquire returns the account's worker, made where there is none, and keeps it until release.
func (i *Issuer) acquire(name string) *worker {
	for {
		w, ok := i.workers.of(name)
		if !ok {
			made := &worker{name: name, issuer: i, Tally: new(counters.Tally)}
			now, steps := i.now()
			made.guarded = locked{
				worker: made, state: new(account.State).At(steps, now), changed: make(chan struct{}),
				revoking: make(map[string]bool), former: make(map[*Account][]*Token),
				revokeAfter: make(map[string]time.Duration), revokeErrors: make(map[string]string),
			}
			if known, ok := i.tallies.Load(name); ok {
				made.Tally = known.(*counters.Tally) //nolint:forcetypeassert // the map holds nothing else
			}
			w = i.workers.addOrGet(made)
		}
		if w.hold() {
			return w
		}
	}
}

// hold keeps the worker until release. It fails for one that was evicted meanwhile.
func (w *worker) hold() (ok bool) {
	w.do(func(l *locked) {
		if ok = !l.evicted; ok {
			l.callers++
		}
	})
	return ok
}

func (w *worker) release() {
	w.do(func(l *locked) {
		l.callers--
		l.evictIfUnread(w.env(false))
	})
}

// do runs f with the account locked. When it is not any more it starts what follows, and logs and counts what f has to report.
func (w *worker) do(f func(l *locked)) {
	jobs, reports := w.underLock(f)
	w.start(jobs)
	for _, effect := range reports {
		w.report(effect)
	}
}

func (w *worker) underLock(f func(l *locked)) (jobs, reports []account.Effect) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guarded.followClock()
	f(&w.guarded)
	jobs, w.guarded.jobs = w.guarded.jobs, nil
	reports, w.guarded.reports = w.guarded.reports, nil
	return jobs, reports
}

// followClock has the state go by the clock as it goes now, so that nobody is shown times from before it was set.
func (l *locked) followClock() {
	if _, steps := l.issuer.now(); !l.evicted && l.state.IsBehind(steps) {
		l.apply(account.ClockSet{}, false)
	}
}

// apply is locked.apply for a caller that has nothing else to do with the account.
func (w *worker) apply(event account.Event, active bool) {
	w.do(func(l *locked) { l.apply(event, active) })
}

// apply has something happen to the account, and begins what follows. active says that this node may log in and write.
func (l *locked) apply(event account.Event, active bool) {
	env := l.env(active)
	before := l.state
	var effects []account.Effect
	l.state, effects = l.state.Apply(env, event)
	for _, effect := range effects {
		l.perform(effect)
	}
	switch {
	case len(l.state.Outbox) > 0:
		l.issuer.unsent.Store(l.name, l.worker)
	case len(before.Outbox) > 0:
		l.issuer.unsent.Delete(l.name)
	}
	if l.state.IsAbsent() && !before.IsAbsent() {
		l.forgetCounts()
	}
	if before.Account != nil && before.Account != l.state.Account {
		l.keepFormer(&before, env)
	}
	l.publish()
	l.replan(env)
	l.evictIfUnread(env)
}

func (w *worker) env(active bool) account.Env {
	chance := rand.Float64() //nolint:gosec // spreads load, not a secret
	env := account.Env{Active: active, Chance: chance}
	env.Reading, env.Clock = w.issuer.now()
	env.LastRead = notAfter(env.Wall, &w.LastRead) // it must not count as read until that time has come again
	return env
}

// notAfter is the time of a mark, in nanoseconds, or zero for none. One of before the clock was set back is now.
func notAfter(now time.Time, mark *atomic.Int64) time.Time {
	at := mark.Load()
	if n := now.UnixNano(); at > n {
		_ = mark.CompareAndSwap(at, n) // a later mark stays
		at = n
	}
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at).UTC()
}

// perform begins an effect.
func (l *locked) perform(effect account.Effect) {
	switch effect.(type) {
	case account.LoadAccount, account.SaveRecord, account.Login:
		l.jobs = append(l.jobs, effect)
	case account.CancelLogin:
		if l.cancel != nil {
			l.cancel()
		}
	case account.SendToLedger:
		l.issuer.outbox.add(l.worker)
	case account.Wake:
		close(l.changed)
		l.changed = make(chan struct{})
	case account.Report, account.ReportUnfinished:
		l.reports = append(l.reports, effect)
	}
}

// start does jobs in goroutines of the Issuer.
//
//nolint:contextcheck,nolintlint // the work is the Issuer's, and ends with it; nolintlint misses that this is used
func (w *worker) start(jobs []account.Effect) {
	for _, job := range jobs {
		w.issuer.goWork(func() { w.run(job) })
	}
}

// run does a job and applies its result. A job that follows from it runs on the same stack: a login is a chain of them, and a
// new stack would have to grow for each.
func (w *worker) run(job account.Effect) {
	for job != nil {
		var result account.Event
		active := true
		if !w.issuer.guard(func() { result, active = w.work(job) }) {
			result = broken(job)
		} else if result == nil {
			return
		}
		jobs, reports := w.ended(job, result, active)
		job = nil
		if len(jobs) > 0 && w.issuer.ctx.Err() == nil { // a stopped Issuer starts nothing
			w.start(jobs[1:])
			job = jobs[0]
		}
		for _, effect := range reports {
			w.report(effect)
		}
	}
}

// work does a job. Its result is nil where nothing waits for one; active says that this node may write.
func (w *worker) work(job account.Effect) (result account.Event, active bool) {
	i := w.issuer
	switch e := job.(type) {
	case account.LoadAccount:
		loaded := i.load(w.name, e.ID)
		w.apply(loaded, false)
		// Mostly nothing is pending, and then the host, which is another process, need not be asked whether this node may write.
		// After a load that failed the sweep would begin the next at once.
		if s, _ := w.look(); loaded.Err == nil && s.Owes() && i.mayLogin() == nil {
			return account.Sweep{}, true
		}
		return nil, false
	case account.SaveRecord:
		return account.Saved{Version: e.Version, Err: i.put(w.name, e.Record)}, true
	case account.Login:
		return w.login(e.Work, e.Redact), true
	default:
		return nil, false
	}
}

// replan sets when the scheduler looks at the account.
func (l *locked) replan(env account.Env) {
	if l.state.Work == nil && l.slot != nil {
		l.issuer.queue.GiveBack(l.slot)
		l.slot = nil
	}
	if p, ok := l.state.RotationPlan(env.Reading); ok {
		l.issuer.queue.Set(l.worker, l.state.Account.Host(), p, env.Wall)
	} else {
		l.issuer.queue.Remove(l.worker)
	}
}

// publish makes what warm reads load follow from the state.
func (l *locked) publish() {
	s := &l.state
	if s.IsKnown() && (s.Usable(l.issuer.clock()) || s.Failure.Refused()) {
		l.counted()
	}
	l.served.Store(s.Served(l.served.Load()))
}

// result is what a reader gets now who can be given the current token.
func (l *locked) result(now Reading) Result {
	s := l.served.Load()
	if s.Fresh(now, l.issuer.steps.Load()) {
		return s.Result(now)
	}
	return s.Overdue(now, l.state.Failure.Left(now))
}
