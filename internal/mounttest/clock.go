// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mounttest

import (
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// Clock is the host's two clocks. The wall clock can be set, and neither of the plugin's timers runs while the machine is
// suspended: see Mount.Suspend.
type Clock struct {
	beforeReading atomic.Pointer[func()]

	offset    atomic.Int64 // of the wall clock, as a time.Duration
	suspended atomic.Int64 // in all, as a time.Duration
}

// new is the clock as a process of the plugin reads it.
func (c *Clock) new() issuer.Clock {
	read := account.SystemClock()
	return func() issuer.Reading {
		if before := c.beforeReading.Load(); before != nil {
			(*before)()
		}
		r := read()
		r.Wall = r.Wall.Add(time.Duration(c.offset.Load()))
		return r
	}
}

// BeforeReading has f called before each reading of the plugin.
func (c *Clock) BeforeReading(f func()) { c.beforeReading.Store(&f) }

// Now is the wall clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())).Round(0).UTC() }

// Jump sets the wall clock forward, or back.
func (c *Clock) Jump(d time.Duration) { c.offset.Add(int64(d)) }

// Suspended is for how long the machine was suspended in all.
func (c *Clock) Suspended() time.Duration { return time.Duration(c.suspended.Load()) }

func (c *Clock) suspend(d time.Duration) time.Duration {
	return time.Duration(c.suspended.Add(int64(d)))
}
