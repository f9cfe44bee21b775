// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	gatewayPath     = "/api/fs/fv_emea/security/v1/token/jwt/generate"
	gatewayAudience = "https://cert.api.firstdata.com/api/fs/fv_emea/security/v1/token"
	latamPath       = "/cards/token"
)

// assertionOf signs claims by hand, as any client would: header and claims in base64url, and their HMAC.
func assertionOf(header string, claims map[string]any, secret string) string {
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(header)) + "." + encode([]byte(toJSON(claims)))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return input + "." + encode(mac.Sum(nil))
}

const hs256 = `{"typ":"JWT","alg":"HS256"}`

// goodClaims are those of an account, with some replaced; nil leaves one out.
func (b *bed) goodClaims(a simulator.Account, jti string, change map[string]any) map[string]any {
	now := b.clock.Now().Unix()
	claims := map[string]any{"iss": a.ClientID, "sub": a.ClientID, "aud": gatewayAudience, "iat": now, "exp": now + 299, "jti": jti}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// gateway sends a login with an assertion, with some fields of the form replaced.
func (b *bed) gateway(a simulator.Account, assertion string, change map[string]string) response {
	b.t.Helper()
	values := map[string]string{
		"grant_type": "client_credentials", "scope": "emea_firstvision", "client_id": a.ClientID, "client_assertion": assertion,
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	}
	maps.Copy(values, change)
	return b.call(http.MethodPost, gatewayPath, toForm(values), "Content-Type", typeForm)
}

func wantGatewayError(t *testing.T, got response, status int, code string) {
	t.Helper()
	check.True(t, got.status == status && got.member(t, "errorCode") == code && got.member(t, "errorMessage") != "",
		"want %d %s, got %d %s", status, code, got.status, got.body)
}

func TestGateway_TakesAnAssertion(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	got := b.gateway(a, assertionOf(hs256, b.goodClaims(a, "one", nil), a.ClientSecret), nil)
	var body struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
		Life  int    `json:"expires_in"`
	}
	if got.json(t, &body); got.status != http.StatusOK || body.Type != "Bearer" || body.Life != 3600 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	_, _, accepted := b.business(a, body.Token)
	check.True(t, accepted, "the business call refused the token")
}

func TestGateway_RefusesAReplayedAssertion(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	assertion := assertionOf(hs256, b.goodClaims(a, "one", nil), a.ClientSecret)
	if got := b.gateway(a, assertion, nil); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	wantGatewayError(t, b.gateway(a, assertion, nil), http.StatusForbidden, "API-Sec-006")
	again := assertionOf(hs256, b.goodClaims(a, "one", map[string]any{"iat": nil}), a.ClientSecret)
	wantGatewayError(t, b.gateway(a, again, nil), http.StatusForbidden, "API-Sec-006")
	if got := b.gateway(a, assertionOf(hs256, b.goodClaims(a, "two", nil), a.ClientSecret), nil); got.status != http.StatusOK {
		t.Errorf("an assertion with a jti of its own: got %d %s", got.status, got.body)
	}
	// A jti is remembered for as long as its assertion lives: then that is refused for its age.
	b.clock.Advance(5 * time.Minute)
	wantGatewayError(t, b.gateway(a, assertion, nil), http.StatusBadRequest, "API-Sec-013")
	if got := b.gateway(a, assertionOf(hs256, b.goodClaims(a, "one", nil), a.ClientSecret), nil); got.status != http.StatusOK {
		t.Errorf("its jti in a new assertion: got %d %s", got.status, got.body)
	}
}

func TestGateway_RefusesWhatIsNoPost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	wantGatewayError(t, b.call(http.MethodGet, gatewayPath, ""), http.StatusNotFound, "API-Sec-005")
}

// Tests refuse the credentials of an account, and shorten the life of its tokens, at every endpoint alike.
func TestGateway_FaultsAndLifeOfAnAccount(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, func(a *simulator.Account) { a.TokenTTL = time.Minute })
	b := newBed(t, a)
	latam := func() response {
		return b.call(http.MethodPost, latamPath, "grant_type=client_credentials", "Content-Type", typeForm,
			"apikey", a.ClientID, "Authorization", basic(a.ClientID, a.ClientSecret))
	}
	got := latam()
	check.True(t, got.member(t, "expires_in") == "60", "the life of a token: got %d %s", got.status, got.body)
	b.SetFault(simulator.FirstVision, simulator.Fault{Kind: simulator.FaultRefuse})
	assertion := assertionOf(hs256, b.goodClaims(a, "one", nil), a.ClientSecret)
	wantGatewayError(t, b.gateway(a, assertion, nil), http.StatusBadRequest, "API-Sec-004")
	wantGatewayError(t, latam(), http.StatusUnauthorized, "API-Sec-001")
}

