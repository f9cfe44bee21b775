// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// probeAfter is the schedule of an open circuit breaker: few enough probes that no lock-out policy known to us minds them, and an
// account that the vendor has unlocked is found within a day.
func probeAfter(step int) time.Duration {
	switch step {
	case 1:
		return 15 * time.Minute
	case 2:
		return time.Hour
	case 3:
		return 6 * time.Hour
	default:
		return 24 * time.Hour
	}
}

// Refused reports whether the circuit breaker is open: trying again with the same credentials may lock the account, and a request
// that the upstream calls malformed will not get better.
func (f *Failure) Refused() bool {
	return f != nil && (f.Kind == upstream.Rejected || f.Kind == upstream.Invalid)
}

// probed is the failure once its credentials were sent again and did not succeed. That moves its schedule on, unless it was done
// by hand while the hold ran.
func (f failedLogin) probed(env Env) failedLogin {
	next := *f.Failure
	if !f.Holds(env.Reading) {
		next.Step++
		next.NextAttempt = env.Wall.Add(probeAfter(next.Step))
	}
	next.At, next.stored, next.latest = env.Wall, time.Time{}, time.Time{}
	return failedLogin{&next, f.sent}
}

// failuresProbed are the failed logins once one was given up. What the upstream thinks of its credentials is not known.
func (s *State) failuresProbed(env Env, w *Work) []failedLogin {
	sent, next := sentBy(w.Account, w.Reason == ReasonVerification), slices.Clone(s.Failures)
	for n, f := range next {
		if f.Refused() && f.concerns(sent) {
			next[n] = f.probed(env)
		}
	}
	return next
}
