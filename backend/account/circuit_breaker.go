// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
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