func TestGateway_RefusesWhatIsNoGoodAssertion(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	t.Cleanup(func() {
		if counts := b.Counters(); counts.LoginsOK != 0 || counts.LoginsRefused == 0 {
			t.Errorf("%d logins succeeded and %d were refused", counts.LoginsOK, counts.LoginsRefused)
		}
	})
	now := b.clock.Now().Unix()
	claims := map[string]struct {
		change map[string]any
		code   string
	}{
		"aud is the URL of the login":     {map[string]any{"aud": "https://cert.api.firstdata.com" + gatewayPath}, "API-Sec-003"},
		"aud of another region":           {map[string]any{"aud": strings.Replace(gatewayAudience, "emea", "apac", 1)}, "API-Sec-003"},
		"no aud":                          {map[string]any{"aud": nil}, "API-Sec-003"},
		"two aud":                         {map[string]any{"aud": []string{gatewayAudience, "x"}}, "API-Sec-003"},
		"iss of another client":           {map[string]any{"iss": "somebody"}, "API-Sec-003"},
		"sub of another client":           {map[string]any{"sub": "somebody"}, "API-Sec-003"},
		"no jti":                          {map[string]any{"jti": nil}, "API-Sec-003"},
		"expired":                         {map[string]any{"exp": now}, "API-Sec-013"},
		"issued in the future":            {map[string]any{"iat": now + 2}, "API-Sec-013"},
		"an exp that is too far ahead":    {map[string]any{"exp": now + 302}, "API-Sec-013"},
		"no exp":                          {map[string]any{"exp": nil}, "API-Sec-004"},
		"an exp that is no number":        {map[string]any{"exp": "soon"}, "API-Sec-004"},
		"claims that are not an object's": {map[string]any{"aud": 7}, "API-Sec-004"},
	}
	n := 0
	for name, test := range claims {
		n++
		assertion := assertionOf(hs256, b.goodClaims(a, fmt.Sprint("jti-", n), test.change), a.ClientSecret)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantGatewayError(t, b.gateway(a, assertion, nil), http.StatusBadRequest, test.code)
		})
	}
	good := b.goodClaims(a, "good", nil)
	for name, assertion := range map[string]string{
		"another secret": assertionOf(hs256, good, "not-the-secret"),
		"no signature":   strings.TrimRight(assertionOf(hs256, good, a.ClientSecret), "-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
		"alg none":       assertionOf(`{"alg":"none"}`, good, a.ClientSecret),
		"alg HS512":      assertionOf(`{"alg":"HS512"}`, good, a.ClientSecret),
		"nothing":        "",
		"no JWT":         "a.b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantGatewayError(t, b.gateway(a, assertion, nil), http.StatusBadRequest, "API-Sec-004")
		})
	}
	for name, test := range map[string]struct {
		change map[string]string
		status int
		code   string
	}{
		"another client":        {map[string]string{"client_id": "somebody"}, http.StatusBadRequest, "API-Sec-002"},
		"another grant":         {map[string]string{"grant_type": "password"}, http.StatusBadRequest, "API-Sec-003"},
		"another assertion":     {map[string]string{"client_assertion_type": "saml"}, http.StatusBadRequest, "API-Sec-003"},
		"scope of another area": {map[string]string{"scope": "apac_firstvision"}, http.StatusForbidden, "API-Sec-008"},
		"scope of the sandbox":  {map[string]string{"scope": "cards"}, http.StatusForbidden, "API-Sec-008"},
	} {
		n++
		assertion := assertionOf(hs256, b.goodClaims(a, fmt.Sprint("jti-", n), nil), a.ClientSecret)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantGatewayError(t, b.gateway(a, assertion, test.change), test.status, test.code)
		})
	}
}

