// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// fault is an error in the body of a response.
type fault struct {
	// kind is set where the error's code leaves no doubt; elsewhere the status decides.
	kind Kind
	// status is the HTTP status that the body states or implies. It counts if the response itself has a 2xx.
	status int
	code   string
	text   string
	// named is set for an "error" field, as opposed to Django's and FirstVision's shapes.
	named bool
}

// faultFromError reads an OAuth error, or an "error" that is a sentence.
func faultFromError(text, description string) *fault {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "true") {
		text = ""
	}
	if looksLikeCode(text) {
		return &fault{kind: oauthKind(text), code: text, text: description, named: true}
	}
	return &fault{text: join(": ", text, description), named: true}
}

// looksLikeCode distinguishes a code such as "invalid_grant" or "240101" from a sentence.
func looksLikeCode(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
	})
}

// oauthKind is what an error code of OAuth 2.0 means, whatever the status is; empty for any other text.
func oauthKind(code string) Kind {
	switch strings.ToLower(strings.TrimSpace(code)) {
	case "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "access_denied",
		"unsupported_grant_type":
		return Rejected
	case "invalid_request":
		return Invalid
	case "server_error", "temporarily_unavailable":
		return Unavailable
	default:
		return ""
	}
}

// firstVisionKind is what an error code of FirstVision means; empty for codes whose status says more. 240001 is one of
// these: a record of the account that is missing on their side.
func firstVisionKind(code string) Kind {
	switch code {
	case "240101":
		return Rejected
	case "240002", "240003", "240004", "240005", "240006", "240007", "240008", "240009", "240010", "240011",
		"240501", "340001":
		return Invalid
	case "250001", "250301":
		return Unavailable
	}
	if strings.HasPrefix(code, "2415") && len(code) == len("241500") {
		return Invalid
	}
	return cmp.Or(gatewayKind(code), oauthKind(code))
}

// statusOf reads the HTTP status that a body states; 0 if it states none.
func statusOf(v any) int {
	n, found, problem := number(v)
	if problem != "" || !found || n < 100 || n > 599 {
		return 0
	}
	return int(n)
}

// newError is an error of this response, without its kind.
func (a *response) newError(op string) *Error {
	e := &Error{Op: op, Status: a.status}
	e.ClockSkew, e.SkewKnown = a.skew()
	return e
}

// failure returns the error that a response is which has not succeeded.
func (a *response) failure(op string, r *grant, s *scrubber) *Error {
	e := a.newError(op)
	e.Kind, e.Cause = a.classify(op, r)
	if e.Kind == Throttled {
		e.RetryAfter = a.retryAfter()
	}
	switch {
	case e.Kind == Malformed:
		e.Detail = a.describe(op, r, s)
	case r.fault != nil:
		e.Code, e.Detail = r.fault.words(s)
	default:
		// The status has said enough, but who has sent the body is worth knowing: it may have been a gateway.
		e.Detail = join(": ", a.problemWith(op, r), a.facts(r, s))
	}
	return e
}

// malformed is the error of a response that looked like a success and is none.
func (a *response) malformed(op string, r *grant, s *scrubber, problem problemText) *Error {
	r.problem = problem
	e := a.newError(op)
	e.Kind, e.Detail = Malformed, a.describe(op, r, s)
	if r.token != "" {
		e.Cause = CauseToken
	}
	if problem == problemLife {
		sum := sha256.Sum256([]byte(r.token))
		e.TokenID = hex.EncodeToString(sum[:8])
	}
	return e
}

// classify sorts a failure by the little that is known if the body has no error: JSON at 206 is how Masters India refuses
// credentials, whatever it says, and an object at 400, 403 or 422 says that the request is at fault.
func (a *response) classify(op string, r *grant) (Kind, Cause) {
	if a.status == http.StatusPartialContent && r.isJSON && (r.token == "" || r.fault != nil) {
		return Rejected, ""
	}
	kind, cause := a.classifyFault(op, r.fault)
	if r.fault == nil && kind == Malformed && r.isObject && slices.Contains([]int{400, 403, 422}, a.status) {
		return Invalid, ""
	}
	return kind, cause
}

