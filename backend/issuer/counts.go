// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// MaxCounted bounds the accounts that are counted one by one. All others are counted together, under OtherAccounts.
const MaxCounted = 1000

// OtherAccounts is the name under which accounts are counted that came after MaxCounted others. No account is called that.
const OtherAccounts = "_other"

// The results of reads and logins that are no upstream.Kind.
const (
	ResultOK        = "ok"
	ResultPaused    = "paused"    // the account is paused by the operator
	ResultCancelled = "cancelled" // the reader did not wait for the answer
	ResultError     = "error"     // storage failed, or the engine itself
)

// Counts are what happened to an account since this process started.
type Counts struct {
	Reads     map[string]int64 // by result: ResultOK and so on, or an upstream.Kind
	Logins    map[string]int64
	Rotations map[Reason]int64
}

// counter counts for one account, or for all others together.
type counter struct {
	served atomic.Int64 // reads that were answered with a token

	mu        sync.Mutex
	unserved  map[string]int64
	logins    map[string]int64
	rotations map[Reason]int64
}

func (c *counter) read(result string) {
	if result == ResultOK {
		c.served.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unserved[result]++
}

// login counts one that was answered, and the rotation where that brought a token that replaces one.
func (c *counter) login(result string, reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins[result]++
	if result == ResultOK && (reason == ReasonRotation || reason == ReasonForced || reason == ReasonRejected) {
		c.rotations[reason]++
	}
}

func (c *counter) counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := Counts{Reads: maps.Clone(c.unserved), Logins: maps.Clone(c.logins), Rotations: maps.Clone(c.rotations)}
	if served := c.served.Load(); served > 0 {
		all.Reads[ResultOK] = served
	}
	return all
}

// counters gives each account its counter. An account keeps the one that it was first given: a count must never go back.
type counters struct {
	mu     sync.Mutex
	own    map[string]*counter
	others *counter
}

func newCounter() *counter {
	return &counter{unserved: map[string]int64{}, logins: map[string]int64{}, rotations: map[Reason]int64{}}
}

func newCounters() *counters { return &counters{own: map[string]*counter{}, others: newCounter()} }

func (c *counters) of(account string) *counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.own[account]; ok {
		return known
	}
	if len(c.own) >= MaxCounted {
		return c.others
	}
	made := newCounter()
	c.own[account] = made
	return made
}

// knows reports whether the account has a counter of its own.
func (c *counters) knows(account string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.own[account]
	return known
}

// forget makes room for another account when one is deleted.
func (c *counters) forget(account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.own, account)
}

// Summary is what a monitoring system wants to know of all accounts.
type Summary struct {
	// Counts are by account, and by OtherAccounts for those that came too late for a count of their own.
	Counts map[string]Counts
	// Waiting is the number of readers that wait for a login.
	Waiting int64
	// States counts the accounts that are in memory.
	States map[State]int
	// ExpiresAt has the end of the current token of each account that has one and is counted by itself.
	ExpiresAt map[string]time.Time
	// Open counts, by account or under OtherAccounts, those whose credentials the upstream has refused.
	Open map[string]int
}

// Summary looks at all accounts that are in memory. It reads no storage.
func (i *Issuer) Summary() Summary {
	s := Summary{
		Counts: map[string]Counts{}, Waiting: i.waiting.Load(), States: map[State]int{},
		ExpiresAt: map[string]time.Time{}, Open: map[string]int{},
	}
	i.counters.mu.Lock()
	own := maps.Clone(i.counters.own)
	i.counters.mu.Unlock()
	for name, c := range own {
		s.Counts[name] = c.counts()
		s.Open[name] = 0
	}
	if len(own) >= MaxCounted {
		s.Counts[OtherAccounts] = i.counters.others.counts()
		s.Open[OtherAccounts] = 0
	}
	now := i.clock()
	i.entries.Range(func(_, value any) bool {
		e := value.(*entry) //nolint:forcetypeassert // the map holds nothing else
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.dead || !e.loaded {
			return true
		}
		s.States[e.state(now)]++
		name := OtherAccounts
		if _, counted := own[e.name]; counted {
			name = e.name
			if e.live(now) {
				s.ExpiresAt[name] = e.current.ExpiresAt
			}
		}
		if e.failure.refused() {
			s.Open[name]++
		}
		return true
	})
	if s.Open[OtherAccounts] == 0 && len(own) < MaxCounted {
		delete(s.Open, OtherAccounts)
	}
	return s
}

// count remembers what a read came to.
func (e *entry) count(err error, now Reading) {
	c := e.counter.Load()
	if err == nil {
		e.touch(now)
		return
	}
	if c != nil && !errors.Is(err, ErrNoAccount) {
		c.read(readResult(err))
	}
}

// readResult sorts the reads that were not served.
func readResult(err error) string {
	if failed, ok := errors.AsType[*LoginError](err); ok {
		return string(failed.Kind)
	}
	if _, ok := errors.AsType[*PausedError](err); ok {
		return ResultPaused
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ResultCancelled
	}
	return ResultError
}

// countLogin remembers what a login came to, and how long the upstream took to answer. A login that was cut off comes to nothing.
func (i *Issuer) countLogin(account string, reason Reason, took time.Duration, err error) {
	result := ResultOK
	if err != nil {
		result = ResultError
	}
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		result = string(failed.Kind)
	}
	i.counters.of(account).login(result, reason)
	if i.onLogin != nil {
		i.onLogin(took)
	}
}
