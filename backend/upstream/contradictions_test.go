// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// The tests of this file are the thirteen points where the vendors' pages, and what is seen in practice, contradict each
// other: section C of the notes on the upstream APIs, one test a point.

func TestContradiction01_206And200WithError(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 206} {
		failing{upstream.JWT, status, `{"error":"Unable to login with provided credential"}`, "rejected", "",
			"Unable to login with provided credential"}.check(t)
		token, err := refresh(t, always(status, "application/json", `{"error":"Passing Incorrect/Invalid token"}`))
		mustBe(t, mustFail(t, token, err), "rejected")
	}
	failing{upstream.JWT, 200, `{"message":"x"}`, "malformed", "", "no token"}.check(t)
	for _, status := range []int{200, 201} {
		token, err := login(t, upstream.JWT, always(status, "application/json", `{"token":"`+testOpaqueToken+`"}`))
		if err != nil || token.AccessToken != testOpaqueToken {
			t.Errorf("HTTP %d with a token: %v", status, err)
		}
	}
}

func TestContradiction02_RefreshTokenKey(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		`{"token":"TOKEN","refresh_token":"refresh-it"}`: "refresh-it",
		`{"token":"TOKEN","refresh token":"refresh-it"}`: "refresh-it",
		`{"token":"TOKEN"}`: "",
	}
	for body, want := range bodies {
		body = strings.Replace(body, "TOKEN", testOpaqueToken, 1)
		token, err := login(t, upstream.JWT, always(200, "application/json", body))
		if err != nil || token.RefreshToken != want {
			t.Errorf("%s: got %v", body, err)
		}
	}
	s := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`"}`))
	if _, err := newClient(t, accountFor(upstream.JWT, s.URL)).Refresh(context.Background(), "refresh-it"); err != nil {
		t.Fatal(err)
	}
	if body := s.only(t).body; body != `{"token":"refresh-it"}` {
		t.Errorf("the refresh token went out as %s", body)
	}
}

func TestContradiction03_AccessTokenKey(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"token":"TOKEN"}`, `{"access_token":"TOKEN"}`,
		`{"data":{"token":"TOKEN"}}`, `{"data":{"access_token":"TOKEN"}}`,
		`{"results":{"token":"TOKEN"}}`, `{"results":{"access_token":"TOKEN"}}`,
	}
	for _, p := range []upstream.Protocol{upstream.JWT, upstream.OAuth, upstream.FirstVision} {
		for _, body := range bodies {
			token, err := login(t, p, always(200, "application/json", strings.Replace(body, "TOKEN", testOpaqueToken, 1)))
			if err != nil || token.AccessToken != testOpaqueToken {
				t.Errorf("%s: %s: %v", p, body, err)
			}
		}
	}
}

func TestContradiction04_Expiry(t *testing.T) {
	t.Parallel()
	now := noon().Unix()
	bodies := map[string]time.Duration{
		`{"token":"TOKEN","expires_in":7199}`:                                                         7199 * time.Second,
		`{"token":"TOKEN","expires_in":"7199"}`:                                                       7199 * time.Second,
		fmt.Sprintf(`{"token":"TOKEN","expires_in":%d}`, now+7199):                                    7199 * time.Second,
		fmt.Sprintf(`{"token":"TOKEN","expires_in":"%d"}`, now+7199):                                  7199 * time.Second,
		fmt.Sprintf(`{"token":"TOKEN","expires_in":%d}`, (now+7199)*1000):                             7199 * time.Second,
		fmt.Sprintf(`{"token":%q}`, makeJWT(claims{"exp": now + 7199})):                               7199 * time.Second,
		fmt.Sprintf(`{"token":%q,"expires_in":%d}`, makeJWT(claims{"exp": now + 7199}), now+9000):     7199 * time.Second,
		fmt.Sprintf(`{"token":%q,"expires_in":7199}`, makeJWT(claims{"exp": now + 9000, "iat": now})): 7199 * time.Second,
		`{"token":"TOKEN"}`: 24 * time.Hour,
	}
	for body, want := range bodies {
		body = strings.Replace(body, "TOKEN", testOpaqueToken, 1)
		token, err := login(t, upstream.JWT, always(200, "application/json", body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if life := token.ExpiresAt.Sub(token.IssuedAt); life != want {
			t.Errorf("%s: lives for %s, want %s", body, life, want)
		}
	}
	for _, dead := range []string{"0", "-1", `"0"`, fmt.Sprint(now - 1), fmt.Sprint((now - 1) * 1000)} {
		failing{upstream.OAuth, 200, `{"access_token":"` + testOpaqueToken + `","expires_in":` + dead + `}`, "malformed", "",
			"already expired"}.check(t)
	}
}

func TestContradiction05_JSONOrForm(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		always(200, "application/json", `{"token":"`+testOpaqueToken+`"}`)(w, r)
	})
	a := accountFor(upstream.JWT, s.URL)
	spec, _ := upstream.SpecOf(a.Protocol)
	for _, format := range spec.Formats {
		a.Format = format
		if _, err := newClient(t, a).Login(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for i, format := range spec.Formats {
		if got := fieldsOf(t, s.requests[i]); got["username"] != testUser || got["password"] != testPassword {
			t.Errorf("as %s: sent %v", format, got)
		}
	}
}

func TestContradiction06_URLAndRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`"}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, always(status, "text/html", "", "Location: "+elsewhere.URL+"/api/v1/token-auth/"))
		token, err := newClient(t, accountFor(upstream.JWT, s.URL+"/api/v1/token-auth?a=b")).Login(context.Background())
		e := mustFail(t, token, err)
		mustBe(t, e, "malformed")
		mustSay(t, e.Detail, "a redirect was not followed: set token_url to the final address", fmt.Sprintf("HTTP %d", status))
		if r := s.only(t); r.RequestURI != "/api/v1/token-auth?a=b" {
			t.Errorf("asked for %s", r.RequestURI)
		}
	}
	if elsewhere.asked() != 0 {
		t.Errorf("the credentials went to where the redirect says, %d times", elsewhere.asked())
	}
}

