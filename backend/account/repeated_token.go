// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"errors"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// Repeated is the cause of a login that failed since the upstream gives a token again that cannot be served. No setting is wrong.
const Repeated upstream.Cause = "repeated"

const (
	// longestDoubling bounds a hold that doubles, to a day and a half.
	longestDoubling = 17
	// leastRepeatedAge is the age from which on a token that is given again is one that the upstream repeats to its end. A younger
	// one may be of the same second: where the claims are whole seconds, two logins within one bring the same token. One that is due
	// for rotation counts at any age, since it would be due again at once.
	leastRepeatedAge = time.Minute
)

// repeatError says that the upstream repeats a token that cannot be served, and until when no login is made.
type repeatError struct {
	until time.Time
	// isEnd says that the token is about to end then, and another comes at once; else it was revoked.
	isEnd bool
}

func (e *repeatError) Error() string {
	if e.isEnd {
		return "the upstream repeats its last token, which is about to expire, and gives no other"
	}
	return "the upstream repeats a token that was revoked here, and gives no other"
}

// Unwrap says what it counts as.
func (e *repeatError) Unwrap() error {
	return &upstream.Error{Kind: upstream.Malformed, Op: "login", Cause: Repeated, Detail: e.Error()}
}

// checkToken checks the token that a login brought against those that were known before.
//
// Some upstreams give the same token again. It keeps the first stated end until that has come, since a repeated
// expires_in prolongs nothing; from then on the newly stated end counts.
func (t *transition) checkToken(token *Token, err error, a *Account) (*Token, error) {
	now := t.env.Reading
	if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.TokenID != "" {
		// Where it was to live on for long its end is not known: then the error is one like any other.
		if given := t.given(failed.TokenID); given != nil && given.Remaining(now) > 0 && given.Remaining(now) <= longestBackoff {
			return nil, &repeatError{given.endsRepeated(), true}
		}
	}
	if err != nil {
		return nil, err
	}
	if n := slices.IndexFunc(t.Revoked, func(r revokedToken) bool { return r.ID == token.ID }); n >= 0 {
		return nil, t.revokedAgain(n, token)
	}
	token = t.withKnownExpiry(token, a).limited(a)
	switch {
	case token.Usable(now):
		return token, nil
	case token.repeated:
		return nil, &repeatError{token.endsRepeated(), true}
	default:
		t.keepExpired(token)
		return nil, errExpiredOnArrival
	}
}

// keepExpired keeps what is known of a token that had expired when it came, where that was so by the wall clock or a limit alone:
// the upstream may give it again, and tell its whole life.
func (t *transition) keepExpired(token *Token) {
	if told := token.asTold(); t.given(token.ID) == nil && told.Remaining(t.env.Reading)+told.slack.max() >= minLife {
		t.Deleted = t.withDeleted(token)
	}
}

// revokedAgain is the error for a revoked token that the upstream gives again. It may do so for this second only, or to the end
// of the token's life: the hold doubles until then. Once the end is over that was known, the upstream is believed what it tells
// anew, as of any other token.
func (t *transition) revokedAgain(n int, token *Token) error {
	now, hold := t.env.Reading, firstBackoff
	if t.Failure != nil && t.Failure.Cause == Repeated {
		hold <<= min(t.Failure.Step, longestDoubling)
	}
	left := t.Revoked[n].End.Sub(token.IssuedAt) + repeatMargin // see withKnownExpiry
	if left <= 0 {
		left += t.Revoked[n].slack.max()
	}
	if left <= 0 {
		t.Revoked = slices.Clone(t.Revoked)
		t.Revoked[n] = token.asRevoked()
		left = token.endsRepeated().Sub(now.Wall)
	}
	return &repeatError{now.Wall.Add(min(hold, left)), false}
}

// given is the token of that ID, if it is remembered: also of a config that was deleted.
func (s *State) given(id string) *Token {
	if t := s.Find(id); t != nil {
		return t
	}
	if n := slices.IndexFunc(s.Deleted, func(t *Token) bool { return t.ID == id }); n >= 0 {
		return s.Deleted[n]
	}
	return nil
}

// withKnownExpiry is the token with the times that it had when it was first given, where these are not over.
func (t *transition) withKnownExpiry(token *Token, a *Account) *Token {
	given, now := t.given(token.ID), t.env.Reading
	if given == nil {
		return token
	}
	told := given.asTold()
	if token.lifeAssumed && given.lifeAssumed {
		told.ExpiresAt = later(given.ExpiresAt, given.IssuedAt.Add(token.Life())) // default_token_ttl may have been corrected since
	}
	if token.ExpiresAt.Before(told.ExpiresAt) {
		told.ExpiresAt, told.delay = token.ExpiresAt, token.delay
	}
	// Where the limits of now end it, or a clock that was ahead, the upstream has just handed it out as good.
	left, rest, anew := told.Remaining(now), told.slack, given.limited(a).Remaining(now) <= minLife
	// The upstream may have given it at any moment since the login began, when its end was still to come.
	if end := told.endsRepeated(); !end.After(token.IssuedAt) {
		if !end.Add(rest.max()).After(token.IssuedAt) {
			return token
		}
		left, rest, anew = left+rest.max(), slack{}, true
	}
	kept := *token.withRefreshOf(given, token.refreshTarget)
	kept.lifeAssumed, kept.delay = token.lifeAssumed && given.lifeAssumed, told.delay
	kept.repeated = given.repeated || token.Reason == ReasonRotation || now.Wall.Sub(given.IssuedAt) >= leastRepeatedAge
	if anew { // its life is no longer the assumed one, which would count from now on again
		kept.lifeAssumed = false
		kept.ExpiresAt = now.Wall.Add(min(left, token.Remaining(now)))
		kept.slack = rest.atMost(token.Remaining(now) - kept.Remaining(now))
		return &kept
	}
	kept.IssuedAt, kept.ExpiresAt, kept.slack = given.IssuedAt, told.ExpiresAt, given.slack
	return &kept
}
