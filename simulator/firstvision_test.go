// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	fvPath    = "/v1/api/oauth/token"
	fvSandbox = "/sandbox" + fvPath
)

// fvErrors is how FirstVision tells errors.
type fvErrors []struct {
	Detail        string   `json:"detail"`
	ErrorCode     string   `json:"errorCode"`
	Instance      string   `json:"instance"`
	InvalidParams []string `json:"invalid-params"`
	Source        string   `json:"source"`
	Status        int      `json:"status"`
	Title         string   `json:"title"`
}

func wantFVError(t *testing.T, got response, status int, code, param string) {
	t.Helper()
	var errors fvErrors
	got.json(t, &errors)
	check.Require(t, got.status == status && len(errors) == 1, "want %d and one error, got %d %s", status, got.status, got.body)
	e := errors[0]
	check.True(t, e.ErrorCode == code && e.Status == status && e.Source == "AGT" && e.Title == http.StatusText(status),
		"want %s %d, got %+v", code, status, e)
	check.True(t, len(e.InvalidParams) == 1 && e.InvalidParams[0] == param, "want %q, got %q", param, e.InvalidParams)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func fvQuery(path, scope, grant string) string {
	query := url.Values{}
	for name, value := range map[string]string{"scope": scope, "grant_type": grant} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return path + "?" + query.Encode()
}

func TestFirstVisionForms(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	auth := basic(a.ClientID, a.ClientSecret)
	_, body, _ := loginRequest(a)
	tests := []struct {
		name, path, body, scope string
		header                  []string
	}{
		{"json", fvPath, body, "cards", []string{"Content-Type", typeJSON}},
		{"json, sandbox", fvSandbox, body, "cards", []string{"Content-Type", typeJSON + "; charset=UTF-8"}},
		{"query", fvQuery(fvPath, "accounts cards", "client_credentials"), "", "accounts cards", []string{"Authorization", auth}},
		{"query, sandbox", fvQuery(fvSandbox, "all", "client_credentials"), "", "all", []string{"Authorization", auth}},
		{"query, scope alone", fvQuery(fvPath, "all", ""), "", "all", []string{"Authorization", auth}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := b.call(http.MethodPost, test.path, test.body, test.header...)
			token := b.tokenIn(got)
			wantResponse(t, got, http.StatusOK, `{"access_token":"`+token+`","token_type":"Bearer","expires_in":7199}`)
			claims, header := b.verify(token)
			wantNames(t, claims, "scope", "client_id", "firstVisionId", "exp")
			check.True(t, header["alg"] == "RS256" && header["typ"] == nil && claims["scope"] == test.scope && claims["client_id"] == a.ClientID,
				"header %v, claims %v", header, claims)
			check.Equal(t, number(t, claims, "exp")-b.clock.Now().Unix(), 7199, "life")
		})
	}
}

