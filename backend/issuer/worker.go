// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/counters"
	"vault-plugin-secrets-mastersindia/backend/fairqueue"
	"vault-plugin-secrets-mastersindia/backend/stored"
	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// loadTimeout bounds reading one account from storage. Writes have no such bound: one that was given up could land after the
// next.
const loadTimeout = 30 * time.Second

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
	// orphans are the tokens that are still to be revoked upstream under former settings, by these: the config was deleted, or has
	// another refresh_url, to which their refresh tokens must not go.
	orphans map[*Account][]*Token
	// revokeAfter are the ends of Retry-Afters, in elapsed time, by the refresh endpoint that asked for it.
	revokeAfter map[string]time.Duration
	// revokeErrors says why the upstream has not revoked a token, by ID.
	revokeErrors map[string]string
	// slot is set while the queue counts a login of this account.
	slot   *fairqueue.Slot
	cancel context.CancelFunc // of the login in flight
	// client remembers the upstream's clock between logins; clientOf are the settings that it was made for.
	client   upstream.Client
	clientOf *Account
}

// acquire returns the account's worker, made where there is none, and keeps it until release.
func (i *Issuer) acquire(name string) *worker {
	for {
		value, ok := i.workers.Load(name)
		if !ok {
			made := &worker{name: name, issuer: i, Tally: new(counters.Tally)}
			made.guarded = locked{
				worker: made, changed: make(chan struct{}), revoking: make(map[string]bool), orphans: make(map[*Account][]*Token),
				revokeAfter: make(map[string]time.Duration), revokeErrors: make(map[string]string),
			}
			if known, ok := i.tallies.Load(name); ok {
				made.Tally = known.(*counters.Tally) //nolint:forcetypeassert // the map holds nothing else
			}
			value, _ = i.workers.LoadOrStore(name, made)
		}
		w := value.(*worker) //nolint:forcetypeassert // the map holds nothing else
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

// lookup returns the account's worker if there is one. The caller only looks at it.
func (i *Issuer) lookup(name string) (*worker, bool) {
	value, ok := i.workers.Load(name)
	if !ok {
		return nil, false
	}
	return value.(*worker), true //nolint:forcetypeassert // the map holds nothing else
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
	f(&w.guarded)
	jobs, w.guarded.jobs = w.guarded.jobs, nil
	reports, w.guarded.reports = w.guarded.reports, nil
	return jobs, reports
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
		l.adoptOrphans(&before, env)
	}
	l.publish()
	l.replan(env)
	l.evictIfUnread(env)
}

func (w *worker) env(active bool) account.Env {
	chance := rand.Float64() //nolint:gosec // spreads load, not a secret
	env := account.Env{Reading: w.issuer.clock(), Active: active, Chance: chance}
	env.Doubtful = w.issuer.isDoubtful(env.Reading)
	at := w.LastRead.Load()
	if now := env.Wall.UnixNano(); at > now && w.LastRead.CompareAndSwap(at, now) {
		at = now // the clock was set back, and the account must not count as read until that time has come again
	}
	if at > 0 {
		env.LastRead = time.Unix(0, at).UTC()
	}
	return env
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
		active, ended := true, false
		w.issuer.guard(func() {
			result, active = w.work(job)
			ended = true
		})
		switch {
		case !ended:
			result = broken(job)
		case result == nil:
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

// ended applies the result of a job.
func (w *worker) ended(job account.Effect, result account.Event, active bool) (jobs, reports []account.Effect) {
	ok := false
	w.issuer.guard(func() {
		jobs, reports = w.underLock(func(l *locked) { l.apply(result, active) })
		ok = true
	})
	if !ok {
		return w.underLock(func(l *locked) { l.apply(account.Broken{Job: job, Err: errPanic}, false) })
	}
	return jobs, reports
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

// broken is the result of a job that ended in a panic: something may wait for it.
func broken(job account.Effect) account.Event {
	switch e := job.(type) {
	case account.LoadAccount:
		return account.Loaded{ID: e.ID, Err: errPanic}
	case account.SaveRecord:
		return account.Saved{Version: e.Version, Err: errPanic}
	case account.Login:
		return account.LoginEnded{Work: e.Work.ID, Err: errPanic}
	default:
		return nil
	}
}

// load reads settings and record.
func (i *Issuer) load(name string, id uint64) account.Loaded {
	ctx, cancel := context.WithTimeout(i.ctx, loadTimeout)
	defer cancel()
	settings, err := i.source.Account(ctx, name)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return account.Loaded{ID: id, Err: err}
	}
	record, err := i.store.Load(ctx, name)
	if err != nil && (settings != nil || !stored.IsDamaged(err)) { // a damaged record of no account is replaced by the next one
		return account.Loaded{ID: id, Err: err}
	}
	return account.Loaded{ID: id, Account: settings, Record: record}
}

// put writes a record, or deletes it. It returns when storage has responded, however long that takes: a write that was given up
// could land after the next one.
func (i *Issuer) put(name string, r *Record) error {
	ctx := context.WithoutCancel(i.ctx)
	if r == nil {
		return i.store.Delete(ctx, name)
	}
	return i.store.Save(ctx, name, r)
}

// login sends the credentials once. This node may do that: storage has just taken the note that it begins.
func (w *worker) login(work *account.Work, redact []string) account.Event {
	ctx, cancel := context.WithCancel(w.issuer.ctx)
	defer cancel()
	client, err := w.clientFor(work, cancel)
	if err != nil {
		return account.NotStarted{Work: work.ID, Err: fmt.Errorf("%w: %w", account.ErrUnusable, err)}
	}
	if client == nil {
		return nil
	}
	began := w.issuer.clock()
	grant, err := client.Login(ctx, redact...)
	if ctx.Err() != nil {
		return nil // given up: nothing is waiting for the result
	}
	took := w.issuer.clock().Elapsed - began.Elapsed
	if err != nil {
		return account.LoginEnded{Work: work.ID, Err: err, Took: took}
	}
	token := account.NewToken(grant, began, work.Account.Generation, work.Reason)
	return account.LoginEnded{Work: work.ID, Token: token, Took: took}
}

// clientFor returns the client for a login, made when it is first needed, and notes how to give the login up; nil for a login
// that was given up before.
func (w *worker) clientFor(work *account.Work, cancel context.CancelFunc) (client upstream.Client, err error) {
	w.do(func(l *locked) {
		if l.state.Work == nil || l.state.Work.ID != work.ID {
			return
		}
		if l.client == nil || l.clientOf != work.Account {
			if client, err = w.issuer.newClient(work.Account); err != nil {
				return
			}
			l.client, l.clientOf = client, work.Account
		}
		client, l.cancel = l.client, cancel
	})
	return client, err
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
	if s.Fresh(now) {
		return s.Result(now)
	}
	return s.Overdue(now, l.state.Failure.Left(now))
}

// wait returns when something has changed, the time is over, or the caller is gone. A zero wait has no bound.
func (w *worker) wait(ctx context.Context, changed <-chan struct{}, bound time.Duration) error {
	var over <-chan time.Time
	if bound > 0 {
		timer := time.NewTimer(bound)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
	case <-over:
	case <-w.issuer.ctx.Done():
		return ErrStopped
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s, _ := w.look()
			return s.StillWaiting(w.issuer.clock())
		}
		return context.Cause(ctx)
	}
	return nil
}

// ready waits until the account is in memory, and runs f with it locked. Errors: ErrNoAccount, ErrStopped, ctx's and storage's,
// in which case f was not run.
func (w *worker) ready(ctx context.Context, f func(l *locked)) error {
	missing := false
	err := w.loaded(ctx, func(l *locked) {
		if missing = l.state.IsAbsent(); !missing {
			f(l)
		}
	})
	if err == nil && missing {
		return ErrNoAccount
	}
	return err
}

// loaded is ready also for an account that does not exist.
func (w *worker) loaded(ctx context.Context, f func(l *locked)) error {
	for asked := -1; ; {
		var changed <-chan struct{}
		var err error
		w.do(func(l *locked) {
			s := &l.state
			if asked < 0 {
				asked = s.Loads
			}
			news := s.Loads > asked
			switch {
			case w.issuer.ctx.Err() != nil:
				err = ErrStopped
			case s.IsKnown() || news && s.LoadErr == nil && s.IsAbsent():
				f(l)
			case news && s.LoadErr != nil:
				err = s.LoadErr
			default:
				l.apply(account.Want{}, true)
				changed = l.changed
			}
		})
		if err != nil || changed == nil {
			return err
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return err
		}
	}
}

// saved waits until storage has taken, or refused, the record of that version.
func (w *worker) saved(ctx context.Context, version uint64) error {
	for {
		s, changed := w.look()
		switch {
		case s.Saved >= version:
			return nil
		case s.Lost >= version:
			return s.SaveErr
		}
		if err := w.wait(ctx, changed, 0); err != nil {
			return err
		}
	}
}

// look returns the state, and what is closed when it has changed.
func (w *worker) look() (s account.State, changed <-chan struct{}) {
	w.do(func(l *locked) { s, changed = l.state, l.changed })
	return s, changed
}
