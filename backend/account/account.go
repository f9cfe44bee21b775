// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// Account is what the issuer must know of a config. It is immutable.
type Account struct {
	Name string
	// Generation changes with each write that changes what a login sends, or where. A token or failure of one generation is
	// never used under another.
	Generation string
	Upstream   upstream.Account
	// RotationPercent is the share of a token's life after which it is replaced; 100 means only when it has expired.
	RotationPercent int
	// Paused stops logins and tokens.
	Paused      bool
	PauseReason string
	// AuthorizationScheme is passed through to the caller.
	AuthorizationScheme string
	// CredentialsUpdatedAt is passed through too. It also tells whether a failure stored by an older version is about
	// the present credentials.
	CredentialsUpdatedAt time.Time
	// LedgerRetention is how long the ledger remembers a token after it has expired.
	LedgerRetention time.Duration
}

// Host is where the logins of the account go.
func (a *Account) Host() string {
	u, err := url.Parse(a.Upstream.TokenURL)
	if err != nil {
		return a.Upstream.TokenURL
	}
	return u.Host
}

// RotatesAt is when the token is to be replaced.
func (a *Account) RotatesAt(t *Token) time.Time {
	switch {
	case t.repeated:
		// Until then the upstream gives the same token again.
		return t.ExpiresAt.Add(repeatMargin)
	case a.singleSession():
		// Not before the last lease has ended: the login would invalidate its token.
		return t.ExpiresAt.Add(-Margin)
	}
	// Divided first: the other way round, a life of five years is more than a time.Duration holds.
	return t.IssuedAt.Add(t.Life() / 100 * time.Duration(a.RotationPercent))
}

// life is how long this account's tokens are thought to live, which bounds a backoff. t may be nil.
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

// loginOf names what an account's login sends and where, and where its refresh tokens are exchanged. It is a digest, stored only
// in the sealed record.
func loginOf(a *upstream.Account) string {
	h := sha256.New()
	field := func(values ...string) { h.Write(fmt.Appendf(nil, "%q\n", values)) }
	field(string(a.Protocol), a.TokenURL, a.RefreshURL, string(a.Format), a.CACert, a.ProxyURL)
	field(a.Username, a.Password, a.ClientID, a.ClientSecret, a.Scope)
	field(a.SOAPAction, a.SOAPUsernameElement, a.SOAPPasswordElement, a.AssertionAudience)
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		field(name, a.Headers[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// credentialsOf names the credentials of an account and the host they are sent to. The circuit breaker is about this pair: other
// headers or another path do not make refused credentials good. It is a digest, stored only in the sealed record.
func credentialsOf(a *upstream.Account) string {
	host := (&Account{Upstream: *a}).Host()
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{
		string(a.Protocol), host, a.Username, a.Password, a.ClientID, a.ClientSecret, a.Scope,
	}))
	return hex.EncodeToString(sum[:8])
}

// SameLogin reports whether both accounts send the same login to the same place and have the same refresh endpoint. What a
// token's life is thought to be, how long a request may take and what a refresh adds do not matter.
func SameLogin(a, b *upstream.Account) bool { return loginOf(a) == loginOf(b) }

// refreshTarget names where an account's refresh tokens go: they may be sent nowhere else.
func refreshTarget(a *upstream.Account) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{a.RefreshURL, a.CACert, a.ProxyURL}))
	return hex.EncodeToString(sum[:8])
}
