// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Package upstream logs in to the token endpoints of Masters India and of Fiserv FirstVision.
//
// It is a plain Go client library: it knows nothing of Vault, keeps no token and never retries. One Client serves one
// Account; each login protocol lives in a file of its own, with a Spec that says what it needs and holds. A response is believed
// only as far as the vendors' pages and practice allow: the rules are in response.go (success and lifetime) and classify.go
// (failure).
package upstream

import (
	"context"
	"net"
	"time"
)

// Protocol is the wire protocol of a login endpoint. Each has its constant in its own file; Specs lists all.
type Protocol string

// Format says how a login request carries its fields.
type Format string

// The formats; [Spec.Formats] says which of them a protocol knows.
const (
	JSON      Format = "json"
	Form      Format = "form"
	Multipart Format = "multipart"
	Query     Format = "query"
	Assertion Format = "assertion"
)

// Account is everything that one login sends, and where to. New validates only what a request needs.
type Account struct {
	Protocol Protocol
	// TokenURL is the whole login URL; it is used as it is, trailing slash and query and all.
	TokenURL string
	// RefreshURL is where a refresh token is exchanged. Only JWT has one; empty means that there is none.
	RefreshURL string
	// Format is one of [Spec.Formats]; empty means the first of them.
	Format Format

	Username, Password     string
	ClientID, ClientSecret string
	Scope                  string
	// AssertionAudience is the claim aud of a signed assertion: the token URL of the authorization server, not TokenURL.
	AssertionAudience string

	// Headers go with each request, RefreshHeaders are added (and win) on a refresh.
	Headers, RefreshHeaders map[string]string

	// SOAPAction, SOAPUsernameElement and SOAPPasswordElement are names that the vendor's page lost. Empty ones mean
	// "urn:server#access_new_token", "username" and "passwd".
	SOAPAction, SOAPUsernameElement, SOAPPasswordElement string

	// DefaultTokenTTL is the lifetime of a token whose response states none; 0 means [Spec.DefaultTokenTTL].
	DefaultTokenTTL time.Duration
	// RequestTimeout bounds one request, from dial to the last byte of the response; 0 means 15 seconds.
	RequestTimeout time.Duration

	// CACert holds PEM certificates to trust instead of the system's roots; empty means the system's.
	CACert string
	// ProxyURL is the proxy of this account; empty means the environment's (HTTPS_PROXY, NO_PROXY and so on).
	ProxyURL string
}

// Credential is a setting that says as whom an account logs in.
type Credential struct {
	Name, Value string
	Secret      bool
}

// Credentials returns all settings that say as whom an account logs in, those that its protocol does not use as well. What else
// must know a credential or a secret asks here.
func (a Account) Credentials() []Credential {
	return []Credential{
		{FieldUsername, a.Username, false},
		{FieldPassword, a.Password, true},
		{FieldClientID, a.ClientID, false},
		{FieldClientSecret, a.ClientSecret, true},
	}
}

// Token is what a login or a refresh gave.
type Token struct {
	AccessToken string
	// RefreshToken is empty where the endpoint gave none.
	RefreshToken string
	// IssuedAt is the moment before the request was sent, by Options.Now. Life counts from here: the token cannot be older.
	IssuedAt time.Time
	// ExpiresAt is IssuedAt plus the lifetime in the response, whatever the difference between both clocks.
	ExpiresAt time.Time
	// RefreshExpiresAt is when the refresh token ends, on the same clock; zero where unknown.
	RefreshExpiresAt time.Time
	// ClockSkew is the upstream's Date minus ours, to the second; meaningful only where SkewKnown.
	ClockSkew time.Duration
	SkewKnown bool
	// LifeAssumed is set if the response had no lifetime, so that [Account.DefaultTokenTTL] is used.
	LifeAssumed bool
}

// Client exchanges the credentials of one account for tokens. It is safe for concurrent use. Every error it returns is,
// or wraps, an *Error, except ErrRefreshUnsupported, and where ctx itself was cancelled by the caller: then
// errors.Is(err, context.Canceled).
type Client interface {
	// Login sends the account's credentials, once. Only where they are in an assertion, and the response shows that the upstream's
	// clock is so far off ours that the assertion was not valid there, a second one is made by that clock. An error holds none of
	// redact: the account's tokens that are out, of which the upstream may speak ("session <token> is still open").
	Login(ctx context.Context, redact ...string) (*Token, error)
	// Refresh exchanges a refresh token for a new pair, once. The vendor invalidates the old pair in doing so ("the current
	// access and refresh tokens will be invalid"). It returns ErrRefreshUnsupported where the account has no RefreshURL.
	// An error holds neither refreshToken nor any of redact.
	Refresh(ctx context.Context, refreshToken string, redact ...string) (*Token, error)
}

// Options are what a Client needs besides the account. The zero value is ready to use.
type Options struct {
	// UserAgent is sent with each request; empty sends "mastersindia-upstream".
	UserAgent string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// DialContext makes the connections; nil means the network. Tests hand in an upstream that lives in memory.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}
