// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-mastersindia/backend/stored"
)

const (
	// loginsPerHost bounds the logins that the engine makes by itself at one time at one upstream host, and sharedLogins those over
	// all hosts. A host that has none in flight may always have one: however many hosts hang, no other waits for them.
	loginsPerHost = 8
	sharedLogins  = 32
	// lookAgain bounds the scheduler's sleep: timers do not notice that the machine was suspended or its clock set.
	lookAgain = time.Minute
)

// scheduler says whose turn it is to rotate. An account waits in planned until its time has come, and then in the queue of its
// host, where the one that has waited longest is first. However often an account is read meanwhile, its turn stays the same.
type scheduler struct {
	// wake holds one token when run should look again.
	wake chan struct{}

	mu      sync.Mutex
	planned dueHeap
	at      map[*worker]*due
	hosts   map[string]*hostQueue
	// shared counts the logins in flight beyond the first of each host.
	shared int
}

// hostQueue are the accounts of one upstream host whose time has come.
type hostQueue struct {
	waiting []*due
	running int
}

// due is an account and when it is to be looked at.
type due struct {
	plan

	worker *worker
	host   string
	index  int  // in planned
	queued bool // waits for its turn
}

// turn is one login that the scheduler counts.
type turn struct{ host string }

func newScheduler() *scheduler {
	return &scheduler{wake: make(chan struct{}, 1), at: make(map[*worker]*due), hosts: make(map[string]*hostQueue)}
}

// set plans the account, in place of what was planned for it. One that waits for its turn keeps it, unless its time is put off.
func (s *scheduler) set(w *worker, host string, p plan, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.at[w]
	if ok && d.queued && d.host == host && !p.at.After(now) {
		return
	}
	if ok {
		s.take(d)
	}
	d = &due{worker: w, host: host, plan: p}
	s.at[w] = d
	heap.Push(&s.planned, d)
	s.signal()
}

func (s *scheduler) remove(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.at[w]; ok {
		s.take(d)
	}
}

// take takes an account out, wherever it waits.
func (s *scheduler) take(d *due) {
	delete(s.at, d.worker)
	if !d.queued {
		heap.Remove(&s.planned, d.index)
		return
	}
	h := s.hosts[d.host]
	h.waiting = slices.DeleteFunc(h.waiting, func(other *due) bool { return other == d })
	s.tidy(d.host)
}

// next gives the account that has waited longest at a host which may have another login its turn; ok is false where there is
// none.
func (s *scheduler) next(now time.Time) (w *worker, t *turn, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.planned) > 0 && !s.planned[0].at.After(now) {
		d := heap.Pop(&s.planned).(*due) //nolint:forcetypeassert // the heap holds nothing else
		d.queued = true
		h := s.host(d.host)
		n, _ := slices.BinarySearchFunc(h.waiting, d.since, func(other *due, t time.Time) int {
			return cmp.Or(other.since.Compare(t), -1) // behind those of the same time
		})
		h.waiting = slices.Insert(h.waiting, n, d)
	}
	var first *due
	for host, h := range s.hosts {
		if len(h.waiting) > 0 && s.isFree(host) && (first == nil || h.waiting[0].since.Before(first.since)) {
			first = h.waiting[0]
		}
	}
	if first == nil {
		return nil, nil, false
	}
	s.take(first)
	return first.worker, s.begin(first.host), true
}

// tryTurn gives an account its turn out of order, if nobody waits at its host; nil where it must wait.
func (s *scheduler) tryTurn(w *worker, host string) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hosts[host]; h != nil && len(h.waiting) > 0 && h.waiting[0].worker != w || !s.isFree(host) {
		return nil
	}
	if d, ok := s.at[w]; ok {
		s.take(d)
	}
	return s.begin(host)
}

// giveBack ends a turn.
func (s *scheduler) giveBack(t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.host(t.host)
	h.running--
	if h.running > 0 {
		s.shared--
	}
	s.tidy(t.host)
	s.signal()
}

func (s *scheduler) begin(host string) *turn {
	h := s.host(host)
	h.running++
	if h.running > 1 {
		s.shared++
	}
	return &turn{host: host}
}

func (s *scheduler) isFree(host string) bool {
	h := s.hosts[host]
	return h == nil || h.running == 0 || h.running < loginsPerHost && s.shared < sharedLogins
}

func (s *scheduler) host(name string) *hostQueue {
	h, ok := s.hosts[name]
	if !ok {
		h = &hostQueue{}
		s.hosts[name] = h
	}
	return h
}

// tidy drops a host of which there is nothing to know.
func (s *scheduler) tidy(name string) {
	if h := s.hosts[name]; h != nil && h.running == 0 && len(h.waiting) == 0 {
		delete(s.hosts, name)
	}
}

// sleep is how long there is nothing to do, by what is planned.
func (s *scheduler) sleep(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.planned) == 0 {
		return lookAgain
	}
	return min(max(s.planned[0].at.Sub(now), 0), lookAgain)
}

func (s *scheduler) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // run has not taken the last one yet
	}
}

// rotateWhenDue rotates the tokens of accounts in use ahead of their expiry, until ctx ends.
func (i *Issuer) rotateWhenDue(ctx context.Context) {
	i.restore(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.schedule.wake:
		case <-timer.C:
		}
		timer.Reset(i.rotateDue())
	}
}

