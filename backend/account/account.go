// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package account

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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
	// MaxTokenTTL ends a token's use that long after the login that brought it; 0 is no limit.
	MaxTokenTTL time.Duration
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

	sent atomic.Pointer[sent] // see sentBy
}

// Host is where the logins of the account go, however it is written.
func (a *Account) Host() string { return hostOf(a.Upstream.TokenURL) }

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return host
	}
	return net.JoinHostPort(host, port)
}

// life is how long this account's tokens are thought to live, which bounds a backoff. t may be nil.
func (a *Account) life(t *Token) time.Duration {
	switch {
	case t != nil:
		return t.Life()
	case a == nil:
		return longestBackoff * backoffShare
	case a.MaxTokenTTL > 0:
		return min(a.Upstream.DefaultTokenTTL, a.MaxTokenTTL)
	default:
		return a.Upstream.DefaultTokenTTL
	}
}

// loginOf names what an account's login sends and where, and where its refresh tokens are exchanged. It is a digest.
func loginOf(a *upstream.Account) string {
	b := make([]byte, 0, 1024)
	field := func(values ...string) { b = append(appendList(b, values...), '\n') }
	field(string(a.Protocol), a.TokenURL, a.RefreshURL, string(a.Format), a.CACert, a.ProxyURL)
	field(credentials(a)...)
	field(a.SOAPAction, a.SOAPUsernameElement, a.SOAPPasswordElement, a.AssertionAudience)
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		field(name, a.Headers[name])
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// credentialsOf names the credentials of an account and the host they are sent to. The circuit breaker is about this pair: other
// headers or another path do not make refused credentials good. It is a digest, stored only in the sealed record.
func credentialsOf(a *upstream.Account) string {
	return shortDigest(append([]string{string(a.Protocol), hostOf(a.TokenURL)}, credentials(a)...)...)
}

// credentials are the values for a digest, those of the first release in its order, with the scope. One that came later counts
// only where it is set: otherwise the digests that were stored before would match no account.
func credentials(a *upstream.Account) []string {
	values := []string{a.Username, a.Password, a.ClientID, a.ClientSecret, a.Scope}
	first := []string{upstream.FieldUsername, upstream.FieldPassword, upstream.FieldClientID, upstream.FieldClientSecret}
	for _, c := range a.Credentials() {
		if c.Value != "" && !slices.Contains(first, c.Name) {
			values = append(values, c.Name+"="+c.Value)
		}
	}
	return values
}

// shortDigest tells lists of values apart.
func shortDigest(values ...string) string {
	sum := sha256.Sum256(appendList(make([]byte, 0, 512), values...))
	return hex.EncodeToString(sum[:8])
}

// appendList writes values such that no two lists are alike. Digests that are stored depend on its form.
func appendList(b []byte, values ...string) []byte {
	b = append(b, '[')
	for n, value := range values {
		if n > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendQuote(b, value)
	}
	return append(b, ']')
}

// SameLogin reports whether both accounts send the same login to the same place and have the same refresh endpoint. What a
// token's life is thought to be, how long a request may take and what a refresh adds do not matter.
func SameLogin(a, b *upstream.Account) bool { return loginOf(a) == loginOf(b) }

// refreshTarget names where an account's refresh tokens go: they may be sent nowhere else.
func refreshTarget(a *upstream.Account) string {
	return shortDigest(a.RefreshURL, a.CACert, a.ProxyURL)
}

// SameRefreshTarget reports whether the refresh tokens of both accounts go to the same place.
func SameRefreshTarget(a, b *upstream.Account) bool { return refreshTarget(a) == refreshTarget(b) }
