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
	ResultCancelled = "cancelled" // the reader did not wait for the result
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

// counters gives each account its counter. An account keeps the one that it was first given, be that its own or the one that it
// shares with others: a count must never go back, nor be torn in two.
type counters struct {
	mu     sync.Mutex
	by     map[string]*counter // account name → its own, or others
	own    int                 // accounts that have their own
	others *counter
	// shared says that some account was ever given others.
	shared bool
}

func newCounter() *counter {
	return &counter{unserved: map[string]int64{}, logins: map[string]int64{}, rotations: map[Reason]int64{}}
}

func newCounters() *counters { return &counters{by: map[string]*counter{}, others: newCounter()} }

func (c *counters) of(account string) *counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.by[account]; ok {
		return known
	}
	given := c.others
	if c.own < MaxCounted {
		given = newCounter()
		c.own++
	} else {
		c.shared = true
	}
	c.by[account] = given
	return given
}

// forget makes room for another account when one is deleted.
func (c *counters) forget(account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.by[account]
	if ok && known != c.others {
		c.own--
	}
	delete(c.by, account)
}

// all is every counter by the name that it is shown under, and the accounts that have none of their own.
func (c *counters) all() (own map[string]*counter, sharing []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own = make(map[string]*counter, c.own+1)
	for account, counter := range c.by {
		if counter == c.others {
			sharing = append(sharing, account)
			continue
		}
		own[account] = counter
	}
	if c.shared {
		own[OtherAccounts] = c.others
	}
	return own, sharing
}

// Summary is what a monitoring system wants to know of all accounts.
type Summary struct {
	// Counts are by account, and by OtherAccounts for those that came too late for a count of their own.
	Counts map[string]Counts
	// Waiting is the number of readers that wait for a login.
	Waiting int64
	// States counts the accounts that are in memory.
	States map[AccountState]int
	// ExpiresAt has the end of the current token of each account that has one and is counted by itself.
	ExpiresAt map[string]time.Time
	// Open counts, by account or under OtherAccounts, those whose credentials the upstream has refused.
	Open map[string]int
}

// Summary looks at all accounts that are in memory and among the stored ones: another cluster may have deleted some. It reads no
// storage.
func (i *Issuer) Summary(stored []string) Summary {
	exists := make(map[string]bool, len(stored))
	for _, name := range stored {
		exists[name] = true
	}
	s := Summary{
		Counts: map[string]Counts{}, Waiting: i.waiting.Load(), States: map[AccountState]int{},
		ExpiresAt: map[string]time.Time{}, Open: map[string]int{},
	}
	own, sharing := i.counters.all()
	for name, c := range own {
		if name != OtherAccounts && !exists[name] {
			i.forgetGone(name)
			delete(own, name)
			continue
		}
		s.Counts[name], s.Open[name] = c.counts(), 0
	}
	for _, name := range sharing {
		if !exists[name] {
			i.forgetGone(name)
		}
	}
	now := i.clock()
	for _, value := range i.workers.Range {
		w := value.(*worker) //nolint:forcetypeassert // the map holds nothing else
		if exists[w.name] {
			w.do(func(l *locked) { l.addTo(&s, own, now) })
		}
	}
	return s
}

// forgetGone forgets what was counted of an account that is not stored, unless it has come into being just now.
func (i *Issuer) forgetGone(name string) {
	if _, ok := i.lookup(name); !ok {
		i.counters.forget(name)
	}
}

// addTo adds the account to a summary of those that have a counter of their own, and of all others.
func (l *locked) addTo(s *Summary, own map[string]*counter, now Reading) {
	state := &l.state
	if state.Known != known {
		return
	}
	s.States[state.health(now)]++
	name := l.name
	if _, counted := own[name]; !counted {
		name = OtherAccounts
	}
	if name != OtherAccounts && state.usable(now) {
		s.ExpiresAt[name] = state.Current.ExpiresAt
	}
	if state.Failure.refused() {
		s.Open[name]++
	}
}

// counted gives the counter of an account that is in use, and makes it where there is none.
func (w *worker) counted() *counter {
	if c := w.counter.Load(); c != nil {
		return c
	}
	c := w.issuer.counters.of(w.name)
	w.counter.Store(c)
	return c
}

// touch counts a read that was served.
func (w *worker) touch(now Reading) {
	w.lastRead.Store(now.Wall.UnixNano())
	w.reads.Add(1)
	w.counted().read(ResultOK)
}

// count counts a read that was not warm.
func (w *worker) count(err error, now Reading) {
	if err == nil {
		w.touch(now)
		return
	}
	if errors.Is(err, ErrNoAccount) {
		return
	}
	w.do(func(l *locked) {
		if l.state.Known == known {
			w.counted().read(readResult(err))
		}
	})
}

// readResult sorts the reads that were not served.
func readResult(err error) string {
	if failed, ok := errors.AsType[*LoginError](err); ok {
		return string(failed.Kind)
	}
	if _, ok := errors.AsType[*PausedError](err); ok {
		return ResultPaused
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ResultCancelled
	case errors.Is(err, ErrStillWaiting):
		return string(upstream.Unavailable)
	default:
		return ResultError
	}
}
