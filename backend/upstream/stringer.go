// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"fmt"
	"io"
	"time"
)

// An Account or a Token that ends up in a log line or an error by mistake must not take its secrets along. The methods here
// cover package fmt and whatever encodes to text or JSON, as hclog and log/slog do. What they do not reach: a value in an
// unexported field of another struct, for which fmt calls no methods (keep those behind a pointer).

// String names the account's protocol and nothing else.
func (a Account) String() string {
	return fmt.Sprintf("upstream.Account{Protocol: %q, secrets hidden}", string(a.Protocol))
}

// GoString is String. There is no Format method, as a field has that name: verbs that make no sense for a struct, such as %d,
// are not covered. go vet reports those.
func (a Account) GoString() string { return a.String() }

// MarshalText is String for loggers.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// String returns only the token's times.
func (t Token) String() string {
	return fmt.Sprintf("upstream.Token{IssuedAt: %s, ExpiresAt: %s, secrets hidden}",
		t.IssuedAt.UTC().Format(time.RFC3339), t.ExpiresAt.UTC().Format(time.RFC3339))
}

// GoString is String.
func (t Token) GoString() string { return t.String() }

// Format prints String, whatever the verb that fmt asks a value about: all but %T and %p.
func (t Token) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) }

// MarshalText is String for loggers.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// String names the client's protocol and nothing else.
func (c *client) String() string {
	return fmt.Sprintf("upstream.Client{Protocol: %q, secrets hidden}", string(c.account.Protocol))
}

// Format prints String, whatever the verb.
func (c *client) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// MarshalText is String for loggers.
func (c *client) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
