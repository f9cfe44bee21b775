// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "time"

// A token that an API refused is replaced only if it had time to die, and only so often.
const (
	leastRejectedAge = time.Minute
	rejectedEvery    = 5 * time.Minute
)

// RejectedFrom is from when on the current token, which there must be, is replaced where an API has refused it.
func (s *State) RejectedFrom() time.Time {
	return later(s.Current.IssuedAt.Add(leastRejectedAge), s.RejectedAt.Add(rejectedEvery))
}

// LastRejected is when a token that an API had refused was last replaced; zero where that is too long ago to keep another one.
func (s *State) LastRejected(now Reading) time.Time {
	if now.Wall.Sub(s.RejectedAt) < rejectedEvery {
		return s.RejectedAt
	}
	return time.Time{}
}
