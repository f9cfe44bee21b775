// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// outages are the ways in which an upstream is away: it hangs up, it does not respond, or a proxy responds in its place.
func outages() []simulator.Fault {
	return []simulator.Fault{
		{Kind: simulator.FaultDown},
		{Kind: simulator.FaultSlow, Delay: 2 * time.Minute}, // longer than request_timeout
		{Kind: simulator.FaultHTML},
		{Kind: simulator.FaultThrottled},
	}
}

// outage is one that begins at some moment of the day.
type outage struct {
	fault        simulator.Fault
	begins, ends time.Time
}

// endure is a day of 12 token lives with an outage: with an odd seed just before a rotation. Seeds 2n and 2n+1 have the same.
func endure(t *testing.T, life, length time.Duration, each int, seed uint64) (*fleet, outage) {
	t.Helper()
	span := 12 * life
	s := gstMount(t, life, "default_token_ttl", int(life.Seconds()))
	s.Simulator.SetFault(simulator.JWT, latency())
	s.EveryMinute()
	random := rand.New(rand.NewPCG(seed, uint64(life))) //nolint:gosec // repeatable chance for a test
	o := outage{fault: outages()[seed/2%uint64(len(outages()))]}
	o.begins = time.Now().Add(2*time.Minute + time.Duration(random.Int64N(int64(span-4*life))))
	if seed%2 == 1 {
		o.begins = time.Now().Add(life*time.Duration(1+random.IntN(8))*66/100 - time.Second)
	}
	o.ends = o.begins.Add(length)
	f := newFleet(s, each, seed)
	f.mayHoldDead = length > life/3
	go func() {
		time.Sleep(time.Until(o.begins))
		s.Simulator.SetFault(simulator.JWT, o.fault)
		time.Sleep(time.Until(o.ends))
		s.Simulator.SetFault(simulator.JWT, latency())
	}()
	f.run(span)
	f.check(t)
	return f, o
}

// seeds is how many days of a life are tried: fewer where they are long.
func seeds(life time.Duration, n uint64) uint64 {
	if life == 24*time.Hour {
		return n / 4
	}
	return n
}

// asked is how many logins met the outage.
func (o outage) asked(s *testMount) int {
	n := 0
	for _, at := range s.Upstream.LoginTimes() {
		if !at.Before(o.begins) && at.Before(o.ends) {
			n++
		}
	}
	return n
}

func TestFleetOutage_QuarterOfTokenLifeUnnoticed(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour} {
		for seed := range seeds(life, 8) {
			timed(t, fmt.Sprintf("tokens of %s, seed %d", life, seed), func(t *testing.T) {
				f, o := endure(t, life, life/4, 8, seed)
				f.served(t)
				check.True(t, o.asked(f.testMount) != 0 || seed%2 != 1, "no login met the outage")
			})
		}
	}
}

// An outage of twice a token's life is felt only while there is no token.
func TestFleetOutage_TwiceTokenLife(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour} {
		for seed := range seeds(life, 4) {
			timed(t, fmt.Sprintf("tokens of %s, seed %d", life, seed), func(t *testing.T) {
				f, o := endure(t, life, 2*life, map[bool]int{true: 5, false: 1}[life < 24*time.Hour], seed)
				check.Require(t, o.asked(f.testMount) >= 10, "only %d logins met the outage", o.asked(f.testMount))
				f.feltOnlyWithoutToken(t, o, life)
			})
		}
	}
}

// latency is how long the upstream takes to respond on a good day.
func latency() simulator.Fault {
	return simulator.Fault{Kind: simulator.FaultSlow, Delay: 300 * time.Millisecond}
}

func TestFleet_DayOfAThousandClients(t *testing.T) {
	eachPair(t, []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}, []int{200, 1}, aDay)
}

// aDay lets clients live for a day, or for eight where tokens live for a day, so that there is something to count.
func aDay(t *testing.T, life time.Duration, each int) {
	t.Helper()
	span := 24 * time.Hour
	if life == span {
		span = 8 * 24 * time.Hour
	}
	s := gstMount(t, life)
	s.Simulator.SetFault(simulator.JWT, latency())
	s.EveryMinute()
	f := newFleet(s, each, uint64(life.Seconds()))
	f.run(span)
	f.check(t)
	f.served(t)

	days := span.Hours() / 24
	logins, most := float64(len(f.loginsBefore(f.until))), span.Seconds()/(0.66*life.Seconds())+1
	t.Logf("tokens of %s: %.1f logins a day (allowed %.1f)", life, logins/days, most/days)
	check.True(t, logins <= most, "%.0f logins in %.0f days, want at most %.1f", logins, days, most)
	for n, rule := range rules() {
		reads, mostReads, lowest, closest := 0, 0, 1.0, time.Hour
		for _, c := range f.clients[n*each : (n+1)*each] {
			reads += c.reads - 1
			mostReads = max(mostReads, c.reads-1)
			lowest, closest = min(lowest, c.lowest), min(closest, c.closest)
		}
		least := rule.least(life, span)
		mean := float64(reads) / float64(each)
		t.Logf("%-25s %.1f re-reads a day (the most of one client %.1f, least possible %.1f, ratio %.2f); shortest life %.1f %%; "+
			"shortest time between two %s", rule.name, mean/days, float64(mostReads)/days, least/days, mean/least, 100*lowest, closest)
		check.True(t, float64(mostReads) <= math.Ceil(1.5*least), "%s: %d re-reads, want 1.5 × %.1f", rule.name, mostReads, least)
		check.True(t, lowest >= 0.30, "%s: a re-read gave a token with %.1f %% of its life, want at least 30 %%", rule.name, 100*lowest)
	}
}

// loginsBefore are the logins up to a moment.
func (s *testMount) loginsBefore(end time.Time) []time.Time {
	var before []time.Time
	for _, at := range s.Upstream.LoginTimes() {
		if at.Before(end) {
			before = append(before, at)
		}
	}
	return before
}

// feltOnlyWithoutToken checks that reads failed only while there was no token, and that unleased clients kept their distance.
func (f *fleet) feltOnlyWithoutToken(t *testing.T, o outage, life time.Duration) {
	t.Helper()
	var last time.Time // the login before the outage
	for _, at := range f.Upstream.LoginTimes() {
		if at.Before(o.begins) {
			last = at
		}
	}
	dead := last.Add(life - 6*time.Second) // less than 6 s of life counts as expired
	pause := min(time.Minute, life/20) * 5 / 4
	// A login that hangs when the upstream returns runs into its own deadline first.
	back := o.ends.Add(pause + 15*time.Second + time.Second)
	failures, wrong := 0, 0
	for _, c := range f.clients {
		for _, failure := range c.failures {
			failures++
			if failure.at.Before(dead.Add(-time.Second)) || failure.at.After(back) {
				if wrong++; wrong == 1 {
					t.Errorf("%s: a read failed at %s, although it may only from %s to %s: %v", c.rule.name,
						failure.at.Format(time.DateTime), dead.Format(time.DateTime), back.Format(time.DateTime), failure.err)
				}
			}
		}
		check.True(t, c.closest >= 5*time.Second || c.rule.role != "still", "%s came again after %s, want 5s", c.rule.name, c.closest)
	}
	check.True(t, failures != 0, "no read failed in an outage of twice the token's life")
	check.True(t, wrong <= 1, "%d reads failed that should not have", wrong)
	t.Logf("%s: %d reads failed, all while there was no token; %d logins met it", o.fault.Kind, failures, o.asked(f.testMount))
}

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
