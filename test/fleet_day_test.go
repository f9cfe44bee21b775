// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/simulator"
)

// latency is how long the upstream takes to respond on a good day.
func latency() simulator.Fault {
	return simulator.Fault{Kind: simulator.FaultSlow, Delay: 300 * time.Millisecond}
}

func TestFleet_DayOfAThousandClients(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour} {
		for _, each := range []int{200, 1} {
			t.Run(fmt.Sprintf("tokens of %s, %d clients of each rule", life, each), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { aDay(t, life, each) })
			})
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
	if logins > most {
		t.Errorf("%.0f logins in %.0f days, want at most %.1f", logins, days, most)
	}
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
		if float64(mostReads) > math.Ceil(1.5*least) {
			t.Errorf("%s: %d re-reads of one client, want at most 1.5 × %.1f", rule.name, mostReads, least)
		}
		if lowest < 0.30 {
			t.Errorf("%s: a re-read gave a token with %.1f %% of its life, want at least 30 %%", rule.name, 100*lowest)
		}
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
