// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "time"

// Reading is one look at both clocks of the host. The wall clock notices what the other does not (a machine that was
// suspended), and the elapsed one what the wall clock does not (a wall clock that was set back).
type Reading struct {
	// Wall is the wall clock, in UTC and without a monotonic part.
	Wall time.Time
	// Elapsed counts from an arbitrary moment of this process and never goes back.
	Elapsed time.Duration
}

// Clock tells the time. Tests hand in one that jumps.
type Clock func() Reading

// SystemClock reads the host's clocks.
func SystemClock() Clock {
	start := time.Now()
	return func() Reading {
		now := time.Now()
		return Reading{Wall: now.Round(0).UTC(), Elapsed: now.Sub(start)}
	}
}
