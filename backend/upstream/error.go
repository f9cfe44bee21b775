// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrRefreshUnsupported is returned by Refresh for an account without a RefreshURL.
var ErrRefreshUnsupported = errors.New("this account has no refresh endpoint")

// Kind sorts failures by what the caller should do about them.
type Kind string

// The kinds of failure.
const (
	// Rejected: credentials, scope or grant were refused. Trying again with the same ones may lock the account.
	Rejected Kind = "rejected"
	// Invalid: the upstream rejected the request as malformed. Trying again without a change is useless.
	Invalid Kind = "invalid"
	// Throttled: HTTP 429, or 503 with Retry-After.
	Throttled Kind = "throttled"
	// Unavailable: network, TLS, timeout or another 5xx.
	Unavailable Kind = "unavailable"
	// Malformed: a response that cannot be understood.
	Malformed Kind = "malformed"
)

// Cause narrows down an Unavailable or Malformed failure, for messages that name what to mend. It is empty for other kinds.
type Cause string

// The causes of an Unavailable failure, and CauseToken of a Malformed one.
const (
	CauseTimeout Cause = "timeout"
	CauseDNS     Cause = "dns"
	CauseTLS     Cause = "tls"
	CauseNetwork Cause = "network"
	CauseServer  Cause = "server" // a 5xx, or an error body that says the same
	CauseToken   Cause = "token"  // it is the login endpoint, and its token, or the assertion that it was sent, is of no use
)

// Error is a failed login or refresh. None of its fields, nor its text, holds a secret, a URL's query, or upstream text
// other than known short fields, cut to 200 characters.
type Error struct {
	Kind Kind
	// Op is "login" or "refresh".
	Op string
	// Cause is set for Unavailable.
	Cause Cause
	// NotSent is set where no connection was made, so that the upstream cannot have acted on the request.
	NotSent bool
	// Status is the HTTP status; 0 where no response came.
	Status int
	// Code is the upstream's own error code, such as "invalid_grant" or "240101"; may be empty.
	Code string
	// Detail is one short sentence in our or the upstream's words; may be empty.
	Detail string
	// RetryAfter is how long a Throttled upstream asked us to wait; 0 where it did not say.
	RetryAfter time.Duration
	// TokenID is set where a token came whose life is too short to use it: the first 16 hex digits of its SHA-256.
	TokenID string
	// ClockSkew is the upstream's Date minus ours, to the second; meaningful only where SkewKnown.
	ClockSkew time.Duration
	SkewKnown bool
}

// Error says in one sentence, without a secret, what went wrong.
func (e *Error) Error() string {
	if e.Status == 0 || e.Kind == Malformed {
		return join(": ", e.headline(), e.Detail)
	}
	notes := []string{fmt.Sprintf("HTTP %d", e.Status)}
	if e.RetryAfter > 0 {
		notes = append(notes, "retry after "+e.RetryAfter.String())
	}
	if e.Code != "" {
		notes = append(notes, e.Code)
	}
	if e.Detail != "" {
		notes = append(notes, strconv.Quote(e.Detail))
	}
	return e.headline() + " (" + strings.Join(notes, ", ") + ")"
}

// Timeout reports whether the upstream took too long, in the manner of net.Error.
func (e *Error) Timeout() bool { return e.Cause == CauseTimeout }

// headline is the part of the sentence that the kind alone decides.
func (e *Error) headline() string {
	switch {
	case e.Kind == Rejected && e.Op == opRefresh:
		return "upstream refused the refresh token"
	case e.Kind == Rejected:
		return "upstream refused the credentials"
	case e.Kind == Invalid:
		return "upstream rejected the request as malformed"
	case e.Kind == Throttled:
		return "upstream is throttling logins"
	case e.Kind == Malformed:
		return "upstream's response cannot be understood"
	case e.Cause == CauseTimeout:
		return "upstream did not respond in time"
	case e.Cause == CauseServer:
		return "upstream reports an error"
	default:
		return "upstream cannot be reached"
	}
}

// join puts sep between those parts that are not empty.
func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
