// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"maps"
	"net/http"
	"regexp"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func oauthValues(a simulator.Account) map[string]string {
	return map[string]string{
		"username": a.Username, "password": a.Password, "client_id": a.ClientID, "client_secret": a.ClientSecret,
		"grant_type": "password",
	}
}

func TestOAuthLogin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*simulator.Account)
		want   string // after the token
	}{
		{"as documented", nil, `","expires_in":3600,"token_type":"bearer"}`},
		{"string", func(a *simulator.Account) { a.ExpiresInAsString = true }, `","expires_in":"3600","token_type":"bearer"}`},
		{"no expiry", func(a *simulator.Account) { a.OmitExpiry = true }, `","token_type":"bearer"}`},
	}
	for _, test := range tests {
		for _, contentType := range []string{typeJSON, typeForm} {
			t.Run(test.name+" "+contentType, func(t *testing.T) {
				t.Parallel()
				a := account(simulator.OAuth, test.change)
				b := newBed(t, a)
				body := toJSON(oauthValues(a))
				if contentType == typeForm {
					body = toForm(oauthValues(a))
				}
				got := b.call(http.MethodPost, "/oauth/access_token", body, "Content-Type", contentType)
				token := b.tokenIn(got)
				check.True(t, regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(token) && b.TokenAlive(token), "token %q", token)
				wantResponse(t, got, http.StatusOK, `{"access_token":"`+token+test.want)
				check.Equal(t, got.header.Get("Cache-Control"), "no-store", "the header in %v", got.header)
			})
		}
	}
}

func TestOAuthRefusals(t *testing.T) {
	t.Parallel()
	other := simulator.Account{
		Protocol: simulator.OAuth, Username: "other", Password: "other-password",
		ClientID: "other-client", ClientSecret: "other-secret",
	}
	b := newBed(t, other)
	wrongClient := `{"error":"invalid_client","error_description":"The client credentials are invalid"}` // page Vanila
	wrongUser := `{"error":"invalid_grant","error_description":"Invalid username and password combination"}`
	tests := []struct {
		name   string
		set    map[string]string
		status int
		want   string
	}{
		{"wrong secret", map[string]string{"client_secret": "x"}, 400, wrongClient},
		{"unknown client", map[string]string{"client_id": "x"}, 400, wrongClient},
		{"no client", map[string]string{"client_id": ""}, 400,
			`{"error":"invalid_client","error_description":"Client credentials were not found in the headers or body"}`},
		{"wrong password", map[string]string{"password": "x"}, 401, wrongUser},
		{"unknown user", map[string]string{"username": "x"}, 401, wrongUser},
		{"another's client", map[string]string{"client_id": "other-client", "client_secret": "other-secret"}, 401, wrongUser},
		{"no password", map[string]string{"password": ""}, 400,
			`{"error":"invalid_request","error_description":"Missing parameters: \"username\" and \"password\" required"}`},
		{"no grant type", map[string]string{"grant_type": ""}, 400,
			`{"error":"invalid_request","error_description":"The grant type was not specified in the request"}`},
		{"other grant type", map[string]string{"grant_type": "client_credentials"}, 400,
			`{"error":"unsupported_grant_type","error_description":"Grant type \"client_credentials\" not supported"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			values := oauthValues(account(simulator.OAuth, nil))
			maps.Copy(values, test.set)
			got := b.call(http.MethodPost, "/oauth/access_token", toJSON(values), "Content-Type", typeJSON)
			wantResponse(t, got, test.status, test.want)
		})
	}
	wantResponse(t, b.call(http.MethodGet, "/oauth/access_token", ""), 405,
		`{"error":"invalid_request","error_description":"The request method must be POST when requesting an access token"}`)
	wantResponse(t, b.call(http.MethodPost, "/oauth/access_token", "{", "Content-Type", typeJSON), 400,
		`{"error":"invalid_request","error_description":"The grant type was not specified in the request"}`)
}

func TestOAuthBusiness(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.OAuth, nil)
	token := b.token(a)
	invalid := `{"error":"invalid_token","error_description":"The access token provided is invalid"}`
	search, einvoice := "/commonapis/searchgstin", "/generateEinvoice"
	body := func(token string) string { return toJSON(map[string]string{"access_token": token, "user_gstin": "g"}) }
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     string // "" means: accepted, see below
	}{
		{"search", "GET", search + "?gstin=g", "", []string{"Authorization", "Bearer " + token, "client_id", a.ClientID}, 200,
			`{"data":{"gstin":"g","lgnm":"SIMULATED TAXPAYER","sts":"Active"},"error":false,"message":""}`},
		{"search for nothing", "GET", search, "", []string{"Authorization", "Bearer " + token, "client_id", a.ClientID}, 200,
			`{"data":{"error":{"error_cd":"SWEB_9000","message":"gstin is missing"}},"error":true,"message":""}`},
		{"no client_id", "GET", search + "?gstin=g", "", []string{"Authorization", "Bearer " + token}, 400,
			`{"error":"invalid_client","error_description":"The client credentials are invalid"}`},
		{"JWT prefix", "GET", search + "?gstin=g", "", []string{"Authorization", "JWT " + token, "client_id", a.ClientID},
			401, invalid},
		{"no token", "GET", search + "?gstin=g", "", nil, 401, invalid},
		{"POST", "POST", search, "", nil, 405, `{"error":"invalid_request","error_description":"The request method must be GET"}`},
		{"body token", "POST", einvoice, body(token), []string{"Content-Type", typeJSON}, 200, ""},
		{"wrong body token", "POST", einvoice, body("x"), []string{"Content-Type", typeJSON}, 401, invalid},
		{"GET", "GET", einvoice, "", nil, 405, `{"error":"invalid_request","error_description":"The request method must be POST"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := b.call(test.method, test.path, test.body, test.header...)
			if test.want != "" {
				wantResponse(t, got, test.status, test.want)
				return
			}
			var envelope map[string]map[string]any
			got.json(t, &envelope)
			check.True(t, got.status == test.status && envelope["results"]["status"] == "Success", "got %d %s", got.status, got.body)
		})
	}
}
