// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	// Margin is the part of a token's life that no lease may use: what a reader's last call needs to arrive upstream.
	Margin = 5 * time.Second
	// repeatMargin is how long after the latest end of a token which the upstream repeats the next login is made, as times are
	// stated in whole seconds: a login at that very moment could bring the same token once more, with a life that it has not.
	repeatMargin = 2 * time.Second
	// clockTolerance is how far the clocks of two nodes may be apart before a stored token is suspect.
	clockTolerance = time.Minute
	// minLife is the least life with which a token is served: the margin and a lease of one second.
	minLife = Margin + time.Second
)

// Reason says why a token was asked for.
type Reason string

// The reasons of a login.
const (
	ReasonFirstRead    Reason = "first_read"
	ReasonRotation     Reason = "rotation"
	ReasonForced       Reason = "forced"
	ReasonRejected     Reason = "rejected"
	ReasonVerification Reason = "verification"
	ReasonAfterRevoke  Reason = "after_revoke"
)

// Rotates reports whether a login for that reason replaces a token that was in use.
func (r Reason) Rotates() bool {
	return r == ReasonRotation || r == ReasonForced || r == ReasonRejected
}

// Outcome is the upstream's response to a revocation.
type Outcome string

// The outcomes of a revocation.
const (
	// Killed: the upstream has exchanged the refresh token, which invalidates the pair.
	Killed Outcome = "killed"
	// Refused: the upstream would not take the refresh token. The pair may have been dead before.
	Refused Outcome = "refused"
	// Unknown: the upstream could not be asked, or has not responded yet.
	Unknown Outcome = "unknown"
	// Unsupported: the protocol has no way to revoke a token.
	Unsupported Outcome = "unsupported"
)

// Token is one upstream token. It is immutable.
type Token struct {
	// ID names the token without showing it: the first 16 hex digits of its SHA-256.
	ID string
	// Access is the secret itself.
	Access string
	// Generation is that of the account when the login began.
	Generation string
	// IssuedAt and ExpiresAt are wall clock times, UTC. Life counts from the moment before the request was sent.
	IssuedAt, ExpiresAt time.Time
	Reason              Reason

	// revocation is set once the token was revoked.
	revocation Outcome
	// revokedAt is when that was or, where the token was revoked upstream later, when that was.
	revokedAt        time.Time
	refresh          string
	refreshExpiresAt time.Time
	// refreshTarget names the endpoint that gave the refresh token, which is sent nowhere else: see CanRevoke.
	refreshTarget string
	// replaced is the ID of the token that this one took over from; "" where there was none.
	replaced string
	// repeated says that a later login has brought this token again: until its end there is no other.
	repeated bool
	// toldLife is the life that the upstream has told, where max_token_ttl allows less; else 0.
	toldLife time.Duration
	// lifeAssumed says that the response stated no lifetime, so that default_token_ttl stands for it.
	lifeAssumed bool
	// delay is how long the login took, in whole seconds. Life counts from before the request was sent, and the upstream counts it
	// from any moment until its response: the token may end later by that.
	delay time.Duration
	// slack is by how much later the token may end, as the clock was set since.
	slack slack
	// skew is the upstream's clock minus ours when the token came, where the response had a Date.
	skew      time.Duration
	skewKnown bool
}

// TokenID names a token without showing it.
func TokenID(access string) string {
	sum := sha256.Sum256([]byte(access))
	return hex.EncodeToString(sum[:8])
}

// String keeps a token in a format string from showing itself.
func (t *Token) String() string { return "token " + t.ID }

// GoString does the same for %#v.
func (t *Token) GoString() string { return t.String() }

