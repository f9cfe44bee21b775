// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vault-plugin-secrets-mastersindia/simulator"
)

// steps draws the events of a history. Reads and waits are the most, as in life.
func steps(jumps bool) *rapid.Generator[step] {
	spans := []time.Duration{
		time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 11 * time.Second, time.Minute, 6 * time.Minute,
		10 * time.Minute, 16 * time.Minute, 40 * time.Minute, 61 * time.Minute, 3 * time.Hour,
	}
	kinds := []simulator.FaultKind{
		"", simulator.FaultSlow, simulator.FaultSlow, simulator.FaultDown, simulator.FaultRefuse, simulator.FaultThrottled,
		simulator.FaultCut, simulator.FaultHTML,
	}
	whats := []string{
		"read", "read", "read", "read", "read", "wait", "wait", "wait", "wait", "wait", "fault", "fault", "reject", "rotate",
		"revoke", "revoke one", "change", "delete", "pause", "resume", "reload", "crash",
	}
	if jumps {
		whats = append(whats, "jump", "suspend")
	}
	return rapid.Custom(func(t *rapid.T) step {
		s := step{what: rapid.SampledFrom(whats).Draw(t, "what")}
		switch s.what {
		case "read":
			s.n = rapid.IntRange(1, 6).Draw(t, "readers")
		case "reject", "revoke one":
			s.n = rapid.IntRange(0, 3).Draw(t, "token")
		case "wait", "suspend":
			s.span = rapid.SampledFrom(spans).Draw(t, "span")
		case "jump":
			s.span = rapid.SampledFrom(spans).Draw(t, "span") * time.Duration(rapid.SampledFrom([]int{-1, 1}).Draw(t, "way"))
		case "fault":
			s.kind = rapid.SampledFrom(kinds).Draw(t, "kind")
			if s.kind == simulator.FaultSlow {
				s.span = rapid.SampledFrom([]time.Duration{200 * time.Millisecond, 5 * time.Second, 30 * time.Second}).Draw(t, "delay")
			}
		case "change":
			s.n = rapid.IntRange(0, 2).Draw(t, "verified, aside")
		}
		return s
	})
}

// Run more of these with: go test -run TestHistory_ ./test -rapid.checks=5000.

func TestHistory_RandomOperations(t *testing.T) { checkHistories(t, false) }

func TestHistory_RandomOperationsAndClock(t *testing.T) { checkHistories(t, true) }

// checkHistories draws scenarios and runs each in a bubble of its own, which also notices what hangs and what is left running.
func checkHistories(t *testing.T, jumps bool) {
	t.Helper()
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := scenario{
			ttl:     rapid.SampledFrom([]time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}).Draw(rt, "life"),
			percent: rapid.SampledFrom([]int{66, 66, 10, 100}).Draw(rt, "rotation_percent"),
			calm:    rapid.Bool().Draw(rt, "calm"),
			steps:   rapid.SliceOfN(steps(jumps), 1, 40).Draw(rt, "steps"),
		}
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = runHistory(t, p) })
		if len(wrong) > 0 {
			rt.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}