func TestGateway_AccountMayHaveAnotherAudience(t *testing.T) {
	t.Parallel()
	const own = "https://authorization.example/token"
	a := account(simulator.FirstVision, func(a *simulator.Account) { a.AssertionAudience = own })
	b := newBed(t, a)
	wantGatewayError(t, b.gateway(a, assertionOf(hs256, b.goodClaims(a, "1", nil), a.ClientSecret), nil), http.StatusBadRequest, "API-Sec-003")
	claims := b.goodClaims(a, "2", map[string]any{"aud": own})
	if got := b.gateway(a, assertionOf(hs256, claims, a.ClientSecret), nil); got.status != http.StatusOK {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestGateway_QuotaIsToldInTheVendorsWay(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	b.SetFault("", simulator.Fault{Kind: simulator.FaultQuota})
	got := b.gateway(a, assertionOf(hs256, b.goodClaims(a, "1", nil), a.ClientSecret), nil)
	wantGatewayError(t, got, http.StatusTooManyRequests, "API-Sec-011")
	check.Equal(t, got.header.Get("Retry-After"), "", "a quota tells when to come back")
	if got := b.login(account(simulator.JWT, nil)); got.status != http.StatusTooManyRequests {
		t.Errorf("the other vendors: got %d %s", got.status, got.body)
	}
}

func TestLATAM_TakesBasicAndAForm(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	login := func(id, secret, apikey, contentType, body string) response {
		return b.call(http.MethodPost, latamPath, body, "Content-Type", contentType, "apikey", apikey, "Authorization", basic(id, secret))
	}
	const grant = "grant_type=client_credentials"
	got := login(a.ClientID, a.ClientSecret, a.ClientID, typeForm, grant)
	if got.status != http.StatusOK || got.member(t, "expires_in") != "1799" || got.member(t, "token_type") != "BearerToken" ||
		got.member(t, "status") != "approved" || got.member(t, "issued_at") != fmt.Sprint(b.clock.Now().Unix()*1000) {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	_, _, accepted := b.business(a, got.member(t, "access_token"))
	check.True(t, accepted, "the business call refused the token")
	wantGatewayError(t, login(a.ClientID, "wrong", a.ClientID, typeForm, grant), http.StatusUnauthorized, "API-Sec-001")
	wantGatewayError(t, login(a.ClientID, a.ClientSecret, "", typeForm, grant), http.StatusUnauthorized, "API-Sec-001")
	wantGatewayError(t, login(a.ClientID, a.ClientSecret, "other", typeForm, grant), http.StatusUnauthorized, "API-Sec-001")
	wantGatewayError(t, login(a.ClientID, a.ClientSecret, a.ClientID, typeJSON, `{}`), http.StatusBadRequest, "API-Sec-003")
	wantGatewayError(t, login(a.ClientID, a.ClientSecret, a.ClientID, typeForm, ""), http.StatusBadRequest, "API-Sec-003")
}

func TestFirstVision_V2TellsTheScope(t *testing.T) {
	t.Parallel()
	a := account(simulator.FirstVision, nil)
	b := newBed(t, a)
	body := toJSON(map[string]string{
		"client_id": a.ClientID, "client_secret": a.ClientSecret, "scope": "firstvision.all", "grant_type": "client_credentials",
	})
	got := b.call(http.MethodPost, "/sandbox/v2/api/oauth/token?appContext=firstvision", body, "Content-Type", typeJSON)
	check.True(t, got.status == http.StatusOK && got.member(t, "scope") == "firstvision.all", "got %d %s", got.status, got.body)
}

// The gateway responds to any request, and issues no token for an assertion that is not signed with the secret.
func FuzzGateway(f *testing.F) {
	a := account(simulator.FirstVision, nil)
	sim := check.Value(simulator.New(simulator.Options{Accounts: []simulator.Account{a}, Now: newClock().Now}))(f)
	forged := assertionOf(hs256, map[string]any{"iss": a.ClientID, "sub": a.ClientID, "aud": gatewayAudience, "exp": 1e10, "jti": "1"}, "x")
	for _, assertion := range []string{forged, "", "a.b.c", "e30.e30.", `eyJhbGciOiJub25lIn0.e30.`, strings.Repeat(".", 100)} {
		f.Add(typeForm, "client_id="+a.ClientID+"&grant_type=client_credentials&scope=emea_firstvision&client_assertion_type="+
			"urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="+assertion)
	}
	f.Add(typeJSON, `{}`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		request := httptest.NewRequest(http.MethodPost, gatewayPath, strings.NewReader(body))
		request.Header["Content-Type"] = []string{contentType}
		recorded := httptest.NewRecorder()
		sim.ServeHTTP(recorded, request)
		if status := recorded.Code; status < 400 || status > 403 || !strings.Contains(recorded.Body.String(), `"errorCode":"API-Sec-0`) {
			t.Fatalf("got %d %s", status, recorded.Body)
		}
	})
}
