// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"container/heap"
	"sync"
	"time"
)

// queue says which account's token is due for rotation next.
type queue struct {
	// wake holds one token when the scheduler should look again.
	wake chan struct{}

	mu    sync.Mutex
	items dueHeap
	at    map[*entry]*due
}

type due struct {
	entry *entry
	at    time.Time
	index int
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), at: make(map[*entry]*due)}
}

// set plans the account for the given time, in place of whatever was planned for it.
func (q *queue) set(e *entry, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d, ok := q.at[e]; ok {
		d.at = at
		heap.Fix(&q.items, d.index)
	} else {
		d = &due{entry: e, at: at}
		q.at[e] = d
		heap.Push(&q.items, d)
	}
	q.signal()
}

func (q *queue) remove(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d, ok := q.at[e]; ok {
		heap.Remove(&q.items, d.index)
		delete(q.at, e)
	}
}

// pop takes out the account that is due longest, if any is.
func (q *queue) pop(now time.Time) (*entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 || q.items[0].at.After(now) {
		return nil, false
	}
	d := heap.Pop(&q.items).(*due) //nolint:forcetypeassert // the heap holds nothing else
	delete(q.at, d.entry)
	return d.entry, true
}

// next is when the first account is due.
func (q *queue) next() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return time.Time{}, false
	}
	return q.items[0].at, true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // the scheduler has not taken the last one yet
	}
}

type dueHeap []*due

func (h *dueHeap) Len() int           { return len(*h) }
func (h *dueHeap) Less(a, b int) bool { return (*h)[a].at.Before((*h)[b].at) }
func (h *dueHeap) Swap(a, b int) {
	items := *h
	items[a], items[b] = items[b], items[a]
	items[a].index, items[b].index = a, b
}

func (h *dueHeap) Push(x any) {
	d := x.(*due) //nolint:forcetypeassert // only queue.set pushes
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
