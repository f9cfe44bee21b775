// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

const (
	loginV1 = "/api/v1/token-auth/"
	loginV2 = "/api/v2/token-auth/"
)

// ksaHeader are the headers of page KSA, for both of its calls.
func ksaHeader() []string {
	return []string{"Content-Type", typeJSON, "Productid", "einvoicing_global", "Service", "online_service"}
}

func toMultipart(t *testing.T, values map[string]string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	writer := multipart.NewWriter(&b)
	for name, value := range values {
		check.NoError(t, writer.WriteField(name, value))
	}
	check.NoError(t, writer.Close())
	return writer.FormDataContentType(), b.String()
}

func TestJWTLogin_EveryEncoding(t *testing.T) {
	t.Parallel()
	a := account(simulator.JWT, func(a *simulator.Account) { a.Password = "p&=+ ß\"%" })
	b := newBed(t, a)
	values := map[string]string{"username": a.Username, "password": a.Password, "grant_type": "ignored"}
	multi, multiBody := toMultipart(t, values)
	tests := []struct{ name, contentType, body string }{
		{"json", typeJSON, toJSON(values)},
		{"json with charset", typeJSON + "; charset=utf-8", toJSON(values)},
		{"form", typeForm, toForm(values)},
		{"multipart", multi, multiBody},
	}
	for _, test := range tests {
		for _, path := range []string{loginV1, loginV2} {
			t.Run(test.name+path, func(t *testing.T) {
				t.Parallel()
				got := b.call(http.MethodPost, path, test.body, "Content-Type", test.contentType)
				check.True(t, got.status == http.StatusOK && b.TokenAlive(b.tokenIn(got)), "got %d %s", got.status, got.body)
			})
		}
	}
}

func TestJWTv1Token(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	got := b.login(a)
	var members map[string]any
	got.json(t, &members)
	wantNames(t, members, "token") // page v1: no expires_in, no refresh token
	claims, header := b.verify(b.tokenIn(got))
	wantNames(t, claims, "user_id", "username", "exp", "email", "orig_iat")
	check.True(t, header["alg"] == "HS256" && claims["username"] == a.Username && claims["email"] == a.Username,
		"header %v, claims %v", header, claims)
	issued := number(t, claims, "orig_iat")
	check.Equal(t, issued, b.clock.Now().Unix(), "orig_iat")
	check.Equal(t, number(t, claims, "exp")-issued, 86400, "life")
}

func TestJWTv2Pair(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, refreshKey string
		header           []string
	}{
		{"plain", "refresh token", nil},
		{"KSA", "refresh_token", []string{"Productid", "einvoicing_global"}},
		{"other product", "refresh token", []string{"Productid", "enterprises"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, a := newBed(t), account(simulator.JWT, nil)
			_, body, _ := loginRequest(a)
			got := b.call(http.MethodPost, loginV2, body, append(test.header, "Content-Type", typeJSON)...)
			var members map[string]any
			got.json(t, &members)
			wantNames(t, members, "token", test.refreshKey)
			check.True(t, strings.HasPrefix(got.body, `{"token":"`), "the token does not come first: %s", got.body)
			access, _ := b.verify(got.member(t, "token"))
			refresh, _ := b.verify(got.member(t, test.refreshKey))
			wantNames(t, access, "token_type", "exp", "jti", "user_id", "username", "email", "refresh_jti")
			wantNames(t, refresh, "token_type", "exp", "jti", "user_id", "username", "email")
			check.True(t,
				access["token_type"] == "access" && refresh["token_type"] == "refresh" && access["refresh_jti"] == refresh["jti"],
				"access %v, refresh %v", access, refresh)
			check.Equal(t, number(t, refresh, "exp")-b.clock.Now().Unix(), 30*86400, "life of the refresh token, in seconds")
			check.True(t, !b.TokenAlive(got.member(t, test.refreshKey)), "a business call would take the refresh token")
		})
	}
}

