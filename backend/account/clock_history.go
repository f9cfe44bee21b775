// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"
)

const (
	// doubtedFor is how long it may take until a wall clock that was set forward by mistake is set right.
	doubtedFor = 24 * time.Hour
	// doubtedAtStart is how long a process may need until the clock of its machine, which may have just started too, is set right.
	doubtedAtStart = time.Hour
	// maxStretches bounds the history. Of more, the oldest count as one.
	maxStretches = 16
)

// ClockHistory is how the wall clock has gone against the elapsed time since the process started, so that what was stored by a
// clock which was set since is as old as it really is. It is immutable; the zero value has seen nothing.
type ClockHistory struct{ stretches []stretch }

// stretch is a time in which the wall clock was not set.
type stretch struct {
	// ahead is how far the wall clock is ahead of the elapsed time, counted from 1970: the most where several stretches count as
	// one, and least is the least.
	ahead, least time.Duration
	// from is when the stretch began, in elapsed time.
	from time.Duration
}

// ahead is how far the wall clock is ahead of the elapsed time, counted from 1970.
func (r Reading) ahead() time.Duration { return time.Duration(r.Wall.UnixNano()) - r.Elapsed }

// See is the history with one more look at the clocks, and whether the wall clock was set back since the last one.
func (h ClockHistory) See(now Reading) (seen ClockHistory, setBack bool) {
	next := stretch{ahead: now.ahead(), least: now.ahead(), from: now.Elapsed}
	n := len(h.stretches)
	if n == 0 {
		return ClockHistory{[]stretch{next}}, false
	}
	by := next.ahead - h.stretches[n-1].ahead
	if by.Abs() <= Margin {
		return h, false
	}
	all := append(slices.Clone(h.stretches), next)
	if n == maxStretches {
		all[1] = stretch{ahead: max(all[0].ahead, all[1].ahead), least: min(all[0].least, all[1].least), from: all[0].from}
		all = all[1:]
	}
	return ClockHistory{all}, by < 0
}

// SurelyPast is a time that is over, also where the wall clock was set forward by mistake: nothing is forgotten by a later one. A
// machine that was suspended looks the same. It is zero in a process that has just started.
func (h ClockHistory) SurelyPast(now Reading) time.Time {
	ahead := now.ahead()
	for n, s := range h.stretches {
		switch {
		case n == 0 && now.Elapsed-s.from < doubtedAtStart:
			return time.Time{}
		case n+1 == len(h.stretches) || now.Elapsed-h.stretches[n+1].from < doubtedFor:
			ahead = min(ahead, s.least)
		}
	}
	return time.Unix(0, int64(ahead+now.Elapsed)).UTC()
}

// zero is what the wall clock has shown, or would have, at the elapsed time 0: it tells one clock from another that was set.
func (r Reading) zero() time.Time { return time.Unix(0, int64(r.ahead())).UTC() }

// by is the history from when the wall clock last went as for times that were stored beside this zero; all of it where it never
// did. A clock that was set and then set right has told nothing in between that would count.
func (h ClockHistory) by(zero time.Time) ClockHistory {
	return ClockHistory{h.stretches[max(0, h.last(zero)):]}
}

// last is the last stretch in which the wall clock went as from this zero; -1 for none.
func (h ClockHistory) last(zero time.Time) int {
	for n, s := range slices.Backward(h.stretches) {
		if (s.ahead - time.Duration(zero.UnixNano())).Abs() <= Margin {
			return n
		}
	}
	return -1
}

// elapsedAt is the elapsed time at which the wall clock has shown that time, the first where it has done so more than once; by
// how much it was further ahead later, as after a suspension; and whether this process was running then.
func (h ClockHistory) elapsedAt(wall time.Time, now Reading) (at, missed time.Duration, running bool) {
	first := -1
	for n, s := range h.stretches {
		then := time.Duration(wall.UnixNano()) - s.ahead
		if n > 0 && then < s.from || n+1 < len(h.stretches) && then > h.stretches[n+1].from {
			continue
		}
		if first < 0 || then < at {
			first, at = n, then
		}
		running = running || then >= s.from
	}
	if first < 0 { // the clock of another process, or one that was behind when this one started
		return min(now.Elapsed, now.Elapsed-now.Wall.Sub(wall)), 0, false
	}
	for _, s := range h.stretches[first:] {
		missed = max(missed, s.ahead-h.stretches[first].ahead)
	}
	return min(at, now.Elapsed), missed, running
}