// The header scheme is up to the caller: token_type says bearer where JWT is wanted. All that
// counts here is that no token_type, nor its absence, is in the way of a login.
func TestContradiction07_TokenTypeIgnored(t *testing.T) {
	t.Parallel()
	for _, tokenType := range []string{`"bearer"`, `"Bearer"`, `"BearerToken"`, `"JWT"`, `null`, `7`} {
		body := fmt.Sprintf(`{"access_token":%q,"expires_in":3600,"token_type":%s}`, testOpaqueToken, tokenType)
		token, err := login(t, upstream.OAuth, always(200, "application/json", body))
		if err != nil || token.AccessToken != testOpaqueToken {
			t.Errorf("token_type %s: %v", tokenType, err)
		}
	}
}

func TestContradiction08_SOAPElementNames(t *testing.T) {
	t.Parallel()
	for _, element := range []string{"access_new_tokenResponse", "access_tokenResponse"} {
		body := soapResponse(element, "<access_token>"+testOpaqueToken+"</access_token><expires_in>14400</expires_in>"+
			"<token_type>bearer</token_type><error_description/>")
		token, err := login(t, upstream.SOAP, always(200, "text/xml", body))
		if err != nil || token.ExpiresAt.Sub(token.IssuedAt) != 4*time.Hour {
			t.Errorf("%s: %v", element, err)
		}
		failing{upstream.SOAP, 200, soapResponse(element, " invalid_grant "), "rejected", "invalid_grant", ""}.check(t)
		failing{upstream.SOAP, 200, soapResponse(element, "<error>invalid_grant</error>"), "rejected", "invalid_grant", ""}.check(t)
		described := soapResponse(element, "<error_description>no</error_description>")
		failing{upstream.SOAP, 200, described, "rejected", "", "no"}.check(t)
	}
	for _, status := range []int{200, 500} {
		failing{upstream.SOAP, status, soapFault("SOAP-ENV:Client", "no"), "invalid", "Client", "no"}.check(t)
	}
}

func TestContradiction09_ErrorShapes(t *testing.T) {
	t.Parallel()
	shapes := []failing{
		{upstream.JWT, 206, `{"error":"no way"}`, "rejected", "", "no way"},
		{upstream.OAuth, 400, `{"error":"invalid_grant","error_description":"no way"}`, "rejected", "invalid_grant", "no way"},
		{upstream.JWT, 400, `{"username":["no way"]}`, "invalid", "", "username: no way"},
		{upstream.JWT, 400, `{"detail":"no way"}`, "invalid", "", "no way"},
		{upstream.FirstVision, 401, firstVisionErrors("240101", 401, "no way"), "rejected", "240101", "Unauthorized: no way"},
		{upstream.FirstVision, 401, `{"errorCode":"240101","errorMessage":"no way"}`, "rejected", "240101", "no way"},
		{upstream.SOAP, 200, soapResponse("access_tokenResponse", "no way"), "rejected", "", "no way"},
		{upstream.JWT, 504, "<html>no way</html>", "unavailable/server", "",
			"the response is not JSON: application/json, 19 bytes, no known keys"},
		{upstream.JWT, 206, `{"error":"` + strings.Repeat("ä", 5000) + `"}`, "rejected", "", strings.Repeat("ä", 200)},
	}
	for _, shape := range shapes {
		shape.check(t)
	}
}