// MarshalText does the same for JSON.
func (t *Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Life is how long the token lives in all.
func (t *Token) Life() time.Duration { return t.ExpiresAt.Sub(t.IssuedAt) }

// Remaining is the life that is left.
func (t *Token) Remaining(now Reading) time.Duration { return t.ExpiresAt.Sub(now.Wall) }

// Repeated reports whether a later login has brought this token again: until its end the upstream gives no other.
func (t *Token) Repeated() bool { return t.repeated }

// Revocation is the upstream's response to the token's revocation, and when that was; "" for a token that was not revoked.
func (t *Token) Revocation() (Outcome, time.Time) { return t.revocation, t.revokedAt }

// Refresh is the refresh token; "" where there is none.
func (t *Token) Refresh() string { return t.refresh }

// Skew is the upstream's clock minus ours when the token came; known is false where the response had no Date.
func (t *Token) Skew() (skew time.Duration, known bool) { return t.skew, t.skewKnown }

// withoutSecrets is what may be remembered of a token that is not served any more, and no more than is asked for.
func (t *Token) withoutSecrets() *Token {
	bare := *t
	bare.Access, bare.refresh, bare.refreshExpiresAt = "", "", time.Time{}
	bare.Generation, bare.replaced = "", ""
	return &bare
}

// withoutRefresh is the token without its refresh token.
func (t *Token) withoutRefresh() *Token {
	if t == nil || t.refresh == "" {
		return t
	}
	bare := *t
	bare.refresh, bare.refreshExpiresAt, bare.refreshTarget = "", time.Time{}, ""
	return &bare
}

// withRefreshOf is the token with the refresh token that it was first given with, where it has none for that endpoint.
func (t *Token) withRefreshOf(given *Token, target string) *Token {
	if t.refresh != "" && t.refreshTarget == target || given.refresh == "" {
		return t
	}
	kept := *t
	kept.refresh, kept.refreshExpiresAt, kept.refreshTarget = given.refresh, given.refreshExpiresAt, given.refreshTarget
	return &kept
}

// withRevocationOf is a token that was given again after it was revoked.
func (t *Token) withRevocationOf(given *Token, target string) *Token {
	kept := *t.withRefreshOf(given, target)
	kept.Reason, kept.replaced, kept.revocation, kept.revokedAt = given.Reason, given.replaced, given.revocation, given.revokedAt
	return &kept
}

// MayLive reports whether the upstream may accept the token: also one that the clock only seems to have ended, or max_token_ttl.
func (t *Token) MayLive(now Reading) bool { return t.ValidUntil().After(now.Wall) }

// Usable reports whether the token may still be served.
func (t *Token) Usable(now Reading) bool { return t != nil && t.Remaining(now) >= minLife }

// endsRepeated is from when on the upstream, if it repeats its token, gives another one, or this one with another life.
func (t *Token) endsRepeated() time.Time { return t.ExpiresAt.Add(t.delay + repeatMargin) }

// IsExpired reports whether the token is surely too old to be served, whichever way the clock was set by mistake.
func (t *Token) IsExpired(now Reading) bool { return t.Remaining(now)+t.slack.max() < minLife }

// clamp gives a token no more life than limit; 0 is no limit.
func (t *Token) clamp(limit time.Duration) *Token {
	if t == nil || limit <= 0 || t.Life() <= limit {
		return t
	}
	shorter := *t
	shorter.ExpiresAt = t.IssuedAt.Add(limit)
	return &shorter
}

// ValidUntil is until when the upstream may accept the token, as far as it has told, whichever way the clock was set by mistake.
func (t *Token) ValidUntil() time.Time { return t.endTold().Add(t.slack.max()) }

// IsEndSure reports whether ValidUntil is what the upstream has told: the clock was not set since.
func (t *Token) IsEndSure() bool { return t.slack == slack{} }

// endTold is the end that the upstream has told, by the clock as it goes now.
func (t *Token) endTold() time.Time { return t.IssuedAt.Add(t.lifeTold()) }

// lifeTold is the life that the upstream has told, whatever max_token_ttl is.
func (t *Token) lifeTold() time.Duration { return max(t.toldLife, t.Life()) }

// asTold is the token with the end that goes with it.
func (t *Token) asTold() *Token {
	told := *t
	told.ExpiresAt = t.endTold()
	return &told
}

// limited gives a token no more life than other settings allow. Where the upstream has told none, that is what they assume.
func (t *Token) limited(a *Account) *Token {
	if t != nil && t.lifeAssumed {
		t = t.clamp(a.Upstream.DefaultTokenTTL)
	}
	shorter := t.clamp(a.MaxTokenTTL)
	if shorter != t {
		shorter.toldLife = t.lifeTold()
	}
	return shorter
}

// revokedAs is the token with the outcome of its revocation. It stays killed: of two callers who revoke it at a time, the
// upstream refuses the second.
func (t *Token) revokedAs(o Outcome, at time.Time) *Token {
	if t.revocation == Killed {
		return t
	}
	revoked := *t
	if t.revocation == "" || o == Killed {
		revoked.revokedAt = at
	}
	revoked.revocation = o
	if o == Killed {
		revoked.refresh, revoked.refreshExpiresAt = "", time.Time{}
	}
	return &revoked
}

// NewToken makes a token of the grant that a login with the settings has brought, and of when that began and how long it took.
func NewToken(grant *upstream.Token, began Reading, took time.Duration, a *Account, reason Reason) *Token {
	// Upstream's times come from the same wall clock, read a moment later; counting from before the request is the safer side.
	life := grant.ExpiresAt.Sub(grant.IssuedAt)
	t := &Token{
		ID:            TokenID(grant.AccessToken),
		Access:        grant.AccessToken,
		Generation:    a.Generation,
		IssuedAt:      began.Wall,
		ExpiresAt:     began.Wall.Add(life),
		Reason:        reason,
		refresh:       grant.RefreshToken,
		refreshTarget: refreshTarget(&a.Upstream),
		lifeAssumed:   grant.LifeAssumed,
		delay:         took.Truncate(time.Second),
		skew:          grant.ClockSkew,
		skewKnown:     grant.SkewKnown,
	}
	if !grant.RefreshExpiresAt.IsZero() {
		t.refreshExpiresAt = began.Wall.Add(grant.RefreshExpiresAt.Sub(grant.IssuedAt))
	}
	return t
}
