// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "time"

const (
	firstBackoff   = time.Second
	longestBackoff = time.Minute
	// LongestThrottle is the longest Retry-After that is believed.
	LongestThrottle = time.Hour
	// backoffShare is the part of a token's life that a backoff after an outage may take: with short-lived tokens a minute
	// would be most of the time that is left for a rotation.
	backoffShare = 20
	// backoffJitter spreads the attempts of many accounts that lost the same upstream at the same moment.
	backoffJitter = 0.25
)

// holdLength is how long no login is tried after a failure that says nothing about the credentials.
func holdLength(step int, retryAfter, life time.Duration, chance float64) time.Duration {
	if retryAfter > 0 {
		return retryAfter
	}
	return time.Duration(float64(backoff(step, life)) * (1 + backoffJitter*(2*chance-1)))
}

// backoff doubles from one second to a minute, or to a twentieth of the token's life where that is less.
func backoff(step int, life time.Duration) time.Duration {
	longest := max(firstBackoff, min(longestBackoff, life/backoffShare))
	if step > 6 { // 2^6 s is more than a minute
		return longest
	}
	return min(firstBackoff<<(step-1), longest)
}