func TestContradiction10_RefreshGivesPair(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`","refresh_token":"refresh-it"}`))
	c := newClient(t, accountFor(upstream.JWT, s.URL+"/login"))
	for range 3 {
		if _, err := c.Login(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range s.requests {
		if r.RequestURI != "/login" {
			t.Errorf("a login asked for %s", r.RequestURI)
		}
	}
	token, err := c.Refresh(context.Background(), "refresh-it")
	if err != nil || token.AccessToken == "" || token.RefreshToken == "" {
		t.Errorf("the new pair was not read: %v", err)
	}
}

func TestContradiction11_401NotRetried(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"detail":"Signature has expired."}`, `"401 Invalid Product"`, "Invalid Product", "", "<html>", `{"token":"no way"}`,
		firstVisionErrors("240101", 401, "The token is expired"),
	}
	for _, body := range bodies {
		// login makes sure that the server was asked once and no more.
		token, err := login(t, upstream.JWT, always(401, "application/json", body))
		mustBe(t, mustFail(t, token, err), "rejected")
	}
}

func TestContradiction12_TypesDrift(t *testing.T) {
	t.Parallel()
	for _, none := range []string{
		`"false"`, `false`, `null`, `""`, `[]`, `{}`, `0`, `"0"`, `"0.0"`, `"None"`, `"null"`, `[""]`, `"[]"`, `{"code":0,"message":""}`,
		`[{"code":"0"}]`,
	} {
		body := fmt.Sprintf(`{"error":%s,"code":"200","data":{"token":%q,"expires_in":"1799","error":%s}}`,
			none, testOpaqueToken, none)
		token, err := login(t, upstream.JWT, always(200, "application/json", body))
		if err != nil {
			t.Errorf("error %s: %v", none, err)
			continue
		}
		if life := token.ExpiresAt.Sub(token.IssuedAt); life != 1799*time.Second {
			t.Errorf("error %s: lives for %s", none, life)
		}
	}
	for some, kind := range map[string]string{
		`1`: "rejected", `["x"]`: "rejected", `{"a":1}`: "rejected", `"true"`: "unavailable/server", `true`: "unavailable/server",
	} {
		token, err := login(t, upstream.JWT, always(200, "application/json", `{"error":`+some+`}`))
		mustBe(t, mustFail(t, token, err), kind)
	}
	for _, untold := range []string{`null`, `""`, `[]`} {
		body := fmt.Sprintf(`{"access_token":%q,"expires_in":%s}`, testOpaqueToken, untold)
		token, err := login(t, upstream.OAuth, always(200, "application/json", body))
		if err != nil || token.ExpiresAt.Sub(token.IssuedAt) != time.Hour {
			t.Errorf("expires_in %s: %v", untold, err)
		}
	}
}

func TestContradiction13_ShapeNotText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"missing field", "This field is required.", "champ obligatoire", "आवश्यक"} {
		failing{upstream.JWT, 400, `{"username":["` + text + `"]}`, "invalid", "", "username: " + text}.check(t)
	}
	for _, text := range []string{"Unable to login with provided credential", "… with provided credentials.", "nein"} {
		failing{upstream.JWT, 400, `{"non_field_errors":["` + text + `"]}`, "rejected", "", text}.check(t)
	}
}

func TestContradiction06_RefreshAndBadLocation(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`"}`))
	token, err := refresh(t, always(307, "text/html", "", "Location: "+elsewhere.URL))
	e := mustFail(t, token, err)
	mustSay(t, e.Detail, "set refresh_url to the final address")
	if strings.Contains(e.Error(), elsewhere.URL) {
		t.Errorf("the address is shown: %v", e)
	}
	for _, location := range []string{"::not a url::", "", "/%zz", "//" + url.QueryEscape(testPassword)} {
		token, err := login(t, upstream.OAuth, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, `{"access_token":"`+testOpaqueToken+`"}`)
		})
		mustBe(t, mustFail(t, token, err), "malformed")
	}
	if elsewhere.asked() != 0 {
		t.Errorf("the refresh token went to where the redirect says")
	}
}
