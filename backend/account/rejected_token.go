// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import "time"

// A token that an API refused is replaced only if it had time to die, and only so often.
const (
	leastRejectedAge = time.Minute
	rejectedEvery    = 5 * time.Minute
)

// mayReplace is MayLogin for a login that replaces a usable token.
func (s *State) mayReplace(env Env, reason Reason) error {
	switch {
	case reason == ReasonRotation && s.isDue(env.Reading):
		return nil
	case reason != ReasonRejected:
		return errNotDue
	case env.Wall.Sub(s.Current.IssuedAt) < leastRejectedAge:
		return ErrTooSoon
	case env.Wall.Sub(s.RejectedAt).Abs() < rejectedEvery: // also after the clock was set back
		return ErrTooSoon
	default:
		return nil
	}
}
