// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

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

	*tally

	counter atomic.Pointer[counter] // set once the account is in use
	served  atomic.Pointer[served]  // what warm reads load; follows from state

	mu    sync.Mutex
	state State
	// changed is closed, and replaced, when callers that wait should ask again.
	changed chan struct{}
	// callers are those that hold on to the worker.
	callers int
	evicted bool
	// telling are the revoked tokens that the upstream is being asked to kill, by ID.
	telling map[string]bool
	// turn is set while the scheduler counts a login of this account.
	turn   *turn
	cancel context.CancelFunc // of the login in flight
	// client remembers the upstream's clock between logins; clientOf are the settings that it was made for.
	client   upstream.Client
	clientOf *Account
}

// tally is what is counted of an account since this process started. It outlives the worker.
type tally struct {
	lastRead  atomic.Int64 // wall clock, nanoseconds
	reads     atomic.Int64
	lastLogin atomic.Int64 // the last attempt, whatever became of it
	logins    atomic.Int64
	failures  atomic.Int64
	skew      atomic.Int64 // nanoseconds
	skewKnown atomic.Bool
}

// reset forgets all. Readers look at a tally without a lock, so it is not replaced.
func (t *tally) reset() {
	for _, n := range []*atomic.Int64{&t.lastRead, &t.reads, &t.lastLogin, &t.logins, &t.failures, &t.skew} {
		n.Store(0)
	}
	t.skewKnown.Store(false)
}

