// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package counters counts, by account, what has happened since the process started.
package counters

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Max bounds the accounts that are counted one by one. All others are counted together, under Others.
const Max = 1000

// Others is the name under which accounts are counted that came after Max others. No account is called that.
const Others = "_other"

// OK is the result of a read that was answered with a token, and of a login that brought one.
const OK = "ok"

// Counts are what happened to an account.
type Counts struct {
	// Reads, Logins and Rotations are by result and by reason.
	Reads, Logins, Rotations map[string]int64
}

// Counter counts for one account, or for all others together. It is safe for concurrent use.
type Counter struct {
	served atomic.Int64 // reads that were answered with a token

	mu     sync.Mutex
	counts Counts // without the served
}

func newCounter() *Counter {
	return &Counter{counts: Counts{Reads: map[string]int64{}, Logins: map[string]int64{}, Rotations: map[string]int64{}}}
}

// Read counts a read. It takes no lock for one that was answered with a token.
func (c *Counter) Read(result string) {
	if result == OK {
		c.served.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Reads[result]++
}

// Login counts a login, and a rotation where it has replaced a token for the given reason; "" for none.
func (c *Counter) Login(result, rotation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Logins[result]++
	if rotation != "" {
		c.counts.Rotations[rotation]++
	}
}

// Counts are the counts so far.
func (c *Counter) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := Counts{
		Reads: maps.Clone(c.counts.Reads), Logins: maps.Clone(c.counts.Logins), Rotations: maps.Clone(c.counts.Rotations),
	}
	if served := c.served.Load(); served > 0 {
		all.Reads[OK] = served
	}
	return all
}

// Set gives each account its counter. An account keeps the one that it was first given, be that its own or the one that it shares
// with others: a count must never go back, nor be torn in two.
type Set struct {
	mu     sync.Mutex
	by     map[string]*Counter // account name → its own, or others
	own    int                 // accounts that have their own
	others *Counter
	// shared says that some account was ever given others.
	shared bool
}

// NewSet makes an empty one.
func NewSet() *Set { return &Set{by: map[string]*Counter{}, others: newCounter()} }

// Of is the counter of an account, made where there is none.
func (s *Set) Of(account string) *Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.by[account]; ok {
		return known
	}
	given := s.others
	if s.own < Max {
		given = newCounter()
		s.own++
	} else {
		s.shared = true
	}
	s.by[account] = given
	return given
}

// Forget makes room for another account when one is deleted.
func (s *Set) Forget(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.by[account]
	if ok && known != s.others {
		s.own--
	}
	delete(s.by, account)
}

// All is every counter by the name that it is shown under, and the accounts that have none of their own.
func (s *Set) All() (own map[string]*Counter, sharing []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own = make(map[string]*Counter, s.own+1)
	for account, counter := range s.by {
		if counter == s.others {
			sharing = append(sharing, account)
			continue
		}
		own[account] = counter
	}
	if s.shared {
		own[Others] = s.others
	}
	return own, sharing
}

// Tally is what status/ shows of an account, whether or not it has a counter of its own. It is read without a lock.
type Tally struct {
	// LastRead and LastLogin are by the wall clock, in nanoseconds; 0 for never. A login counts whatever became of it.
	LastRead, LastLogin     atomic.Int64
	Reads, Logins, Failures atomic.Int64
	// Skew is the upstream's clock minus ours, in nanoseconds, as the last login found it.
	Skew      atomic.Int64
	SkewKnown atomic.Bool
}

// Login counts a login that has ended.
func (t *Tally) Login(at time.Time, ok bool) {
	t.LastLogin.Store(at.UnixNano())
	t.Logins.Add(1)
	if !ok {
		t.Failures.Add(1)
	}
}

// Reset forgets all. Readers look at a tally without a lock, so it is not replaced.
func (t *Tally) Reset() {
	for _, n := range []*atomic.Int64{&t.LastRead, &t.Reads, &t.LastLogin, &t.Logins, &t.Failures, &t.Skew} {
		n.Store(0)
	}
	t.SkewKnown.Store(false)
}
