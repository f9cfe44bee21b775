// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "time"

const (
	// leastStep is what the wall clock may be off the elapsed one without counting as set: less than what repeatMargin allows for.
	leastStep = time.Second
	// doubtedFor is how long it may take until a wall clock that was set forward by mistake is set right.
	doubtedFor = 24 * time.Hour
	// doubtedAtStart is how long a process may need until the clock of its machine, which may have just started too, is set right.
	doubtedAtStart = time.Hour
)

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

// ahead is how far the wall clock is ahead of the elapsed one, counted from 1970.
func (r Reading) ahead() time.Duration { return time.Duration(r.Wall.UnixNano()) - r.Elapsed }

// ClockSteps are by how much the wall clock was set since the process began, as far as it has looked. A machine that was
// suspended looks like a clock that was set forward. The zero value has seen nothing.
type ClockSteps struct {
	// Process is what the wall clock would have shown at the elapsed time 0 when the process began: it names the process.
	Process time.Time
	// Forward and Back are the sums of all steps.
	Forward, Back time.Duration
	// Lowered is the part of Back by which the clock went further back than it ever was: before, it may have been ahead.
	Lowered time.Duration

	ahead   time.Duration // of Reading, since the last step
	began   time.Duration // elapsed
	largest time.Duration // step forward that may still be a mistake
	at      time.Duration // when that was noticed, elapsed
}

// See is what is known after one more look at the clocks.
func (s ClockSteps) See(now Reading) ClockSteps {
	if s.Process.IsZero() {
		return ClockSteps{Process: time.Unix(0, int64(now.ahead())).UTC(), ahead: now.ahead(), began: now.Elapsed}
	}
	if !s.isSet(now) {
		return s
	}
	if by := now.ahead() - s.ahead; by > 0 {
		s.Forward += by
		if by >= s.largest || now.Elapsed-s.at >= doubtedFor {
			s.largest, s.at = by, now.Elapsed
		}
	} else {
		s.Back -= by
		s.Lowered += max(0, -s.raised())
	}
	s.ahead = now.ahead()
	return s
}

// isSet reports whether the clock was set since the last look.
func (s ClockSteps) isSet(now Reading) bool { return (now.ahead() - s.ahead).Abs() > leastStep }

// raised is how far the wall clock is ahead of where it was furthest back.
func (s ClockSteps) raised() time.Duration { return s.Forward - s.Back + s.Lowered }

// justBegan reports whether the process has just begun: its clock may be far ahead.
func (s ClockSteps) justBegan(now Reading) bool {
	return !s.Process.IsZero() && now.Elapsed-s.began < doubtedAtStart
}

// SurelyPast is a time that is over, also where the wall clock was set forward by mistake: nothing is forgotten by a later one.
// It is zero in a process that has just begun.
func (s ClockSteps) SurelyPast(now Reading) time.Time {
	switch {
	case s.justBegan(now):
		return time.Time{}
	case now.Elapsed-s.at < doubtedFor:
		return now.Wall.Add(-s.largest)
	default:
		return now.Wall
	}
}
