// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"math"
	"math/rand/v2"
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

// endure lets clients live for a day of 12 token lives with an outage in it: at any moment, or with an odd seed at the worst one,
// just before a rotation. Two seeds after each other have the same outage.
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
				if o.asked(f.testMount) < 10 {
					t.Fatalf("only %d logins met the outage", o.asked(f.testMount))
				}
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
	t.Parallel()
	for _, life := range []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour} {
		for _, each := range []int{200, 1} {
			timed(t, fmt.Sprintf("tokens of %s, %d clients of each rule", life, each), func(t *testing.T) { aDay(t, life, each) })
		}
	}
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
		check.True(t, float64(mostReads) <= math.Ceil(1.5*least),
			"%s: %d re-reads of one client, want at most 1.5 × %.1f", rule.name, mostReads, least)
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

// feltOnlyWithoutToken checks that reads failed only from the expiry of the old token to one backoff after the upstream's
// return, and that unleased clients kept their distance.
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
		check.True(t, c.closest >= 5*time.Second || c.rule.role != "still",
			"%s came again after %s, want at least 5s between two reads", c.rule.name, c.closest)
	}
	check.True(t, failures != 0, "no read failed in an outage of twice the token's life")
	check.True(t, wrong <= 1, "%d reads failed that should not have", wrong)
	t.Logf("%s: %d reads failed, all while there was no token; %d logins met it", o.fault.Kind, failures, o.asked(f.testMount))
}