// acquire returns the account's worker, made where there is none, and keeps it until release.
func (i *Issuer) acquire(name string) *worker {
	for {
		value, ok := i.workers.Load(name)
		if !ok {
			made := &worker{name: name, issuer: i, tally: new(tally), changed: make(chan struct{})}
			if known, ok := i.tallies.Load(name); ok {
				made.tally = known.(*tally) //nolint:forcetypeassert // the map holds nothing else
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
func (w *worker) hold() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.evicted {
		w.callers++
	}
	return !w.evicted
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
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callers--
	w.evictIfUnread(w.issuer.clock())
}

// evictIfUnread evicts an idle account that nobody has read. One that was read is evicted by sweep, when it has been idle for a
// while. The caller holds w.mu.
func (w *worker) evictIfUnread(now Reading) {
	if w.state.Known != known || w.lastRead.Load() == 0 {
		w.evictIfIdle(now)
	}
}

// evictIfIdle takes the account out of memory if nothing is lost by it. The caller holds w.mu.
func (w *worker) evictIfIdle(now Reading) {
	if w.evicted || w.callers > 0 || !w.state.isIdle(now) {
		return
	}
	w.evicted = true
	w.served.Store(nil)
	w.issuer.schedule.remove(w)
	if w.state.Known == known && (w.lastRead.Load() > 0 || w.logins.Load() > 0) {
		w.issuer.tallies.Store(w.name, w.tally)
	}
	w.issuer.workers.CompareAndDelete(w.name, w)
}

// apply has something happen to the account, and performs what follows. active says that this node may log in and write.
func (w *worker) apply(event Event, active bool) {
	w.do(func() []Effect { return w.applyLocked(event, active) })
}

// do runs f with the account locked, and reports what f returns when it is not any more.
func (w *worker) do(f func() (reports []Effect)) {
	w.report(w.locked(f))
}

func (w *worker) locked(f func() []Effect) []Effect {
	w.mu.Lock()
	defer w.mu.Unlock()
	return f()
}

// applyLocked is apply for a caller that holds w.mu, and is to report what it returns when it has let go.
func (w *worker) applyLocked(event Event, active bool) []Effect {
	env := w.env(active)
	before := w.state
	next, effects := before.Apply(env, event)
	w.state = next
	var reports []Effect
	for _, effect := range effects {
		switch e := effect.(type) {
		case Wake:
			close(w.changed)
			w.changed = make(chan struct{})
		case Report, ReportUnfinished:
			reports = append(reports, effect)
		default:
			w.perform(e)
		}
	}
	switch {
	case len(next.Outbox) > 0:
		w.issuer.unsent.Store(w.name, w)
	case len(before.Outbox) > 0:
		w.issuer.unsent.Delete(w.name)
	}
	w.publish()
	w.replan(env)
	w.evictIfUnread(env.Reading)
	return reports
}

func (w *worker) env(active bool) Env {
	env := Env{Reading: w.issuer.clock(), Active: active, Chance: rand.Float64()} //nolint:gosec // spreads load, not a secret
	at := w.lastRead.Load()
	if now := env.Wall.UnixNano(); at > now && w.lastRead.CompareAndSwap(at, now) {
		at = now // the clock was set back, and the account must not count as read until that time has come again
	}
	if at > 0 {
		env.LastRead = time.Unix(0, at).UTC()
	}
	return env
}

// perform starts an effect. The caller holds w.mu, so nothing here waits.
func (w *worker) perform(effect Effect) {
	i := w.issuer
	switch e := effect.(type) {
	case LoadAccount:
		i.goWork(func() { w.apply(i.load(w.name, e.ID)) })
	case SaveRecord:
		i.goWork(func() { w.apply(Saved{Version: e.Version, Err: i.put(w.name, e.Record)}, true) })
	case Login:
		ctx, cancel := context.WithCancel(i.ctx)
		w.cancel = cancel
		i.goWork(func() {
			defer cancel()
			if event := w.login(ctx, e); event != nil {
				w.apply(event, true)
			}
		})
	case CancelLogin:
		if w.cancel != nil {
			w.cancel()
		}
	case TellLedger:
		i.outbox.add(w)
	}
}

// load reads settings and record.
func (i *Issuer) load(name string, id uint64) (Event, bool) {
	ctx, cancel := context.WithTimeout(i.ctx, loadTimeout)
	defer cancel()
	result := Loaded{ID: id}
	account, err := i.source.Account(ctx, name)
	if err == nil {
		result.Account = account
	} else if !errors.Is(err, ErrNoAccount) {
		result.Err = err
		return result, false
	}
	if result.Record, err = i.store.Load(ctx, name); err != nil {
		return Loaded{ID: id, Err: err}, false
	}
	return result, i.mayLogin() == nil
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

// login sends the credentials once.
func (w *worker) login(ctx context.Context, e Login) (event Event) {
	work := e.Work
	defer func() {
		if p := recover(); p != nil {
			// The value of a panic may hold anything; its type and the stack are enough to fix it.
			w.issuer.logger.Error("a login ended in a panic: please report this", "config", w.name,
				"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			event = LoginEnded{Work: work.ID, Err: errPanic}
		}
	}()
	if err := w.issuer.mayLogin(); err != nil {
		return NotStarted{Work: work.ID, Err: err}
	}
	client, err := w.clientFor(work.Account)
	if err != nil {
		return NotStarted{Work: work.ID, Err: fmt.Errorf("the stored settings cannot be used: %w", err)}
	}
	began := w.issuer.clock()
	grant, err := client.Login(ctx, e.Redact...)
	if ctx.Err() != nil {
		return nil // given up: nothing is waiting for the result
	}
	took := w.issuer.clock().Elapsed - began.Elapsed
	if err != nil {
		return LoginEnded{Work: work.ID, Err: err, Took: took}
	}
	return LoginEnded{Work: work.ID, Token: newToken(grant, began, work.Account.Generation, work.Reason), Took: took}
}

// clientFor returns the account's client, made when it is first needed.
func (w *worker) clientFor(a *Account) (upstream.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil && w.clientOf == a {
		return w.client, nil
	}
	client, err := w.issuer.newClient(a)
	if err == nil {
		w.client, w.clientOf = client, a
	}
	return client, err
}

// replan tells the scheduler when to look at the account. The caller holds w.mu.
func (w *worker) replan(env Env) {
	s := w.issuer.schedule
	if w.state.Work == nil && w.turn != nil {
		s.giveBack(w.turn)
		w.turn = nil
	}
	if p, ok := w.state.rotationPlan(env.Reading); ok {
		s.set(w, w.state.Account.host(), p, env.Wall)
	} else {
		s.remove(w)
	}
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
		return context.Cause(ctx)
	}
	return nil
}

// ready waits until the account is in memory, and runs f with it locked. Errors: ErrNoAccount, ErrStopped, ctx's and storage's,
// in which case f was not run.
func (w *worker) ready(ctx context.Context, f func() []Effect) error {
	missing := false
	err := w.loaded(ctx, func() []Effect {
		if missing = w.state.Known == absent; missing {
			return nil
		}
		return f()
	})
	if err == nil && missing {
		return ErrNoAccount
	}
	return err
}

// loaded is ready also for an account that does not exist.
func (w *worker) loaded(ctx context.Context, f func() []Effect) error {
	asked, first := 0, true
	for {
		var changed <-chan struct{}
		var err error
		w.do(func() []Effect {
			s := &w.state
			if first {
				asked, first = s.Loads, false
			}
			news := s.Loads > asked
			switch {
			case w.issuer.ctx.Err() != nil:
				err = ErrStopped
			case s.Known == known || news && s.LoadErr == nil && s.Known == absent:
				return f()
			case news && s.LoadErr != nil:
				err = s.LoadErr
			default:
				reports := w.applyLocked(Want{}, true)
				changed = w.changed
				return reports
			}
			return nil
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
func (w *worker) look() (State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, w.changed
}