func TestFirstVisionExpiry(t *testing.T) {
	t.Parallel()
	epoch := newClock().Now().Add(7199 * time.Second).Unix()
	tests := []struct {
		name   string
		change func(*simulator.Account)
		want   string
	}{
		{"relative string", func(a *simulator.Account) { a.ExpiresInAsString = true }, `,"expires_in":"7199"}`},
		{"absolute", func(a *simulator.Account) { a.AbsoluteExpiry = true }, fmt.Sprintf(`,"expires_in":%d}`, epoch)},
		{"absolute string", func(a *simulator.Account) { a.AbsoluteExpiry, a.ExpiresInAsString = true, true },
			fmt.Sprintf(`,"expires_in":"%d"}`, epoch)},
		{"none", func(a *simulator.Account) { a.OmitExpiry = true }, `"token_type":"Bearer"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := account(simulator.FirstVision, test.change)
			b := newBed(t, a)
			got := b.login(a)
			check.True(t, strings.HasSuffix(got.body, test.want), "want %s, got %s", test.want, got.body)
			claims, _ := b.verify(b.tokenIn(got))
			_, has := claims["exp"]
			check.True(t, has != a.OmitExpiry, "claims %v", claims)
		})
	}
}

func TestFirstVisionRefusals(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, func(a *simulator.Account) { a.Scope = "accounts cards" })
	b := newBed(t, a)
	auth := basic(a.ClientID, a.ClientSecret)
	jsonBody := func(set map[string]string) string {
		values := map[string]string{
			"client_id": a.ClientID, "client_secret": a.ClientSecret, "scope": "cards", "grant_type": "client_credentials",
		}
		maps.Copy(values, set)
		maps.DeleteFunc(values, func(_, value string) bool { return value == "" })
		return toJSON(values)
	}
	const wrong = "Invalid client credentials, scope or grant_type"
	asJSON := []string{"Content-Type", typeJSON}
	tests := []struct {
		name, path, body string
		header           []string
		status           int
		code, param      string
	}{
		{"wrong secret", fvPath, jsonBody(map[string]string{"client_secret": "x"}), asJSON, 401, "240101", wrong},
		{"unknown client", fvPath, jsonBody(map[string]string{"client_id": "x"}), asJSON, 401, "240101", wrong},
		{"scope not allowed", fvPath, jsonBody(map[string]string{"scope": "cards loans"}), asJSON, 401, "240101", wrong},
		{"grant type", fvPath, jsonBody(map[string]string{"grant_type": "password"}), asJSON, 401, "240101", wrong},
		{"blank scope", fvPath, jsonBody(map[string]string{"scope": " "}), asJSON, 401, "240101", wrong},
		{"missing", fvPath, jsonBody(map[string]string{"scope": "", "client_id": ""}), asJSON, 400, "240009",
			"Required field(s) missing: scope, client_id"},
		{"too long", fvPath, jsonBody(map[string]string{"scope": strings.Repeat("cards ", 20)}), asJSON, 400, "240010",
			"Constraint(s) Violated"},
		{"not JSON", fvPath, "{", asJSON, 400, "240007", "Message not readable"},
		{"list", fvPath, "[]", asJSON, 400, "240005", "Payload is not valid"},
		{"form", fvPath, "a=b", []string{"Content-Type", typeForm}, 415, "241503",
			"Allowed content type for this client is application/json"},
		{"no type", fvPath, "{}", nil, 415, "241502", "Content type is not provided"},
		{"nothing", fvPath, "", nil, 400, "240006", "Payload is empty"},
		{"no basic", fvQuery(fvPath, "cards", ""), "", nil, 400, "240002", "Authorization header is missing in request"},
		{"bearer", fvQuery(fvPath, "cards", ""), "", []string{"Authorization", "Bearer x"}, 401, "240101", wrong},
		{"basic, wrong secret", fvQuery(fvPath, "cards", ""), "", []string{"Authorization", basic(a.ClientID, "x")},
			401, "240101", wrong},
		{"basic, no scope", fvPath, "", []string{"Authorization", auth}, 400, "240009", "Required field(s) missing: scope"},
		{"basic, grant type", fvQuery(fvPath, "cards", "password"), "", []string{"Authorization", auth}, 401, "240101", wrong},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantFVError(t, b.call(http.MethodPost, test.path, test.body, test.header...), test.status, test.code, test.param)
		})
	}
	wantFVError(t, b.call(http.MethodGet, fvPath, ""), 405, "240501", "Method Not Allowed")
}

func TestFirstVisionBusiness(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	token := b.token(a)
	for _, base := range []string{"", "/sandbox"} {
		got := b.call(http.MethodGet, base+"/v1/cards/42/details", "", "Authorization", "Bearer "+token)
		check.True(t, got.status == http.StatusOK && got.member(t, "paymentInstrumentId") == "42", "got %d %s", got.status, got.body)
	}
	tests := []struct {
		name, header string
		status       int
		code, param  string
	}{
		{"no header", "", 400, "240002", "Authorization header is missing in request"},
		{"no token", "Bearer", 400, "240003", "Bearer token is missing in request"},
		{"JWT prefix", "JWT " + token, 400, "240003", "Bearer token is missing in request"},
		{"invented", "Bearer x", 400, "240004", "Bearer token is invalid"},
	}
	for _, test := range tests {
		got := b.call(http.MethodGet, "/v1/cards/42/details", "", "Authorization", test.header)
		wantFVError(t, got, test.status, test.code, test.param)
	}
	wantFVError(t, b.call(http.MethodPost, "/v1/cards/42/details", ""), 405, "240501", "Method Not Allowed")
	for _, path := range []string{"/v1/cards//details", "/v1/cards/4/2/details", "/v1/cards/42"} {
		check.Equal(t, b.call(http.MethodGet, path, "").status, http.StatusNotFound, "the status of %s", path)
	}
}
