// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

const firstVisionSuccess = `{"access_token":"` + testOpaqueToken + `","expires_in":3600,"token_type":"Bearer"}`

func assertionAccount(tokenURL string) upstream.Account {
	return accountWith(upstream.FirstVision, upstream.Assertion, tokenURL)
}

func claimsOf(t *testing.T, assertion string) map[string]any {
	t.Helper()
	parts := strings.Split(assertion, ".")
	check.Require(t, len(parts) == 3, "the assertion has %d parts, want 3", len(parts))
	payload := check.Value(base64.RawURLEncoding.DecodeString(parts[1]))(t)
	var claims map[string]any
	check.NoError(t, json.Unmarshal(payload, &claims))
	return claims
}

// The assertion is computed again here by the steps of RFC 7515, section 5.1, without the library that signs it.
func TestAssertion_IsTheOneOfRFC7515(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", firstVisionSuccess))
	check.Value(newClient(t, assertionAccount(s.URL+"/api/fs/fv_emea/security/v1/token/jwt/generate")).Login(context.Background()))(t)
	r := s.only(t)
	fields := fieldsOf(t, r)
	assertion := fields["client_assertion"]
	delete(fields, "client_assertion")
	want := map[string]string{
		"grant_type": "client_credentials", "scope": "accounts cards misc", "client_id": testClientID,
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	}
	check.True(t, maps.Equal(fields, want), "sent %v, want %v and the assertion", fields, want)
	check.True(t, r.Header.Get("Authorization") == "" && !strings.Contains(r.body, url.QueryEscape(testClientSecret)), "the secret")

	jti, _ := claimsOf(t, assertion)["jti"].(string)
	issued := noon().Add(-30 * time.Second).Unix()
	header := `{"alg":"HS256","typ":"JWT"}`
	payload := fmt.Sprintf(`{"aud":%q,"exp":%d,"iat":%d,"iss":%q,"jti":%q,"sub":%q}`,
		testAudience, issued+300, issued, testClientID, jti, testClientID)
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, []byte(testClientSecret))
	mac.Write([]byte(input))
	check.Equal(t, assertion, input+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), "sent the assertion")
	check.True(t, len(jti) >= 22, "jti %q has less than 128 bits", jti)
}

func TestAssertion_IsNewForEachLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", firstVisionSuccess))
	c := newClient(t, assertionAccount(s.URL))
	seen := map[any]bool{}
	for range 50 {
		check.Value(c.Login(context.Background()))(t)
	}
	for _, r := range s.requests {
		seen[claimsOf(t, fieldsOf(t, r)["client_assertion"])["jti"]] = true
	}
	check.Equal(t, len(seen), 50, "50 logins had N different jti")
}

// strictClock responds as a gateway whose clock differs from ours, and which refuses assertions that are not valid by it.
func strictClock(t *testing.T, off time.Duration) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		now := noon().Add(off)
		w.Header().Set("Date", now.Format(http.TimeFormat))
		claims := claimsOf(t, postForm(r).Get("client_assertion"))
		issued, expires := int64(claims["iat"].(float64)), int64(claims["exp"].(float64))
		if issued > now.Unix() || expires <= now.Unix() || expires > now.Unix()+300 {
			always(400, "application/json", `{"errorCode":"API-Sec-013","errorMessage":"The JWT has an invalid expiry."}`)(w, r)
			return
		}
		always(200, "application/json", firstVisionSuccess)(w, r)
	}
}

func postForm(r *http.Request) url.Values {
	body, _ := io.ReadAll(r.Body) // it is in memory
	values, _ := url.ParseQuery(string(body))
	return values
}

func TestAssertion_FollowsTheUpstreamsClock(t *testing.T) {
	t.Parallel()
	for off, logins := range map[time.Duration]int{
		-10 * time.Minute: 2, -45 * time.Second: 2, -10 * time.Second: 1, 0: 1, 4 * time.Minute: 1, 10 * time.Minute: 2,
		-90 * 24 * time.Hour: 2, 90 * 24 * time.Hour: 2,
	} {
		parallel(t, off.String(), func(t *testing.T) {
			s := serve(t, strictClock(t, off))
			c := newClient(t, assertionAccount(s.URL))
			token := check.Value(c.Login(context.Background()))(t)
			check.RequireEqual(t, token.AccessToken, testOpaqueToken, "the token")
			check.Equal(t, s.asked(), logins, "the first login sent N requests")
			// The clock is known from then on.
			check.Value(c.Login(context.Background()))(t)
			check.Equal(t, s.asked(), logins+1, "two logins sent N requests")
		})
	}
}

