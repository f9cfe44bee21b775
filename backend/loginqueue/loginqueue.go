// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package loginqueue decides which account may log in next. An account waits until it is due, and then in the queue of its
// upstream host, where the one that has waited longest is first. Planning an account again does not change its place in the
// queue, and a host that hangs delays only its own accounts.
package loginqueue

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"time"
)

const (
	// perHost bounds the logins at one time at one host, and shared those over all hosts. A host that has none in flight may always
	// have one: however many hosts hang, no other waits for them.
	perHost = 8
	shared  = 32
)

// Queue has the accounts that wait, by a key of the caller's. It is safe for concurrent use.
type Queue[K comparable] struct {
	// wake holds one token when the caller should look again.
	wake chan struct{}

	mu      sync.Mutex
	planned dueHeap[K]
	at      map[K]*due[K]
	hosts   map[string]*hostQueue[K]
	// extra counts the logins in flight beyond the first of each host.
	extra int
}

// hostQueue are the accounts of one host whose time has come.
type hostQueue[K comparable] struct {
	waiting []*due[K]
	running int
}

// Plan is when an account is to be looked at, and its place among those whose time has come.
type Plan struct {
	At time.Time
	// Since is when the account was due first: the longest ago comes first.
	Since time.Time
}

// due is an account and when it is to be looked at.
type due[K comparable] struct {
	Plan

	key    K
	host   string
	index  int  // in planned
	queued bool // waits for a slot
}

// Slot is one login that the queue counts until it is given back.
type Slot struct{ host string }

// New makes an empty queue.
func New[K comparable]() *Queue[K] {
	return &Queue[K]{wake: make(chan struct{}, 1), at: make(map[K]*due[K]), hosts: make(map[string]*hostQueue[K])}
}

// Wake tells when Next may have another account to give, before the time of Sleep is over.
func (q *Queue[K]) Wake() <-chan struct{} { return q.wake }

// Signal has the receiver of Wake look again.
func (q *Queue[K]) Signal() {
	select {
	case q.wake <- struct{}{}:
	default: // the last one was not taken yet
	}
}

// Set plans the account, in place of what was planned for it. One that waits for a slot keeps its place, unless its time is put
// off.
func (q *Queue[K]) Set(key K, host string, p Plan, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d, ok := q.at[key]
	if ok && d.queued && d.host == host && !p.At.After(now) {
		return
	}
	if ok {
		q.take(d)
	}
	d = &due[K]{key: key, host: host, Plan: p}
	q.at[key] = d
	heap.Push(&q.planned, d)
	q.Signal()
}

// Remove ends the wait of an account.
func (q *Queue[K]) Remove(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d, ok := q.at[key]; ok {
		q.take(d)
	}
}

// take takes an account out, wherever it waits.
func (q *Queue[K]) take(d *due[K]) {
	delete(q.at, d.key)
	if !d.queued {
		heap.Remove(&q.planned, d.index)
		return
	}
	h := q.hosts[d.host]
	h.waiting = slices.DeleteFunc(h.waiting, func(other *due[K]) bool { return other == d })
	q.tidy(d.host)
}

// Next returns the account that has waited longest at a host with a free slot, and the slot; ok is false if there is none.
func (q *Queue[K]) Next(now time.Time) (key K, t *Slot, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.planned) > 0 && !q.planned[0].At.After(now) {
		d := heap.Pop(&q.planned).(*due[K]) //nolint:forcetypeassert // the heap holds nothing else
		d.queued = true
		h := q.host(d.host)
		n, _ := slices.BinarySearchFunc(h.waiting, d.Since, func(other *due[K], t time.Time) int {
			return cmp.Or(other.Since.Compare(t), -1) // behind those of the same time
		})
		h.waiting = slices.Insert(h.waiting, n, d)
	}
	var first *due[K]
	for host, h := range q.hosts {
		if len(h.waiting) > 0 && q.isFree(host) && (first == nil || h.waiting[0].Since.Before(first.Since)) {
			first = h.waiting[0]
		}
	}
	if first == nil {
		return key, nil, false
	}
	q.take(first)
	return first.key, q.begin(first.host), true
}

// Try returns a slot out of order, if no account waits at the host; nil if this one must wait.
func (q *Queue[K]) Try(key K, host string) *Slot {
	q.mu.Lock()
	defer q.mu.Unlock()
	if h := q.hosts[host]; h != nil && len(h.waiting) > 0 && h.waiting[0].key != key || !q.isFree(host) {
		return nil
	}
	if d, ok := q.at[key]; ok {
		q.take(d)
	}
	return q.begin(host)
}

// GiveBack frees a slot.
func (q *Queue[K]) GiveBack(t *Slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.host(t.host)
	h.running--
	if h.running > 0 {
		q.extra--
	}
	q.tidy(t.host)
	q.Signal()
}

func (q *Queue[K]) begin(host string) *Slot {
	h := q.host(host)
	h.running++
	if h.running > 1 {
		q.extra++
	}
	return &Slot{host: host}
}

func (q *Queue[K]) isFree(host string) bool {
	h := q.hosts[host]
	return h == nil || h.running == 0 || h.running < perHost && q.extra < shared
}

func (q *Queue[K]) host(name string) *hostQueue[K] {
	h, ok := q.hosts[name]
	if !ok {
		h = &hostQueue[K]{}
		q.hosts[name] = h
	}
	return h
}

// tidy drops a host of which there is nothing to know.
func (q *Queue[K]) tidy(name string) {
	if h := q.hosts[name]; h != nil && h.running == 0 && len(h.waiting) == 0 {
		delete(q.hosts, name)
	}
}

// Sleep is the time until the next account is due, and longest at most.
func (q *Queue[K]) Sleep(now time.Time, longest time.Duration) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.planned) == 0 {
		return longest
	}
	return min(max(q.planned[0].At.Sub(now), 0), longest)
}

// IsDue reports whether the account would get a slot again at once.
func (q *Queue[K]) IsDue(key K, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	d, ok := q.at[key]
	return ok && (d.queued || !d.At.After(now))
}

// AnyDue reports whether an account is due that has no slot yet.
func (q *Queue[K]) AnyDue(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range q.hosts {
		if len(h.waiting) > 0 {
			return true
		}
	}
	return len(q.planned) > 0 && !q.planned[0].At.After(now)
}

// dueHeap has the account that is due first on top.
type dueHeap[K comparable] []*due[K]

func (h *dueHeap[K]) Len() int           { return len(*h) }
func (h *dueHeap[K]) Less(a, b int) bool { return (*h)[a].At.Before((*h)[b].At) }
func (h *dueHeap[K]) Swap(a, b int) {
	items := *h
	items[a], items[b] = items[b], items[a]
	items[a].index, items[b].index = a, b
}

func (h *dueHeap[K]) Push(x any) {
	d := x.(*due[K]) //nolint:forcetypeassert // only Set pushes
	d.index = len(*h)
	*h = append(*h, d)
}

func (h *dueHeap[K]) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return d
}
