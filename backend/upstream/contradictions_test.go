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
	"vault-plugin-secrets-mastersindia/internal/check"
)

// The tests of this file are points where the vendors' pages, and what is seen in practice, contradict each other. The points that
// are about one response are rows of TestClassify_Login, TestResponse_WithTokenSucceeds and TestLifetime_FromResponse, and those
// about one request are rows of TestRequest_FieldsInFormat and TestRequest_RefreshTokenField.

// Neither the credentials nor the refresh token go where a redirect says.
func TestContradiction06_URLAndRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`"}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, always(status, "text/html", "", "Location: "+elsewhere.URL+"/api/v1/token-auth/"))
		e := mustFail(newClient(t, accountFor(upstream.JWT, s.URL+"/api/v1/token-auth?a=b")).Login(context.Background()))(t)
		mustBe(t, e, "malformed")
		check.Contains(t, e.Detail, "a redirect was not followed: set token_url to the final address", fmt.Sprintf("HTTP %d", status))
		check.Equal(t, s.only(t).RequestURI, "/api/v1/token-auth?a=b", "the server was asked for")
	}
	e := mustFail(refresh(t, always(307, "text/html", "", "Location: "+elsewhere.URL)))(t)
	check.Contains(t, e.Detail, "set refresh_url to the final address")
	check.True(t, !strings.Contains(e.Error(), elsewhere.URL), "the address is shown: %v", e)
	for _, location := range []string{"::not a url::", "", "/%zz", "//" + url.QueryEscape(testPassword)} {
		token, err := login(t, upstream.OAuth, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, `{"access_token":"`+testOpaqueToken+`"}`)
		})
		mustBe(t, mustFail(token, err)(t), "malformed")
	}
	check.Equal(t, elsewhere.asked(), 0, "the credentials went to where the redirect says, N times")
}

// The header scheme is up to the caller: no token_type, nor its absence, is in the way of a login.
func TestContradiction07_TokenTypeIgnored(t *testing.T) {
	t.Parallel()
	for _, tokenType := range []string{`"bearer"`, `"Bearer"`, `"BearerToken"`, `"JWT"`, `null`, `7`} {
		body := fmt.Sprintf(`{"access_token":%q,"expires_in":3600,"token_type":%s}`, testOpaqueToken, tokenType)
		token, err := login(t, upstream.OAuth, always(200, "application/json", body))
		check.True(t, err == nil && token.AccessToken == testOpaqueToken, "token_type %s: %v", tokenType, err)
	}
}

func TestContradiction12_TypesDrift(t *testing.T) {
	t.Parallel()
	for _, none := range []string{
		`"false"`, `false`, `null`, `""`, `" "`, `[]`, `{}`, `0`, `"0"`, `"0.0"`, `"None"`, `"null"`, `[""]`, `"[]"`, `{"code":0,"message":""}`,
		`[{"code":"0"}]`,
	} {
		body := fmt.Sprintf(`{"error":%s,"code":"200","data":{"token":%q,"expires_in":"1799","error":%s}}`, none, testOpaqueToken, none)
		token, err := login(t, upstream.JWT, always(200, "application/json", body))
		check.Require(t, err == nil, "error %s: %v", none, err)
		check.Equal(t, token.ExpiresAt.Sub(token.IssuedAt), 1799*time.Second, "error %s: lives for", none)
	}
	for some, kind := range map[string]string{
		`1`: "rejected", `["x"]`: "rejected", `{"a":1}`: "rejected", `"true"`: "unavailable/server", `true`: "unavailable/server",
	} {
		mustBe(t, mustFail(login(t, upstream.JWT, always(200, "application/json", `{"error":`+some+`}`)))(t), kind)
	}
}
