// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

const (
	// Margin is the part of a token's life that no lease may use: what a reader's last call needs to arrive upstream.
	Margin = 5 * time.Second
	// clockTolerance is how far the clocks of two nodes may be apart before a stored token is doubted.
	clockTolerance = time.Minute
	// minLife is the least life with which a token is handed out: the margin and a lease of one second.
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

	// reasonRestore loads an account and never logs in.
	reasonRestore Reason = "restore"
	// reasonStore stores an account anew, and never logs in: after the wall clock was set back, or where storage failed before.
	reasonStore Reason = "store"
)

// Token is one upstream token. It is never changed once it was made.
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

	// revocation is set once the token was revoked: it is never served again.
	revocation Outcome
	// revokedAt is when that was or, where the token was killed upstream later, when that was.
	revokedAt        time.Time
	refresh          string
	refreshExpiresAt time.Time
	// elapsed is the reading at IssuedAt, as if this process had been there.
	elapsed time.Duration
	// skew is the upstream's clock minus ours when the token came, where the answer told.
	skew      time.Duration
	skewKnown bool
}

// TokenID names a token without showing it.
func TokenID(access string) string {
	sum := sha256.Sum256([]byte(access))
	return hex.EncodeToString(sum[:8])
}

// String keeps a token that strays into a format string from showing itself.
func (t *Token) String() string { return "token " + t.ID }

// GoString does the same for %#v.
func (t *Token) GoString() string { return t.String() }

// Life is how long the token lives in all.
func (t *Token) Life() time.Duration { return t.ExpiresAt.Sub(t.IssuedAt) }

// Remaining is the life that is left, by whichever clock gives less: a wall clock that was set back lengthens no life, and a
// suspended machine wakes up to expired tokens.
func (t *Token) Remaining(now Reading) time.Duration {
	return min(t.ExpiresAt.Sub(now.Wall), t.Life()-(now.Elapsed-t.elapsed))
}

// Revocation is what became of telling the upstream that the token was revoked, and when: "" for one that was not.
func (t *Token) Revocation() (Outcome, time.Time) { return t.revocation, t.revokedAt }

// withoutSecrets is what may be remembered of the token when it is not served any more.
func (t *Token) withoutSecrets() *Token {
	bare := *t
	bare.Access, bare.refresh = "", ""
	return &bare
}

// anchored is a token that was read from storage, on the clocks of this process.
func (t *Token) anchored(now Reading) *Token {
	t.elapsed = now.Elapsed - t.Life() + min(t.Life(), t.ExpiresAt.Sub(now.Wall))
	return t
}

// fromTheFuture reports whether the token was issued well after now, by a clock that has been set back since: how much of its
// life is left is not known.
func (t *Token) fromTheFuture(now Reading) bool {
	return now.Wall.Before(t.IssuedAt.Add(-clockTolerance))
}

// setRight is the token on a wall clock that was set back since it was issued, and whether that was so: what is stored must not
// tell the next process of a longer life. Less than the margin of every lease does no harm.
func (t *Token) setRight(now Reading) (*Token, bool) {
	left := t.Life() - (now.Elapsed - t.elapsed)
	if t.ExpiresAt.Sub(now.Wall)-left <= Margin {
		return t, false
	}
	shifted := *t
	shifted.ExpiresAt = now.Wall.Add(left)
	shifted.IssuedAt = shifted.ExpiresAt.Add(-t.Life())
	return &shifted, true
}

// alive reports whether the token may still be handed out.
func (t *Token) alive(now Reading) bool { return t != nil && t.Remaining(now) >= minLife }

// clamp gives a token no more life than limit; 0 is no limit.
func (t *Token) clamp(limit time.Duration) *Token {
	if t == nil || limit <= 0 || t.Life() <= limit {
		return t
	}
	shorter := *t
	shorter.ExpiresAt = t.IssuedAt.Add(limit)
	return &shorter
}

// fromUpstream makes the token that a login which began at the given reading has brought.
func fromUpstream(up *upstream.Token, began Reading, generation string, reason Reason) *Token {
	// Upstream's times come from the same wall clock, read a moment later; counting from before the request is the safer side.
	life := up.ExpiresAt.Sub(up.IssuedAt)
	t := &Token{
		ID:         TokenID(up.AccessToken),
		Access:     up.AccessToken,
		Generation: generation,
		IssuedAt:   began.Wall,
		ExpiresAt:  began.Wall.Add(life),
		Reason:     reason,
		refresh:    up.RefreshToken,
		elapsed:    began.Elapsed,
		skew:       up.ClockSkew,
		skewKnown:  up.SkewKnown,
	}
	if !up.RefreshExpiresAt.IsZero() {
		t.refreshExpiresAt = began.Wall.Add(up.RefreshExpiresAt.Sub(up.IssuedAt))
	}
	return t
}