// classifyFault sorts a failure. The order matters: a status that leaves no doubt comes first, then the error's own
// code, then the body's shape and the status together.
func (a *response) classifyFault(op string, f *fault) (Kind, Cause) {
	kind, cause := a.classifyStatus()
	codeKnows := f != nil && f.kind != "" && (kind == Unavailable || kind == Rejected && f.kind == Malformed)
	if kind != "" && !codeKnows {
		return kind, cause
	}
	switch {
	case f == nil:
		return Malformed, ""
	case f.kind != "":
		return f.kind, causeOf(f.kind)
	case a.ok():
		return classifyBody(f)
	case a.status == http.StatusForbidden:
		return Rejected, ""
	case op == opRefresh && a.status == http.StatusBadRequest && f.named:
		// "Expired Refresh token", says the vendor's page: the token is at fault and not the request.
		return Rejected, ""
	default:
		return Invalid, ""
	}
}

// classifyStatus sorts by the status alone, where that suffices whatever the body is. Only for a 5xx, and for a 401, which the
// gateway gives for replayed assertions too, may a code in the body know better.
func (a *response) classifyStatus() (Kind, Cause) {
	switch {
	case a.throttled():
		return Throttled, ""
	case a.status == http.StatusUnauthorized:
		return Rejected, ""
	case a.status == http.StatusRequestTimeout:
		return Unavailable, CauseTimeout
	case a.status >= 500:
		return Unavailable, CauseServer
	case a.status < 200, a.redirect():
		return Malformed, ""
	default:
		return "", ""
	}
}

// classifyBody sorts an error that came over a 2xx, by the status that the body states: that of HTTP is wrong. Without one it is
// what 206 means to Masters India: refused credentials.
func classifyBody(f *fault) (Kind, Cause) {
	if f.status < 400 {
		return Rejected, ""
	}
	implied := response{status: f.status}
	return implied.classifyFault(opLogin, &fault{})
}

// causeOf is the cause of a failure whose kind the upstream's own code tells.
func causeOf(kind Kind) Cause {
	switch kind {
	case Unavailable:
		return CauseServer
	case Malformed:
		return CauseToken
	default:
		return ""
	}
}

func (a *response) redirect() bool { return a.status >= 300 && a.status <= 399 }

// words returns the fault's code and text, fit to be shown. What is no code any more once the secrets are out of it goes
// to the text.
func (f *fault) words(s *scrubber) (code, text string) {
	if code = s.clean(f.code); looksLikeCode(code) {
		return code, s.clean(f.text)
	}
	return "", s.clean(join(": ", f.code, f.text))
}

// describe returns what is wrong with a response and what is safe to say about it, without its text.
func (a *response) describe(op string, r *grant, s *scrubber) string {
	return fmt.Sprintf("%s (HTTP %d, %s)", a.problemWith(op, r), a.status, a.facts(r, s))
}

// problemWith says why the response is not understood.
func (a *response) problemWith(op string, r *grant) string {
	switch {
	case a.redirect() && op == opRefresh:
		return "a redirect was not followed: set refresh_url to the final address"
	case a.redirect():
		return "a redirect was not followed: set token_url to the final address"
	case r.problem != "":
		return string(r.problem)
	case a.ok():
		return problemNoToken
	default:
		return problemNoError
	}
}

// facts are what helps to find out who has sent a response.
func (a *response) facts(r *grant, s *scrubber) string {
	length := fmt.Sprintf("%d bytes", len(a.body))
	if r.problem == problemLong {
		length = "more than 1 MiB"
	}
	keys := "no known keys"
	if known := r.knownKeys(); len(known) > 0 {
		keys = "with the keys " + strings.Join(known, ", ")
	}
	return strings.Join([]string{a.mediaType(s), length, keys}, ", ")
}

// mediaType returns the response's media type if it is one. It is the upstream's text, so the scrubber sees it as well.
func (a *response) mediaType(s *scrubber) string {
	value, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	main, _, found := strings.Cut(value, "/")
	if _, _, err := mime.ParseMediaType(value); err != nil || !found || !looksLikeCode(main) || len(value) > 100 {
		return "no media type"
	}
	return orDefault(s.clean(value), "no media type")
}
