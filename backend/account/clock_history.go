// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

const (
	// leastJump is how far the wall clock has to be set forward to be in doubt, and doubtedFor is for how long it is then.
	leastJump  = time.Hour
	doubtedFor = 24 * time.Hour
	// doubtedAtStart is how long a process may need until the clock of its machine, which may have just started too, is set right.
	doubtedAtStart = time.Hour
	// maxStretches bounds the history. Of more, the oldest count as one, on the clock that was furthest ahead.
	maxStretches = 16
)

// ClockHistory is how the wall clock has gone against the elapsed time since the process started, so that what was stored by a
// clock which was set since is as old as it really is. It is immutable; the zero value has seen nothing.
type ClockHistory struct {
	stretches []stretch
	// doubted is until when the wall clock is in doubt, in elapsed time.
	doubted time.Duration
}

// stretch is a time in which the wall clock was not set.
type stretch struct {
	// ahead is how far the wall clock is ahead of the elapsed time, counted from 1970.
	ahead time.Duration
	// from is when the stretch began, in elapsed time.
	from time.Duration
}

// ahead is how far the wall clock is ahead of the elapsed time, counted from 1970.
func (r Reading) ahead() time.Duration { return time.Duration(r.Wall.UnixNano()) - r.Elapsed }

// See is the history with one more look at the clocks, and whether the wall clock was set back since the last one.
func (h ClockHistory) See(now Reading) (seen ClockHistory, setBack bool) {
	next := stretch{ahead: now.ahead(), from: now.Elapsed}
	n := len(h.stretches)
	if n == 0 {
		return ClockHistory{stretches: []stretch{next}, doubted: now.Elapsed + doubtedAtStart}, false
	}
	by := next.ahead - h.stretches[n-1].ahead
	if by.Abs() <= Margin {
		return h, false
	}
	if by > leastJump { // a machine that was suspended looks the same
		h.doubted = now.Elapsed + doubtedFor
	}
	h.stretches = append(slices.Clone(h.stretches), next)
	if n == maxStretches {
		h.stretches[1] = stretch{ahead: max(h.stretches[0].ahead, h.stretches[1].ahead), from: h.stretches[0].from}
		h.stretches = h.stretches[1:]
	}
	return h, by < 0
}

// IsDoubtful reports whether the wall clock may be ahead, so that nothing is forgotten by it: at start, and when it has jumped
// forward.
func (h ClockHistory) IsDoubtful(now Reading) bool { return now.Elapsed < h.doubted }

// elapsedAt is the elapsed time at which the wall clock has shown that time, the first where it has done so more than once, and
// whether this process was running then.
func (h ClockHistory) elapsedAt(wall time.Time, now Reading) (at time.Duration, running bool) {
	at = min(now.Elapsed, now.Elapsed-now.Wall.Sub(wall))
	for n, s := range h.stretches {
		then := time.Duration(wall.UnixNano()) - s.ahead
		if n > 0 && then < s.from || n+1 < len(h.stretches) && then > h.stretches[n+1].from {
			continue
		}
		at = min(at, then)
		running = running || then >= s.from
	}
	return at, running
}
