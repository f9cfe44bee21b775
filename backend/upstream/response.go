// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds on what is believed.
const (
	// maxBody is the longest response that is read. A login's is a few kilobytes.
	maxBody = 1 << 20
	// maxToken is the longest token: what fits into a header of the servers that it is meant for, and more.
	maxToken = 16 << 10
	// minLife is the shortest life a token is worth handing out with: a lease has to fit in.
	minLife = 10 * time.Second
	// maxLife, about 31 years, keeps every sum of a time and a life far from the ends of time.Duration.
	maxLife = 1e9 * time.Second
)

// Why a response cannot be understood. None of it is the upstream's text.
const (
	problemEmpty    = "the response is empty"
	problemLong     = "the response is longer than 1 MiB"
	problemPlain    = "the port expects TLS: write the URL with https://"
	problemCut      = "the response is cut short"
	problemEncoding = "the response is not UTF-8"
	problemNotJSON  = "the response is not JSON"
	problemNotXML   = "the response is not XML"
	problemTrailing = "the response has data after its end"
	problemDoctype  = "the response declares a document type, which SOAP forbids"
	problemDepth    = "the response is nested too deeply"
	problemNoToken  = "the response contains no token"
	problemNoError  = "the response contains no known error"
	problemToken    = "the token is not plain printable text"
	problemLength   = "the token is longer than 16 KiB"
	problemExpiry   = "the token's expiry is not a number"
	problemLife     = "the token has already expired or expires in less than 10 seconds"
)

// problemText says why a response is not understood. It is a type of its own so that only constants become one: it is shown as it
// is, and no text of the upstream's may be.
type problemText string

// response is an HTTP response with its body read.
type response struct {
	status int
	header http.Header
	body   []byte
	// problem says why the body could not be read to its end; empty where it was.
	problem problemText
	// sent is the moment before the request went out, received the one when the response's head had come.
	sent, received time.Time
}

// grant is what the body of a response says, in words that all protocols share.
type grant struct {
	// problem says why the body cannot be understood; empty where it can.
	problem        problemText
	token, refresh string
	// expiresIn is nil, a string, a json.Number, or whatever else the upstream put under the protocol's LifeKey.
	expiresIn any
	// lifeUnit is what expiresIn counts.
	lifeUnit time.Duration
	// fault is the error in the body; nil if there is none.
	fault *fault
	// isJSON is set for any JSON value, and isObject for an object.
	isJSON, isObject bool
	// value is a body in JSON. What only a message needs of it is looked for when there is one.
	value any
	// names and tokens are of a body in XML: the names of its elements, and what stands where a token may.
	names  map[string]bool
	tokens []string
}

// exposed returns everything in the body that stands where a token may, for the scrubber.
func (r *grant) exposed() []string { return tokensIn(r.value, SecretKeys(), r.tokens) }

// ok reports whether the status says that the response is a success. That alone is not enough.
func (a *response) ok() bool { return a.status >= 200 && a.status <= 299 }

// succeeded reports whether the response is a success: a 2xx with a token and without an error. Masters India sends refused
// credentials as 206, and others are known to send errors as 200.
func (a *response) succeeded(r *grant) bool { return a.ok() && r.fault == nil && r.token != "" }

// date returns the response's Date; ok is false where it has none that is of use.
func (a *response) date() (t time.Time, ok bool) {
	t, err := http.ParseTime(a.header.Get("Date"))
	return t, err == nil && t.Unix() > 0
}

// skew returns the upstream's clock minus ours; known is false if the response has no Date.
func (a *response) skew() (skew time.Duration, known bool) {
	date, known := a.date()
	if !known {
		return 0, false
	}
	// A Date is cut to the second, so that ours has to be cut as well before the two are compared.
	return date.Sub(a.received.Truncate(time.Second)), true
}

// newToken makes a token of the grant to a successful login, or says why that cannot be.
//
// Life counts from the moment before the request was sent, on our clock; its length is measured by the upstream's clock
// alone wherever possible. So it does not matter how far the two clocks are apart.
func newToken(acct *Account, a *response, r *grant) (t *Token, problem problemText) {
	if problem := tokenProblem(r.token); problem != "" {
		return nil, problem
	}
	access, problem := readClaims(r.token)
	if problem != "" {
		return nil, problem
	}
	life, problem := lifetime(acct, a, r, access)
	if problem != "" {
		return nil, problem
	}
	t = &Token{AccessToken: r.token, IssuedAt: a.sent, ExpiresAt: a.sent.Add(life)}
	if _, stated, _ := number(r.expiresIn); !stated && !access.hasExp {
		t.LifeAssumed = true
	}
	t.ClockSkew, t.SkewKnown = a.skew()
	if tokenProblem(r.refresh) == "" {
		t.RefreshToken = r.refresh
		t.RefreshExpiresAt = refreshExpiry(a, r.refresh, access)
	}
	return t, ""
}

// tokenProblem says why a token cannot be used as one: consumers put it into a header as it is.
func tokenProblem(token string) problemText {
	switch {
	case token == "":
		return problemNoToken
	case len(token) > maxToken:
		return problemLength
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return problemToken
	default:
		return ""
	}
}

// withoutScheme takes the scheme off a token that comes as "Bearer abc" or "JWT abc".
func withoutScheme(token string) string {
	token = strings.TrimSpace(token)
	scheme, rest, found := strings.Cut(token, " ")
	if found && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "JWT")) {
		return strings.TrimSpace(rest)
	}
	return token
}

// plainText strips a byte order mark, which some servers for Windows send, and refuses what is empty or not UTF-8.
func plainText(body []byte) (text []byte, problem problemText) {
	text = bytes.TrimPrefix(body, []byte("\ufeff"))
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return nil, problemEmpty
	case !utf8.Valid(text):
		return nil, problemEncoding
	default:
		return text, ""
	}
}

// knownKeys returns those names in the body that the protocols declare or that the vendors' pages know. They help to find out
// what has responded, and they are our own words: other names may hold anything.
func (r *grant) knownKeys() []string {
	names := namesIn(r.value)
	maps.Copy(names, r.names)
	known := SecretKeys()
	for _, s := range Specs() {
		known = append(known, s.LifeKey)
	}
	known = append(known, "token_type",
		"error", "error_description", "errorCode", "errorMessage", "title", "status", "invalid-params",
		"detail", "non_field_errors", "username", "password",
		"message", "success", "code", "data", "results",
		"access_new_tokenResponse", "access_tokenResponse", "Fault", "faultcode", "faultstring",
	)
	var keys []string
	for _, name := range known {
		if names[name] && !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
	return keys
}