// A refusal is repeated for no other reason than the clock: refused credentials sent twice may lock the account.
func TestAssertion_RefusalIsNotRepeated(t *testing.T) {
	off := "Date: " + noon().Add(time.Hour).Format(http.TimeFormat)
	refused := func(headers ...string) http.HandlerFunc {
		return always(400, "application/json", `{"errorCode":"API-Sec-004","errorMessage":"The client_assertion JWT is invalid"}`, headers...)
	}
	type testCase struct {
		handle   http.HandlerFunc
		requests int
	}
	each(t, map[string]testCase{
		"the clocks agree":                 {refused(), 1},
		"no Date":                          {refused("Date: "), 1},
		"a Date that is none":              {refused("Date: yesterday"), 1},
		"throttled by a clock that is off": {always(429, "application/json", `{"errorCode":"API-Sec-012"}`, off), 1},
		"down, with a clock that is off":   {always(500, "application/json", `{}`, off), 1},
		"refused by the right clock too":   {refused(off), 2},
	}, func(t *testing.T, test testCase) {
		s := serve(t, test.handle)
		e := mustFail(newClient(t, assertionAccount(s.URL)).Login(context.Background()))(t)
		check.True(t, test.requests == 1 || e.Kind == upstream.Rejected, "the second refusal is %s", e.Kind)
		check.Equal(t, s.asked(), test.requests, "sent N requests")
	})
}

// Both requests of a login share the one request_timeout.
func TestAssertion_SecondRequestKeepsTheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, dial := serveInMemory(t, nil, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(6 * time.Second):
				date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
				always(400, "application/json", `{"errorCode":"API-Sec-013","errorMessage":"The JWT has an invalid expiry."}`, "Date: "+date)(w, r)
			case <-r.Context().Done():
			}
		})
		a := assertionAccount(s.URL)
		began := time.Now()
		mustBe(t, mustFail(newClientOn(t, a, dial).Login(t.Context()))(t), "unavailable/timeout")
		check.Equal(t, time.Since(began), a.RequestTimeout, "the login took")
		check.Equal(t, s.asked(), 2, "sent N requests")
	})
}

func TestAssertion_IsNeverShown(t *testing.T) {
	t.Parallel()
	for writing, encode := range encodings() {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := json.Marshal(map[string]string{
				"errorCode": "API-Sec-004", "errorMessage": "not good: " + encode(postForm(r).Get("client_assertion")),
			})
			always(400, "application/json", string(body))(w, r)
		})
		e := mustFail(newClient(t, assertionAccount(s.URL)).Login(context.Background()))(t)
		assertion := fieldsOf(t, s.only(t))["client_assertion"]
		mustNotShow(t, writing, e, assertion, encode(assertion), assertion[strings.LastIndexByte(assertion, '.')+1:])
		check.True(t, e.Code == "API-Sec-004" && e.Detail == "", "%s: code %q, detail %q, want the code", writing, e.Code, e.Detail)
	}
}

func TestForm_SendsBasicAndTheGrantInAForm(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]map[string]string{
		"":      {"grant_type": "client_credentials"},
		"cards": {"grant_type": "client_credentials", "scope": "cards"},
	} {
		s := serve(t, always(200, "application/json", `{"token_type":"BearerToken","issued_at":"1772366400000",`+
			`"client_id":"`+testClientID+`","access_token":"`+testOpaqueToken+`","expires_in":"1799","status":"approved"}`))
		a := accountWith(upstream.FirstVision, upstream.Form, s.URL+"/cards/token")
		a.Scope, a.Headers = scope, map[string]string{"apikey": testClientID}
		token := check.Value(newClient(t, a).Login(context.Background()))(t)
		check.Equal(t, token.ExpiresAt.Sub(token.IssuedAt), 1799*time.Second, "the token lives for")
		r := s.only(t)
		got := fieldsOf(t, r)
		check.True(t, maps.Equal(got, want), "sent %v, want %v", got, want)
		id, secret, ok := r.BasicAuth()
		check.True(t, ok && id == testClientID && secret == testClientSecret, "HTTP Basic is %q, %q, %v", id, secret, ok)
		check.Equal(t, r.Header.Get("apikey"), testClientID, "apikey")
	}
}

// The statuses are those of firstvision-emea's Error-codes.md, which lists some codes with two.
func TestGateway_ErrorsAreToldApart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     int
		code, want string
	}{
		{401, "API-Sec-001", "rejected"}, {401, "API-Sec-002", "rejected"}, {400, "API-Sec-002", "rejected"},
		{400, "API-Sec-003", "invalid"}, {400, "API-Sec-004", "rejected"}, {404, "API-Sec-005", "invalid"},
		{403, "API-Sec-006", "malformed"}, {401, "API-Sec-006", "malformed"}, {401, "API-Sec-007", "rejected"}, {403, "API-Sec-008", "rejected"},
		{429, "API-Sec-009", "throttled"}, {429, "API-Sec-010", "throttled"}, {429, "API-Sec-011", "throttled"},
		{429, "API-Sec-012", "throttled"}, {400, "API-Sec-013", "malformed"},
	}
	for _, test := range tests {
		parallel(t, fmt.Sprintf("%s at %d", test.code, test.status), func(t *testing.T) {
			body := fmt.Sprintf(`{"errorCode":%q,"errorMessage":"what the gateway says"}`, test.code)
			s := serve(t, always(test.status, "application/json", body))
			e := mustFail(newClient(t, assertionAccount(s.URL)).Login(context.Background()))(t)
			mustBe(t, e, test.want)
			s.only(t)
			if test.code == "API-Sec-006" {
				check.Contains(t, e.Error(), "used before", "API-Sec-006")
			}
		})
	}
}