func TestJWTLoginRefusals(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	wrong := `{"error":"Unable to login with provided credential"}`
	multi, multiBody := toMultipart(t, map[string]string{"username": "u", "password": "p"})
	const badMultipart = `{"detail":"Multipart form parse error - Invalid boundary in multipart: None"}`
	tests := []struct {
		name, contentType, body string
		status                  int
		want                    string
	}{
		{"wrong password", typeJSON, toJSON(map[string]string{"username": a.Username, "password": "x"}), 206, wrong},
		{"unknown user", typeJSON, `{"username":"nobody","password":"x"}`, 206, wrong},
		{"no username", typeJSON, `{"password":"x"}`, 400, `{"username":["missing field"]}`},
		{"no password", typeForm, `username=u`, 400, `{"password":["missing field"]}`},
		{"null", typeJSON, `{"username":null,"password":"x"}`, 400, `{"username":["missing field"]}`},
		{"empty object", typeJSON, `{}`, 400, `{"password":["missing field"],"username":["missing field"]}`},
		{"empty body", typeJSON, ``, 400, `{"password":["missing field"],"username":["missing field"]}`},
		{"number", typeJSON, `{"username":"u","password":1}`, 400, `{"password":["Not a valid string."]}`},
		{"list", typeJSON, `[]`, 400, `{"non_field_errors":["Invalid data. Expected a dictionary."]}`},
		{"JSON null", typeJSON, `null`, 400, `{"non_field_errors":["Invalid data. Expected a dictionary."]}`},
		{"no JSON", typeJSON, `username=u`, 400, `{"detail":"JSON parse error - Expecting value: line 1 column 1 (char 0)"}`},
		{"cut multipart", multi, multiBody[:len(multiBody)/2], 400, badMultipart},
		{"no boundary", "multipart/form-data", `x`, 400, badMultipart},
		{"bad form", typeForm, `username=u&password=%zz`, 400, `{"password":["missing field"]}`},
		{"text", "text/plain", `x`, 415, `{"detail":"Unsupported media type \"text/plain\" in request."}`},
		{"no type", "", `x`, 415, `{"detail":"Unsupported media type \"\" in request."}`},
	}
	for _, test := range tests {
		for _, path := range []string{loginV1, loginV2} {
			t.Run(test.name+path, func(t *testing.T) {
				t.Parallel()
				wantResponse(t, b.call(http.MethodPost, path, test.body, "Content-Type", test.contentType), test.status, test.want)
			})
		}
	}
}

func TestDjangoPaths(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	_, body, _ := loginRequest(a)
	for _, path := range []string{loginV1, loginV2, "/api/v2/api-token-refresh/", "/api/v1/einvoice/"} {
		got := b.call(http.MethodPost, strings.TrimSuffix(path, "/")+"?a=b", body, "Content-Type", typeJSON)
		check.True(t, got.status == http.StatusMovedPermanently && got.header.Get("Location") == path+"?a=b" && got.body == "",
			"%s without its slash: got %d %q %q", path, got.status, got.header.Get("Location"), got.body)
		got = b.call(http.MethodGet, path, "")
		wantResponse(t, got, http.StatusMethodNotAllowed, `{"detail":"Method \"GET\" not allowed."}`)
		check.Equal(t, got.header.Get("Allow"), "POST, OPTIONS", "Allow")
	}
	wantResponse(t, b.call(http.MethodPost, "/api/v3/token-auth/", body), http.StatusUnauthorized, `{"detail":"Invalid Product"}`)
	check.Equal(t, b.call(http.MethodPost, "/nowhere/", body).status, http.StatusNotFound, "the status of a path that is not there")
	got := b.call(http.MethodPost, loginV1, strings.Repeat(" ", 1<<20+1), "Content-Type", typeJSON)
	check.Equal(t, got.status, http.StatusRequestEntityTooLarge, "the status of a body that is too large")
}

func TestJWTAccountSwitches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*simulator.Account)
		check  func(t *testing.T, b *bed, a simulator.Account)
	}{
		{"tokens differ", nil, func(t *testing.T, b *bed, a simulator.Account) {
			first := b.token(a)
			check.True(t, b.token(a) != first, "two logins in one second gave one token")
		}},
		{"repeat tokens", func(a *simulator.Account) { a.RepeatTokens = true }, func(t *testing.T, b *bed, a simulator.Account) {
			first := b.token(a)
			b.KillTokens(simulator.JWT, a.Username)
			check.True(t, b.token(a) == first && b.TokenAlive(first),
				"the second login in the same second should give the same token, and it should live")
			b.clock.Advance(time.Second)
			check.True(t, b.token(a) != first, "a second later the token should be another")
			if _, header := b.verify(first); header["jti"] != nil {
				t.Errorf("header %v", header)
			}
		}},
		{"corrupt header", func(a *simulator.Account) { a.CorruptHeader = true }, func(t *testing.T, b *bed, a simulator.Account) {
			token := b.token(a)
			parts := strings.Split(token, ".")
			header, err := base64.RawURLEncoding.DecodeString(parts[0])
			check.True(t, err == nil && !json.Valid(header), "the header should be base64 of no JSON: %q %v", header, err)
			payload, err := base64.RawURLEncoding.DecodeString(parts[1])
			check.True(t, err == nil && json.Valid(payload), "the payload should be readable: %q %v", payload, err)
			_, _, ok := b.business(a, token)
			check.True(t, ok, "the token should work")
		}},
		{"omit expiry", func(a *simulator.Account) { a.OmitExpiry = true }, func(t *testing.T, b *bed, a simulator.Account) {
			token := b.token(a)
			claims, _ := b.verify(token)
			wantNames(t, claims, "user_id", "username", "email", "orig_iat")
			b.clock.Advance(24 * time.Hour)
			check.True(t, !b.TokenAlive(token), "the token should die all the same")
		}},
		{"token_ttl", func(a *simulator.Account) { a.TokenTTL = 90 * time.Second }, func(t *testing.T, b *bed, a simulator.Account) {
			claims, _ := b.verify(b.token(a))
			check.Equal(t, number(t, claims, "exp")-number(t, claims, "orig_iat"), 90, "life")
		}},
		{"born dead", func(a *simulator.Account) { a.TokenTTL = -time.Minute }, func(t *testing.T, b *bed, a simulator.Account) {
			check.True(t, !b.TokenAlive(b.token(a)), "the token lives")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := account(simulator.JWT, test.change)
			test.check(t, newBed(t, a), a)
		})
	}
}

