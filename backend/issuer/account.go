// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// Account is what the issuer must know of a config. It is never changed once it was handed over.
type Account struct {
	Name string
	// Generation changes with each write that changes what a login sends, or where. What began under one generation is
	// never believed under another.
	Generation string
	Upstream   upstream.Account
	// RotationPercent is the share of a token's life after which it is replaced; 100 means only when it has expired.
	RotationPercent int
	// Paused stops logins and tokens.
	Paused      bool
	PauseReason string
	// AuthorizationScheme is passed on to whoever builds an answer.
	AuthorizationScheme string
	// CredentialsUpdatedAt is passed on as well.
	CredentialsUpdatedAt time.Time
	// LedgerRetention is how long the Book is to remember a token after it has expired.
	LedgerRetention time.Duration
}

// Source finds accounts. It returns ErrNoAccount for a name that has none.
type Source interface {
	Account(ctx context.Context, name string) (*Account, error)
}

// exclusive reports whether a new login may kill the token that is out.
func (a *Account) exclusive() bool { return a.RotationPercent >= 100 }

// rotatesAt is when the token is to be replaced.
func (a *Account) rotatesAt(t *Token) time.Time {
	if a.exclusive() {
		// Not before the last lease has ended: the login would kill the token under it.
		return t.ExpiresAt.Add(-Margin)
	}
	// Divided first: the other way round, a life of five years is more than a time.Duration holds.
	return t.IssuedAt.Add(t.Life() / 100 * time.Duration(a.RotationPercent))
}

// life is how long this account's tokens are thought to live, for pauses, before one is known.
func (a *Account) life(t *Token) time.Duration {
	switch {
	case t != nil:
		return t.Life()
	case a.Upstream.MaxTokenTTL > 0:
		return min(a.Upstream.DefaultTokenTTL, a.Upstream.MaxTokenTTL)
	default:
		return a.Upstream.DefaultTokenTTL
	}
}

// fingerprint tells whether two accounts would send the same login to the same place, or exchange refresh tokens at another.
// It holds secrets only as a digest, and never leaves memory.
func fingerprint(a *upstream.Account) [sha256.Size]byte {
	h := sha256.New()
	field := func(values ...string) { h.Write(fmt.Appendf(nil, "%q\n", values)) }
	field(string(a.Protocol), a.TokenURL, a.RefreshURL, string(a.Format), a.CACert, a.ProxyURL)
	field(a.Username, a.Password, a.ClientID, a.ClientSecret, a.Scope)
	field(a.SOAPAction, a.SOAPUsernameElement, a.SOAPPasswordElement, a.AssertionAudience)
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		field(name, a.Headers[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// SameLogin reports whether both accounts send the same login to the same place and have the same refresh endpoint. What a
// token's life is thought to be, how long a request may take and what a refresh adds do not matter.
func SameLogin(a, b *upstream.Account) bool { return fingerprint(a) == fingerprint(b) }

// refreshTarget names where an account's refresh tokens go: they may be sent nowhere else.
func refreshTarget(a *upstream.Account) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{a.RefreshURL, a.CACert, a.ProxyURL}))
	return hex.EncodeToString(sum[:8])
}
