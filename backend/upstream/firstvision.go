// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// FirstVision is Fiserv FirstVision's client credentials grant.
const FirstVision Protocol = "firstvision"

// firstVisionProtocol is Fiserv FirstVision's client credentials grant. How the client proves who it is depends on where:
//
//   - JSON: all fields in a JSON body (APAC sandbox, get-access-token.md since November 2022)
//   - Query: HTTP Basic, grant and scope in the query, an empty body (the same page before that)
//   - Form: HTTP Basic, grant and scope in a form (LATAM, accessToken.md)
//   - Assertion: a form with a signed assertion in place of the secret: RFC 7523, client_secret_jwt. EMEA and APAC accept
//     nothing else outside of the APAC sandbox (firstvision-emea, Registration-and-Token.md)
type firstVisionProtocol struct{}

const (
	grantClientCredentials = "client_credentials"
	assertionTypeJWT       = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

	// codeReplay and codeOutdated are the gateway's errors for an assertion that it has seen before, and whose exp it does not take.
	codeReplay      = "API-Sec-006"
	codeOutdated    = "API-Sec-013"
	problemReplay   = "the upstream reports that the assertion was used before (" + codeReplay + ")"
	problemOutdated = "the upstream reports that the assertion has an invalid expiry (" + codeOutdated + ")"
)

func (firstVisionProtocol) name() Protocol { return FirstVision }

func (firstVisionProtocol) spec() Spec {
	return Spec{
		Protocol: FirstVision,
		Summary:  "Fiserv FirstVision client credentials",
		Formats:  []Format{JSON, Query, Form, Assertion},
		Fields: []Field{
			{Name: FieldClientID, Required: true},
			{Name: FieldClientSecret, Required: true},
			{Name: FieldScope, Required: true, Formats: []Format{JSON, Query, Assertion}},
			{Name: FieldScope, Formats: []Format{Form}},
			{Name: FieldAssertionAudience, Required: true, Formats: []Format{Assertion}},
		},
		TokenKeys:       []string{"access_token", "token"},
		RefreshKeys:     []string{"refresh_token", "refresh token"},
		LifeKey:         "expires_in",
		LifeUnit:        time.Second,
		DefaultTokenTTL: 2 * time.Hour,
		Scheme:          "Bearer",
		TokenUse:        "header Authorization: Bearer <token>",
	}
}

func (firstVisionProtocol) login(a *Account, now time.Time) *message {
	m := &message{
		url:     a.TokenURL,
		accept:  mediaJSON,
		headers: []map[string]string{a.Headers},
	}
	switch a.Format {
	case Query:
		m.finish = func(req *http.Request) { firstVisionQuery(req, a) }
	case Form:
		fields := map[string]string{"grant_type": grantClientCredentials}
		if a.Scope != "" {
			fields["scope"] = a.Scope
		}
		m.body, m.contentType = encode(Form, fields)
		m.finish = func(req *http.Request) { req.SetBasicAuth(a.ClientID, a.ClientSecret) }
	case Assertion:
		m.validFrom = now.Add(-assertionSlack)
		m.validUntil = m.validFrom.Add(assertionLife)
		assertion := signAssertion(a, m.validFrom, m.validUntil)
		m.secrets = []string{assertion, assertion[strings.LastIndexByte(assertion, '.')+1:]}
		m.body, m.contentType = encode(Form, map[string]string{
			"grant_type":            grantClientCredentials,
			"scope":                 a.Scope,
			"client_id":             a.ClientID,
			"client_assertion_type": assertionTypeJWT,
			"client_assertion":      assertion,
		})
	case JSON, Multipart: // New refuses Multipart here
		m.body, m.contentType = encode(JSON, map[string]string{
			"grant_type":    grantClientCredentials,
			"scope":         a.Scope,
			"client_id":     a.ClientID,
			"client_secret": a.ClientSecret,
		})
	}
	return m
}

func (firstVisionProtocol) read(body []byte, s Spec) *grant {
	r := readJSON(body, s)
	switch {
	case r.fault == nil:
	case r.fault.code == codeReplay:
		r.problem = problemReplay
	case r.fault.code == codeOutdated:
		r.problem = problemOutdated
	}
	return r
}

// gatewayKind is what an error code of the gateway of EMEA and APAC means (firstvision-emea, Error-codes.md); "" for other codes.
// A replayed assertion says nothing about the credentials, nor does one that is outdated: the next login makes a new one.
func gatewayKind(code string) Kind {
	switch code {
	case "API-Sec-001", "API-Sec-002", "API-Sec-004", "API-Sec-007", "API-Sec-008":
		return Rejected
	case "API-Sec-003", "API-Sec-005":
		return Invalid
	case codeReplay, codeOutdated:
		return Malformed
	case "API-Sec-009", "API-Sec-010", "API-Sec-011", "API-Sec-012":
		return Throttled
	default:
		return ""
	}
}

// firstVisionQuery adds to the URL's query, which may hold an appContext already. Spaces between scopes become %20 and not
// a plus sign: the plus is understood in form bodies only, and the vendor's server is not known to take it in a query.
func firstVisionQuery(req *http.Request, a *Account) {
	scope := strings.ReplaceAll(url.QueryEscape(a.Scope), "+", "%20")
	added := "grant_type=" + grantClientCredentials + "&scope=" + scope
	req.URL.RawQuery = join("&", req.URL.RawQuery, added)
	req.SetBasicAuth(a.ClientID, a.ClientSecret)
}