const refreshPath = "/api/v2/api-token-refresh/"

// ksaLogin gives a pair.
func (b *bed) ksaLogin(a simulator.Account) (access, refresh string) {
	b.t.Helper()
	_, body, _ := loginRequest(a)
	got := b.call(http.MethodPost, loginV2, body, ksaHeader()...)
	return got.member(b.t, "token"), got.member(b.t, "refresh_token")
}

func (b *bed) refresh(token string) response {
	b.t.Helper()
	return b.call(http.MethodPost, refreshPath, toJSON(map[string]string{"token": token}), ksaHeader()...)
}

func TestRefresh_KillsOldPair(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{typeJSON, typeForm} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			b, a := newBed(t), account(simulator.JWT, nil)
			access, refresh := b.ksaLogin(a)
			bystander, _ := b.ksaLogin(a)
			values := map[string]string{"token": refresh}
			body := toJSON(values)
			if encoding == typeForm {
				body = toForm(values)
			}
			got := b.call(http.MethodPost, refreshPath, body, append(ksaHeader(), "Content-Type", encoding)...)
			check.Require(t, got.status == http.StatusOK && strings.HasPrefix(got.body, `{"token":"`), "got %d %s", got.status, got.body)
			check.True(t, !b.TokenAlive(access), "the old access token lives")
			check.True(t, b.TokenAlive(got.member(t, "token")) && b.TokenAlive(bystander),
				"the new token and that of another login should live")
			wantResponse(t, b.refresh(refresh), 206, `{"error":"Passing Incorrect/Invalid token"}`)
			again := b.refresh(got.member(t, "refresh_token"))
			check.True(t, again.status == http.StatusOK, "the new refresh token: %d %s", again.status, again.body)
			c := b.Counters()
			check.True(t, c.Refreshes == 3 && c.RefreshesOK == 2 && c.Logins == 2 && c.Of(simulator.JWT, a.Username).RefreshesOK == 2,
				"counters %+v", c)
		})
	}
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	wrong := `{"error":"Passing Incorrect/Invalid token"}`
	own := func(_ *bed, _, refresh string) string { return refresh }
	tests := []struct {
		name   string
		header []string
		token  func(b *bed, access, refresh string) string
		status int
		want   string
	}{
		{"access token", ksaHeader(), func(_ *bed, access, _ string) string { return access }, 206, wrong},
		{"invented", ksaHeader(), func(*bed, string, string) string { return "x.y.z" }, 206, wrong},
		{"killed", ksaHeader(), func(b *bed, _, refresh string) string {
			b.KillTokens(simulator.JWT, "")
			return refresh
		}, 206, wrong},
		{"expired", ksaHeader(), func(b *bed, _, refresh string) string {
			b.clock.Advance(720 * time.Hour)
			return refresh
		}, 400, `{"error":"Expired Refresh token"}`},
		{"none", ksaHeader(), func(*bed, string, string) string { return "" }, 400, `{"token":["missing field"]}`},
		{"no headers", []string{"Content-Type", typeJSON}, own, 401, `{"detail":"Invalid Product"}`},
		{"no service", []string{"Content-Type", typeJSON, "Productid", "einvoicing_global"}, own, 400, `{"service":["missing field"]}`},
		{"text", append(ksaHeader(), "Content-Type", "text/plain"), own, 415,
			`{"detail":"Unsupported media type \"text/plain\" in request."}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, a := newBed(t), account(simulator.JWT, nil)
			access, refresh := b.ksaLogin(a)
			token := test.token(b, access, refresh)
			got := b.call(http.MethodPost, refreshPath, toJSON(map[string]string{"token": token}), test.header...)
			wantResponse(t, got, test.status, test.want)
			c := b.Counters()
			check.True(t, c.Refreshes == 1 && c.RefreshesOK == 0, "counters %+v", c)
		})
	}
}

func TestRefresh_ConcurrentOnlyOneSucceeds(t *testing.T) {
	t.Parallel()
	b, a := newBed(t), account(simulator.JWT, nil)
	_, refresh := b.ksaLogin(a)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { b.refresh(refresh) })
	}
	group.Wait()
	c := b.Counters()
	check.True(t, c.Refreshes == 8 && c.RefreshesOK == 1, "counters %+v", c)
}
