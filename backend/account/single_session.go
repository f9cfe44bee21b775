// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// singleSession reports whether a new login may invalidate the current token.
func (a *Account) singleSession() bool { return a.RotationPercent >= 100 }

// invalidatedBy reports whether a login of a that ended like this may have invalidated the current token: that of a
// single-session account, where the upstream may have taken for a success what failed here.
func (s *State) invalidatedBy(err error, a *Account) bool {
	return s.endsSession(nil, a) && mayHaveLoggedIn(err)
}

// endsSession reports whether a login of a that brought the token (nil where it is not known) has invalidated the current one.
func (s *State) endsSession(token *Token, a *Account) bool {
	isOther := s.Current != nil && (token == nil || token.ID != s.Current.ID)
	return isOther && s.Account != nil && s.Account.singleSession() && sameUser(s.Account, a)
}

// sameUser reports whether both log in as the same user or, where there is none, as the same client: else their sessions are not
// one.
func sameUser(a, b *Account) bool {
	one, other := &a.Upstream, &b.Upstream
	return one.Username == other.Username && (one.Username != "" || one.ClientID == other.ClientID)
}

// mayHaveLoggedIn reports whether the upstream may have logged in although the login failed here.
func mayHaveLoggedIn(err error) bool {
	failed, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		return true
	}
	switch failed.Kind {
	case upstream.Malformed:
		return true
	case upstream.Unavailable:
		return !failed.NotSent
	default:
		return false
	}
}
