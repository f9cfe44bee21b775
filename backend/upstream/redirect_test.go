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

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// Neither the credentials nor the refresh token go where a redirect says.
func TestLogin_FollowsNoRedirect(t *testing.T) {
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