// rotateDue begins the rotations that are due, as many as may be in flight, and returns how long to sleep.
func (i *Issuer) rotateDue() time.Duration {
	for asked := false; i.ctx.Err() == nil; asked = true {
		now := i.clock()
		if !asked && i.schedule.sleep(now.Wall) > 0 && !i.schedule.anyWaits() {
			return i.schedule.sleep(now.Wall)
		}
		if !asked && i.mayLogin() != nil {
			return lookAgain
		}
		w, turn, ok := i.schedule.next(now.Wall)
		if !ok {
			return i.schedule.sleep(now.Wall)
		}
		w.takeTurn(turn)
	}
	return lookAgain
}

// isDue reports whether the account would have its turn again at once.
func (s *scheduler) isDue(w *worker) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.at[w]
	return ok && (d.queued || !d.at.After(w.issuer.clock().Wall))
}

// anyWaits reports whether an account's time has come that has not had its turn.
func (s *scheduler) anyWaits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hosts {
		if len(h.waiting) > 0 {
			return true
		}
	}
	return false
}

// takeTurn rotates the account, if it still wants that.
func (w *worker) takeTurn(t *turn) {
	w.do(func(l *locked) {
		if l.evicted || l.state.Work != nil {
			w.issuer.schedule.giveBack(t)
			return
		}
		l.turn = t
		wants := l.state.Known == known && l.state.inUse(w.env(true))
		l.apply(Due{}, true)
		if !wants || l.state.Work == nil && w.issuer.schedule.isDue(w) {
			w.issuer.schedule.remove(w) // until it is read, or the next sweep
		}
	})
}

// restoreAgain is how long what storage did not give at start is left alone.
const restoreAgain = time.Minute

// restore loads the accounts that have a record, so that tokens which were in use before a restart are rotated in time, and the
// upstream is told of revocations. A reader who comes earlier loads its account itself. What storage does not give is tried again
// in the background.
func (i *Issuer) restore(ctx context.Context) {
	left, err := i.restoreListed(ctx)
	if err == nil && len(left) == 0 {
		return
	}
	i.goWork(func() {
		ticker := time.NewTicker(restoreAgain)
		defer ticker.Stop()
		for err != nil || len(left) > 0 {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err != nil {
				left, err = i.restoreListed(ctx)
			} else {
				left = i.restoreAll(ctx, left)
			}
		}
	})
}

// restoreListed loads all accounts that have a record, and returns those that storage did not give.
func (i *Issuer) restoreListed(ctx context.Context) (left []string, err error) {
	names, err := i.store.List(ctx)
	if err != nil {
		if ctx.Err() == nil {
			i.logger.Warn("the stored tokens could not be listed: it will be tried again", "error", err)
		}
		return nil, err
	}
	return i.restoreAll(ctx, names), nil
}

// restoreAll loads the accounts of those names, and returns the names of those that storage did not give.
func (i *Issuer) restoreAll(ctx context.Context, names []string) (left []string) {
	for _, name := range names {
		if ctx.Err() != nil {
			return nil
		}
		err := i.restoreOne(ctx, name)
		if err != nil && !errors.Is(err, ErrNoAccount) && !stored.IsDamaged(err) {
			left = append(left, name)
		}
	}
	return left
}

// restoreOne loads one account. It is evicted again where it has no usable token: memory is for accounts in use.
func (i *Issuer) restoreOne(ctx context.Context, name string) error {
	w := i.acquire(name)
	defer w.release()
	return w.ready(ctx, func(l *locked) { l.apply(Want{AtStart: true}, true) })
}

// idleAfter is how long an account without a usable token stays in memory after it was last read.
const idleAfter = 10 * time.Minute

// Sweep plans all accounts anew, in case a clock was set, tells storage and ledger once more what they would not take, and evicts
// accounts that are idle. It does no I/O itself: Vault calls it under a lock of its own.
func (i *Issuer) Sweep() {
	if !i.sweeping.CompareAndSwap(false, true) {
		return
	}
	if !i.goWork(func() {
		defer i.sweeping.Store(false)
		active := i.mayLogin() == nil
		i.outbox.retry()
		for _, value := range i.workers.Range {
			value.(*worker).sweep(active) //nolint:forcetypeassert // the map holds nothing else
		}
		i.schedule.signal()
	}) {
		i.sweeping.Store(false)
	}
}

func (w *worker) sweep(active bool) {
	w.do(func(l *locked) {
		env := w.env(active)
		if l.state.Known != known || !readSince(env, env.Wall.Add(-idleAfter)) {
			l.evictIfIdle(env.Reading)
		}
		if !l.evicted {
			l.apply(Sweep{}, active)
		}
	})
	if active {
		w.tellAgain()
	}
}

// dueHeap has the account that is due first on top.
type dueHeap []*due

func (h *dueHeap) Len() int           { return len(*h) }
func (h *dueHeap) Less(a, b int) bool { return (*h)[a].at.Before((*h)[b].at) }
func (h *dueHeap) Swap(a, b int) {
	items := *h
	items[a], items[b] = items[b], items[a]
	items[a].index, items[b].index = a, b
}

func (h *dueHeap) Push(x any) {
	d := x.(*due) //nolint:forcetypeassert // only set pushes
	d.index = len(*h)
	*h = append(*h, d)
}

func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return d
}
