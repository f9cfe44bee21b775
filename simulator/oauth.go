// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const pathOAuth = "/oauth/access_token"

// OAuth is Masters India's OAuth 2.0 password grant.
const OAuth Protocol = "oauth"

func oauthVendor() vendor {
	return vendor{
		protocol: OAuth,
		demo: Account{
			Protocol: OAuth, Username: "demo-oauth@simulator.example", Password: "demo-oauth-password",
			ClientID: "demo-oauth-client", ClientSecret: "demo-oauth-client-secret",
		},
		tokenTTL: time.Hour, // page Vanila: 3600
		logins:   []Login{{Config: "verify", Role: "kyc", Preset: "oauth-verification", Path: pathOAuth}},
		endpoints: []endpoint{
			{false, "POST " + pathOAuth, "oauth: username, password, client_id, client_secret, grant_type (JSON or form)"},
			{true, "GET  " + pathSearchGSTIN + "?gstin=...", "oauth: Authorization: Bearer <token>, and the header client_id"},
			{true, "POST " + pathOAuthEinvoice, "oauth: the token in the body field access_token"},
		},
		routes: func(s *Simulator) map[string]opener {
			return map[string]opener{
				pathOAuth: s.openOAuthLogin, pathSearchGSTIN: s.openSearchGSTIN, pathOAuthEinvoice: s.openOAuthEinvoice,
			}
		},
		call: "GET " + pathSearchGSTIN,
		business: func(ctx context.Context, base, token, clientID string) (*http.Request, error) {
			return newBusinessRequest(ctx, http.MethodGet, base+pathSearchGSTIN+"?gstin="+inventedGSTIN, "",
				map[string]string{"Authorization": "Bearer " + token, "client_id": clientID})
		},
		accepted: func(body []byte) bool {
			var response struct{ Error bool }
			return json.Unmarshal(body, &response) == nil && !response.Error
		},
	}
}

// oauthError is an error of RFC 6749. Page Vanila shows invalid_client only, without its status. The rest is inferred from
// bshaffer/oauth2-server-php, whose very words the page's error has.
type oauthError struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// oauthToken is the response of page Vanila, in its order.
type oauthToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   any    `json:"expires_in,omitempty"`
	TokenType   string `json:"token_type"`
}

// openOAuthLogin reads a password grant. The page has JSON; clients send forms as well.
func (s *Simulator) openOAuthLogin(ex *exchange) attempt {
	if ex.r.Method != http.MethodPost {
		return other(func() {
			ex.w.Header().Set("Allow", http.MethodPost)
			ex.oauthRefused(oauthError{http.StatusMethodNotAllowed, "invalid_request",
				"The request method must be POST when requesting an access token"})
		})
	}
	// A body that cannot be read is to PHP a body without fields.
	f, _ := readFields(ex.r.Header.Get("Content-Type"), ex.body)
	asked, _ := s.account(OAuth, f.values["username"])
	ex.wrapped = asked.BusinessEnvelope
	return attempt{
		kind: kindLogin, protocol: OAuth, account: f.values["username"],
		refuse: func() { ex.oauthRefused(oauthWrongPassword()) },
		respond: func() bool {
			a, problem := s.oauthAccount(OAuth, f.values)
			if problem != nil {
				ex.oauthRefused(*problem)
				return false
			}
			token, issued, expires := s.issueOpaque(a)
			ex.noStore()
			ex.json(http.StatusOK, oauthToken{token, a.expiresIn(issued, expires), "bearer"})
			return true
		},
	}
}

func (ex *exchange) noStore() {
	ex.w.Header().Set("Cache-Control", "no-store")
	ex.w.Header().Set("Pragma", "no-cache")
}

func (ex *exchange) oauthRefused(e oauthError) {
	ex.noStore()
	ex.json(e.Status, e)
}

func oauthWrongPassword() oauthError {
	return oauthError{http.StatusUnauthorized, "invalid_grant", "Invalid username and password combination"}
}

// oauthAccount checks a password grant, in the order in which that server does. SOAP logins go through it too: their error
// code is the same.
func (s *Simulator) oauthAccount(p Protocol, values map[string]string) (Account, *oauthError) {
	bad := func(code, description string) (Account, *oauthError) {
		return Account{}, &oauthError{http.StatusBadRequest, code, description}
	}
	switch {
	case values["grant_type"] == "":
		return bad("invalid_request", "The grant type was not specified in the request")
	case values["grant_type"] != "password":
		return bad("unsupported_grant_type", fmt.Sprintf("Grant type %q not supported", values["grant_type"]))
	case values["client_id"] == "":
		return bad("invalid_client", "Client credentials were not found in the headers or body")
	case !s.clientExists(p, values["client_id"], values["client_secret"]):
		return bad("invalid_client", "The client credentials are invalid")
	case values["username"] == "" || values["password"] == "":
		return bad("invalid_request", `Missing parameters: "username" and "password" required`)
	}
	a, ok := s.account(p, values["username"])
	if !ok || a.Password != values["password"] || a.ClientID != values["client_id"] {
		problem := oauthWrongPassword()
		return Account{}, &problem
	}
	return a, nil
}

func (s *Simulator) clientExists(p Protocol, id, secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Protocol == p && a.ClientID == id && a.ClientSecret == secret {
			return true
		}
	}
	return false
}

// issueOpaque makes a token of 40 hex digits, as in the samples of page Vanila and page SOAP, or gives one again: see SameToken.
func (s *Simulator) issueOpaque(a Account) (token string, issued, expires time.Time) {
	issued, expires = s.life(a.TokenTTL)
	if token = s.again(a, expires); token != "" {
		return token, issued, expires
	}
	token = randomHex(20)
	s.recordLogin(a, map[string]grant{token: {owner: a.key(), client: a.ClientID, expires: expires}})
	return token, issued, expires
}
