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
	// BeforeReading, where a test sets it before the mount starts, is called before each reading of the plugin.
	BeforeReading func()

	offset    atomic.Int64 // of the wall clock, as a time.Duration
	suspended atomic.Int64 // in all, as a time.Duration
}

// new is the clock as a process of the plugin reads it.
func (c *Clock) new() issuer.Clock {
	read := account.SystemClock()
	return func() issuer.Reading {
		if c.BeforeReading != nil {
			c.BeforeReading()
		}
		r := read()
		r.Wall = r.Wall.Add(time.Duration(c.offset.Load()))
		return r
	}
}

// Now is the wall clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())).Round(0).UTC() }

// Jump sets the wall clock forward, or back.
func (c *Clock) Jump(d time.Duration) { c.offset.Add(int64(d)) }

// Suspended is for how long the machine was suspended in all.
func (c *Clock) Suspended() time.Duration { return time.Duration(c.suspended.Load()) }

func (c *Clock) suspend(d time.Duration) time.Duration {
	return time.Duration(c.suspended.Add(int64(d)))
}
