// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// rule is how a client of Vault decides when to read again. The formulas are those of vault-platform.md, section 1 and 8.
type rule struct {
	name string
	role string
	// wait is how long the client keeps what it has read.
	wait func(r *rand.Rand, a tokenResponse) time.Duration
	// least is the least possible number of reads in a span, for a token of the given life.
	least func(life, span time.Duration) float64
}

// rules are those of the clients that are known, each with its own formula.
func rules() []rule {
	between := func(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }
	leased := func(share float64) func(life, span time.Duration) float64 {
		return func(life, span time.Duration) float64 { return float64(span) / (share * float64(life-5*time.Second)) }
	}
	static := func(life, span time.Duration) float64 { return float64(span) / (0.66 * float64(life)) }
	return []rule{
		{name: "Vault Agent", role: "app", least: leased(0.90), wait: func(r *rand.Rand, a tokenResponse) time.Duration {
			return time.Duration(between(r, 0.85, 0.95) * float64(a.lease))
		}},
		{name: "Secrets Operator", role: "app", least: leased(0.72), wait: func(r *rand.Rand, a tokenResponse) time.Duration {
			return time.Duration((0.67 + 0.10 - between(r, 0, 0.10)) * float64(a.lease))
		}},
		{name: "LifetimeWatcher", role: "app", least: leased(0.717), wait: func(r *rand.Rand, a tokenResponse) time.Duration {
			grace := between(r, 0.10, 0.20) * float64(a.lease)
			return time.Duration(float64(a.lease)*2/3 + grace/3)
		}},
		{name: "Vault Agent, static", role: "still", least: static, wait: func(_ *rand.Rand, a tokenResponse) time.Duration {
			if a.ttl == 0 {
				return 5 * time.Minute // consul-template's default, which takes over where the ttl is 0
			}
			return a.ttl + time.Second
		}},
		{name: "Secrets Operator, static", role: "still", least: static, wait: func(r *rand.Rand, a tokenResponse) time.Duration {
			return a.ttl + 500*time.Millisecond + time.Duration(between(r, 0, 0.10)*float64(a.ttl))
		}},
	}
}

// client is one client of a fleet, and what it lived through.
type client struct {
	rule   rule
	random *rand.Rand

	reads    int
	holds    tokenResponse
	readAt   time.Time
	failing  int // reads that failed in a row
	closest  time.Duration
	lowest   float64
	failures []failedRead
	problems []string
}

// failedRead is a read that was not served.
type failedRead struct {
	at  time.Time
	err error
}

// fleet is many clients over some time.
type fleet struct {
	*testMount

	clients []*client
	until   time.Time
	// mayHoldDead is set if the upstream is down for longer than a token lives: then a client without a lease, which relies on ttl,
	// may have an expired one.
	mayHoldDead bool

	mu    sync.Mutex
	ends  map[string]time.Time // by token: the latest end of its leases
	leaks []string
}

// newFleet makes n clients of each rule.
func newFleet(s *testMount, n int, seed uint64) *fleet {
	f := &fleet{testMount: s, ends: make(map[string]time.Time)}
	for _, rule := range rules() {
		for range n {
			random := rand.New(rand.NewPCG(seed, uint64(len(f.clients)))) //nolint:gosec // repeatable chance for a test
			f.clients = append(f.clients, &client{rule: rule, random: random, lowest: 1, closest: time.Hour})
		}
	}
	return f
}

// run lets all clients live for a span, beginning within the first minute.
func (f *fleet) run(span time.Duration) {
	f.until = time.Now().Add(span)
	var living sync.WaitGroup
	for _, c := range f.clients {
		living.Go(func() { f.live(c) })
	}
	living.Wait()
	// The last leases run to their end.
	f.mu.Lock()
	var last time.Time
	for _, end := range f.ends {
		if end.After(last) {
			last = end
		}
	}
	f.mu.Unlock()
	if span := time.Until(last); span > 0 {
		advance(span)
	}
}

func (f *fleet) live(c *client) {
	time.Sleep(time.Duration(c.random.Int64N(int64(time.Minute))))
	for time.Now().Before(f.until) {
		trusts := c.reads > 0 && c.failing == 0 && (c.rule.role == "app" || !f.mayHoldDead)
		if trusts && !f.Simulator.TokenAlive(c.holds.access) {
			c.problem("held a token that is dead upstream, %s after it was read with %s left", time.Since(c.readAt), c.holds.left)
		}
		time.Sleep(f.next(c))
	}
}

// next makes one read and says when the client comes again.
func (f *fleet) next(c *client) time.Duration {
	from := time.Now()
	a, err := f.ask(f.t.Context(), c.rule.role, nil)
	if waited := time.Since(from); waited > 17*time.Second {
		c.problem("a read was held up for %s", waited)
	}
	if err != nil {
		c.failures = append(c.failures, failedRead{at: time.Now(), err: err})
		c.failing++
		// Agent's retries: 250 ms doubling to a minute.
		return min(250*time.Millisecond<<min(c.failing, 10), time.Minute)
	}
	if !f.Simulator.TokenAlive(a.access) {
		c.problem("was given a token that is dead upstream, said to live for %s more", a.left)
	}
	if c.reads > 0 && c.failing == 0 {
		c.closest = min(c.closest, from.Sub(c.readAt))
	}
	if c.reads > 0 {
		c.lowest = min(c.lowest, a.share())
	}
	c.reads++
	c.failing, c.holds, c.readAt = 0, a, time.Now()
	if c.rule.role == "app" {
		f.leased(a)
	}
	return c.rule.wait(c.random, a)
}

func (c *client) problem(format string, args ...any) {
	if len(c.problems) < 3 {
		c.problems = append(c.problems, c.rule.name+": "+fmt.Sprintf(format, args...))
	}
}

// leased watches the token until its last lease has ended: it must live for that long.
func (f *fleet) leased(a tokenResponse) {
	end := time.Now().Add(a.lease)
	f.mu.Lock()
	defer f.mu.Unlock()
	known, watched := f.ends[a.access]
	if end.After(known) {
		f.ends[a.access] = end
	}
	if watched {
		return
	}
	go func() {
		for {
			f.mu.Lock()
			end := f.ends[a.access]
			f.mu.Unlock()
			if !time.Now().Before(end) {
				break
			}
			time.Sleep(time.Until(end))
		}
		if !f.Simulator.TokenAlive(a.access) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.leaks = append(f.leaks, "a lease outlived token "+a.id)
		}
	}()
}

// check fails the test for whatever went wrong with a token.
func (f *fleet) check(t *testing.T) {
	t.Helper()
	seen := 0
	for _, c := range f.clients {
		for _, problem := range c.problems {
			if seen++; seen <= 5 {
				t.Error(problem)
			}
		}
	}
	check.True(t, seen <= 5, "and %d more problems", seen-5)
	for _, leak := range f.leaks {
		t.Error(leak)
	}
	atMost(t, f.Upstream.MostInFlight(""), 1, "logins in flight at once")
}

// served fails the test if any read failed.
func (f *fleet) served(t *testing.T) {
	t.Helper()
	failed := 0
	for _, c := range f.clients {
		for _, failure := range c.failures {
			if failed++; failed == 1 {
				t.Errorf("%s: a read failed at %s: %v", c.rule.name, failure.at.Format(time.TimeOnly), failure.err)
			}
		}
	}
	check.True(t, failed <= 1, "%d reads failed in all", failed)
}
