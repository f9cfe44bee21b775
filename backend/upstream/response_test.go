// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestResponse_WithTokenSucceeds(t *testing.T) {
	t.Parallel()
	const ksa, oauth, soap, vision = upstream.JWT, upstream.OAuth, upstream.SOAP, upstream.FirstVision
	const other = "fedcba9876543210fedcba9876543210fedcba98"
	soapToken := func(content string) string { return soapResponse("access_new_tokenResponse", content) }
	tests := []struct {
		name        string
		protocol    upstream.Protocol
		status      int
		body        string
		wantRefresh string
	}{
		{"jwt, token", ksa, 200, `{"token":"TOKEN"}`, ""},
		{"jwt, access_token", ksa, 200, `{"access_token":"TOKEN"}`, ""},
		{"jwt prefers token", ksa, 200, `{"access_token":"` + other + `","token":"TOKEN"}`, ""},
		{"jwt, token in data", ksa, 200, `{"success":true,"data":{"token":"TOKEN"}}`, ""},
		{"jwt, access_token in results", ksa, 200, `{"results":{"access_token":"TOKEN"}}`, ""},
		{"jwt, status 201", ksa, 201, `{"token":"TOKEN"}`, ""},
		{"jwt, status 206 without error", ksa, 206, `{"token":"TOKEN"}`, ""},
		{"jwt, refresh_token", ksa, 200, `{"token":"TOKEN","refresh_token":"refresh-1"}`, "refresh-1"},
		{"jwt, refresh token with a space", ksa, 200, `{"token":"TOKEN","refresh token":"refresh-2"}`, "refresh-2"},
		{"jwt, both in data", ksa, 200, `{"data":{"token":"TOKEN","refresh_token":"refresh-3"}}`, "refresh-3"},
		{"jwt, a refresh token elsewhere is not taken", ksa, 200, `{"refresh_token":"refresh-4","data":{"token":"TOKEN"}}`, ""},
		{"jwt, a refresh token that no request can carry is dropped", ksa, 200, `{"token":"TOKEN","refresh_token":"two words"}`, ""},
		{"jwt, a token of another type is passed over", ksa, 200, `{"token":17,"access_token":"TOKEN"}`, ""},
		{"jwt, spaces around the token", ksa, 200, `{"token":" TOKEN\n"}`, ""},
		{"jwt, a byte order mark", ksa, 200, "\ufeff" + `{"token":"TOKEN"}` + "\n", ""},
		{"jwt, whatever the media type", ksa, 200, `{"token":"TOKEN"}`, ""},
		{"jwt, a detail beside the token", ksa, 200, `{"token":"TOKEN","detail":"Welcome."}`, ""},
		{"jwt, a token behind Bearer", ksa, 200, `{"token":"Bearer TOKEN","refresh_token":"JWT refresh-5"}`, "refresh-5"},
		{"oauth, a token behind JWT", oauth, 200, `{"access_token":"jwt  TOKEN"}`, ""},
		{"jwt, data that is a string", ksa, 200, `{"error":false,"data":"{\"token\":\"TOKEN\",\"refresh_token\":\"refresh-6\"}"}`, "refresh-6"},
		{"soap, JSON in return", soap, 200, soapToken(`<return>{"access_token":"TOKEN","expires_in":3600}</return>`), ""},
		{"soap, a token behind bearer", soap, 200, soapSuccess("bearer TOKEN", "3600"), ""},
		{"jwt, error zero", ksa, 200, `{"token":"TOKEN","error":0,"errorCode":"0"}`, ""},
		{"jwt, error false beside data", ksa, 200, `{"error":"false","code":"200","data":{"token":"TOKEN"}}`, ""},
		{"oauth, access_token", oauth, 200, `{"access_token":"TOKEN","expires_in":3600,"token_type":"bearer"}`, ""},
		{"oauth prefers access_token", oauth, 200, `{"token":"` + other + `","access_token":"TOKEN"}`, ""},
		{"oauth, token", oauth, 200, `{"token":"TOKEN"}`, ""},
		{"oauth, access_token in data", oauth, 200, `{"data":{"access_token":"TOKEN"}}`, ""},
		{"oauth, token in results", oauth, 200, `{"results":{"token":"TOKEN"}}`, ""},
		{"firstvision, token", vision, 200, `{"token":"TOKEN"}`, ""},
		{"firstvision, token in data", vision, 200, `{"data":{"token":"TOKEN"}}`, ""},
		{"firstvision, access_token, results", vision, 200, `{"results":{"access_token":"TOKEN"}}`, ""},
		{"oauth, error_description empty", oauth, 200, `{"access_token":"TOKEN","error_description":""}`, ""},
		{"firstvision, access_token", vision, 200, `{"access_token":"TOKEN","expires_in":7199,"token_type":"Bearer"}`, ""},
		{"soap", soap, 200, soapSuccess("TOKEN", "14400"), ""},
		{"soap, the other response element", soap, 200, soapResponse("access_tokenResponse", "<access_token>TOKEN</access_token>"), ""},
		{"soap, wrapped in return", soap, 200, soapToken("<return> <access_token>TOKEN</access_token> </return>"), ""},
		{"soap, a byte order mark", soap, 200, "\ufeff" + soapSuccess("TOKEN", ""), ""},
		{"soap, any prefix, and none",
			soap, 200,
			`<Envelope><q:Body xmlns:q="urn:q"><access_new_tokenResponse><z:access_token xmlns:z="urn:z">TOKEN</z:access_token>` +
				`</access_new_tokenResponse></q:Body></Envelope>`, "",
		},
		{"soap, a token in CDATA", soap, 200, soapSuccess("<![CDATA[TOKEN]]>", "14400"), ""},
		{"soap, a token with a reference", soap, 200, strings.Replace(soapSuccess(testOpaqueToken, ""), "0123", "&#48;1&#x32;3", 1), ""},
		{"soap, comments and instructions",
			soap, 200, "<!-- a --><?php x?>" + strings.TrimPrefix(soapSuccess("TOKEN", "9<!-- b -->0"),
				`<?xml version="1.0" encoding="ISO-8859-1"?>`) + "\n<!-- c -->", "",
		},
		{"soap, an error that is none", soap, 200, soapToken("<error>false</error><access_token>TOKEN</access_token>"), ""},
		{"soap, the first token counts", soap, 200,
			soapToken("<access_token>TOKEN</access_token><access_token>" + other + "</access_token>"), ""},
		{"soap, a notice beside the token", soap, 200, soapToken("Notice: x <access_token>TOKEN</access_token>"), ""},
		{"soap, refresh_token", soap, 200, soapToken("<access_token>TOKEN</access_token><refresh_token>re-5</refresh_token>"), "re-5"},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			body := strings.ReplaceAll(test.body, "TOKEN", testOpaqueToken)
			token := check.Value(login(t, test.protocol, always(test.status, "text/plain", body)))(t)
			check.Equal(t, token.AccessToken, testOpaqueToken, "the access token is not the one that was sent")
			check.Equal(t, token.RefreshToken, test.wantRefresh, "the refresh token")
		})
	}
}

func TestResponse_NotUnderstoodIsMalformed(t *testing.T) {
	t.Parallel()
	const ksa, oauth, soap, vision = upstream.JWT, upstream.OAuth, upstream.SOAP, upstream.FirstVision
	const html = "<html><head><title>502</title></head><body>Bad gateway</body></html>"
	ok := `{"token":"` + testOpaqueToken + `"}`
	tests := []struct {
		name     string
		protocol upstream.Protocol
		status   int
		body     string
		say      string
	}{
		{"empty", ksa, 200, "", "the response is empty"},
		{"no content", ksa, 204, "", "the response is empty"},
		{"nothing but space", ksa, 200, " \r\n", "the response is empty"},
		{"HTML", ksa, 200, html, "the response is not JSON"},
		{"HTML at 404", oauth, 404, html, "the response is not JSON"},
		{"HTML at 403", oauth, 403, html, "the response is not JSON"},
		{"empty at 403", oauth, 403, "", "the response is empty"},
		{"not UTF-8", oauth, 200, "{\"token\":\"\xff\xfe\"}", "the response is not UTF-8"},
		{"not UTF-8 at 400", oauth, 400, "{\"error\":\"\xff\"}", "the response is not UTF-8"},
		{"JSON that is cut short", ksa, 200, `{"token":"` + testOpaqueToken, "the response is cut short"},
		{"JSON that is cut short at 400", ksa, 400, `{"username":["missing`, "the response is cut short"},
		{"JSON with a second value behind it", ksa, 200, ok + ok, "the response has data after its end"},
		{"JSON with HTML behind it", ksa, 200, ok + html, "the response has data after its end"},
		{"a PHP notice before the JSON", oauth, 200, "Notice: x" + ok, "the response is not JSON"},
		{"JSON without a token", ksa, 200, `{"message":"welcome","success":true}`, "with the keys message, success"},
		{"JSON of unknown keys at 404", ksa, 404, `{"reason":"x"}`, "no known keys"},
		{"a list at 400", ksa, 400, `["x"]`, "no known keys"},
		{"HTML at 206", ksa, 206, `<html>`, "the response is not JSON"},
		{"nothing at 206", ksa, 206, ``, "the response is empty"},
		{"JSON cut short at 206", ksa, 206, `{"error":"Unab`, "the response is cut short"},
		{"Latin-1 in JSON", ksa, 206, "{\"error\":\"pas d'acc\xe8s\"}", "the response is not UTF-8"},
		{"an empty token", ksa, 200, `{"token":""}`, "the response contains no token"},
		{"a token that is null", ksa, 200, `{"token":null}`, "the response contains no token"},
		{"a token that is a number", oauth, 200, `{"access_token":12345}`, "the response contains no token"},
		{"a life that is over", oauth, 200, `{"access_token":"` + testOpaqueToken + `","expires_in":"0"}`, "already expired"},
		{"a list", ksa, 200, `[]`, "the response contains no token"},
		{"a string", ksa, 200, `"welcome"`, "the response contains no token"},
		{"an empty object", vision, 200, `{}`, "the response contains no token"},
		{"an empty object at 405", vision, 405, `{}`, "the response contains no known error"},
		{"lists of something else than texts", ksa, 404, `{"username":[{}]}`, "the response contains no known error"},
		{"a token with a space", ksa, 200, `{"token":"two words"}`, "not plain printable text"},
		{"a token with a line break", ksa, 200, `{"token":"two\r\nX-Evil: 1"}`, "not plain printable text"},
		{"a token with an umlaut", ksa, 200, `{"token":"tökentoken"}`, "not plain printable text"},
		{"a token of more than 16 KiB", ksa, 200, `{"token":"` + strings.Repeat("x", 16<<10+1) + `"}`, "longer than 16 KiB"},
		{"SOAP: empty", soap, 200, "", "the response is empty"},
		{"SOAP: JSON", soap, 200, ok, "the response is not XML"},
		{"SOAP: HTML of the old kind", soap, 200, "<html><br></html>", "the response is not XML"},
		{"SOAP: HTML with a doctype", soap, 404, "<!DOCTYPE html>" + html, "declares a document type"},
		{"SOAP: cut short", soap, 200, soapSuccess(testOpaqueToken, "9")[:330], "the response is cut short"},
		{"SOAP: not UTF-8", soap, 200, strings.Replace(soapSuccess("\xe4", "9"), "ISO-8859-1", "UTF-8", 1), "the response is not UTF-8"},
		{"SOAP: no response in the envelope", soap, 200, "<Envelope><Body/></Envelope>", "the response contains no token"},
		{"SOAP: a response with nothing in it", soap, 200, soapResponse("access_new_tokenResponse", ""), "access_new_tokenResponse"},
		{"SOAP: a token outside of the response", soap, 200, "<e><access_token>" + testOpaqueToken + "</access_token></e>",
			"contains no token"},
		{"SOAP: text behind the envelope", soap, 200, soapSuccess(testOpaqueToken, "9") + "x", "has data after its end"},
		{"SOAP: two envelopes", soap, 200, "<a></a><a></a>", "has data after its end"},
		{"SOAP: nothing but a comment", soap, 200, "<!-- a -->", "the response is not XML"},
		{"SOAP: an entity that is not declared", soap, 200, soapSuccess("&secret;", "9"), "the response is not XML"},
		{"SOAP: elements that cross", soap, 200, "<a><b></a></b>", "the response is not XML"},
		{"SOAP: a document type with an entity", soap, 200, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`,
			"declares a document type"},
		{"SOAP: nested 65 deep", soap, 200, strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65), "nested too deeply"},
		{"SOAP: nested very deep and never closed", soap, 200, strings.Repeat("<a>", 100_000), "nested too deeply"},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			e := mustFail(login(t, test.protocol, always(test.status, "text/html; charset=utf-8", test.body)))(t)
			mustBe(t, e, "malformed")
			check.Contains(t, e.Detail, test.say, fmt.Sprintf("HTTP %d", test.status), "text/html")
			check.Contains(t, e.Error(), "upstream's response cannot be understood: ")
			if test.body != "" {
				check.Contains(t, e.Detail, fmt.Sprintf("%d bytes", len(test.body)))
			}
		})
	}
}

func TestToken_Of16KiBTaken(t *testing.T) {
	t.Parallel()
	want := strings.Repeat("x", 16<<10)
	token, err := login(t, upstream.JWT, always(200, "application/json", `{"token":"`+want+`"}`))
	check.Require(t, err == nil && token.AccessToken == want, "got %v", err)
}

func TestLifetime_FromResponse(t *testing.T) {
	t.Parallel()
	now := noon().Unix()
	const malformed = time.Duration(-1)
	const none = "none"
	tests := []struct {
		name, expiresIn string
		claims          claims
		want            time.Duration
	}{
		{"seconds", `3600`, nil, time.Hour},
		{"seconds in a string", `"1799"`, nil, 1799 * time.Second},
		{"seconds in a string with spaces", `" 1799\n"`, nil, 1799 * time.Second},
		{"a fraction is dropped", `59.99`, nil, 59 * time.Second},
		{"a fraction in a string is dropped", `"59.99"`, nil, 59 * time.Second},
		{"an exponent", `3.6e3`, nil, time.Hour},
		{"ten seconds", `10`, nil, 10 * time.Second},
		{"the longest life", `999999999`, nil, 999999999 * time.Second},
		{"an epoch in seconds", fmt.Sprint(now + 7200), nil, 2 * time.Hour},
		{"an epoch in a string", fmt.Sprintf("%q", fmt.Sprint(now+7200)), nil, 2 * time.Hour},
		{"an epoch in milliseconds", fmt.Sprint((now + 7200) * 1000), nil, 2 * time.Hour},
		{"an epoch in milliseconds in a string", fmt.Sprintf("%q", fmt.Sprint((now+7200)*1000)), nil, 2 * time.Hour},
		{"an epoch far away is cut", `99999999999`, nil, 1e9 * time.Second},
		{"an epoch too large for a float is cut", `1e999`, nil, 1e9 * time.Second},
		{"an epoch beyond 64 bits is cut", `"99999999999999999999999999"`, nil, 1e9 * time.Second},
		{"null counts as none", `null`, nil, 24 * time.Hour},
		{"an empty string counts as none", `""`, nil, 24 * time.Hour},
		{"an empty list counts as none", `[]`, nil, 24 * time.Hour},
		{"none stated", none, nil, 24 * time.Hour},
		{"exp alone", none, claims{"exp": now + 300}, 5 * time.Minute},
		{"exp in a string", none, claims{"exp": fmt.Sprint(now + 300)}, 5 * time.Minute},
		{"exp in milliseconds", none, claims{"exp": (now + 300) * 1000}, 5 * time.Minute},
		{"exp null counts as none", none, claims{"exp": nil}, 24 * time.Hour},
		{"claims without exp", none, claims{"username": "x"}, 24 * time.Hour},
		{"exp counts from iat", none, claims{"exp": now + 300, "iat": now - 60}, 360 * time.Second},
		{"exp counts from orig_iat", none, claims{"exp": now + 300, "orig_iat": now - 30}, 330 * time.Second},
		{"exp of an old token", none, claims{"exp": now + 3600, "iat": now - 82800}, time.Hour},
		{"exp of a token of 61 seconds ago", none, claims{"exp": now + 300, "iat": now - 61}, 300 * time.Second},
		{"an epoch of an old token", fmt.Sprint(now + 3600), claims{"iat": now - 82800}, time.Hour},
		{"exp of an old token that has died", none, claims{"exp": now - 5, "orig_iat": now - 82800}, malformed},
		{"iat counts before orig_iat", none, claims{"exp": now + 300, "iat": now, "orig_iat": 1}, 300 * time.Second},
		{"iat in a string", none, claims{"exp": now + 300, "iat": fmt.Sprint(now - 50)}, 350 * time.Second},
		{"iat that is zero is ignored", none, claims{"exp": now + 300, "iat": 0}, 300 * time.Second},
		{"iat below zero is ignored", none, claims{"exp": now + 300, "iat": -5}, 300 * time.Second},
		{"iat that is no number is ignored", none, claims{"exp": now + 300, "iat": "then"}, 300 * time.Second},
		{"an epoch counts from iat", fmt.Sprint(now + 300), claims{"iat": now - 10}, 310 * time.Second},
		{"the earlier counts: the response", `60`, claims{"exp": now + 300}, time.Minute},
		{"the earlier counts: the token", `3600`, claims{"exp": now + 300}, 5 * time.Minute},
		{"the earlier counts: an epoch", fmt.Sprint(now + 60), claims{"exp": now + 300}, time.Minute},
		{"zero", `0`, nil, malformed},
		{"below zero", `-3600`, nil, malformed},
		{"far below zero", `-1e999`, nil, malformed},
		{"under ten seconds", `9.99`, nil, malformed},
		{"zero in a string", `"0"`, nil, malformed},
		{"the earlier counts: the token, not an epoch", fmt.Sprint(now + 9000), claims{"exp": now + 7199}, 7199 * time.Second},
		{"an epoch in the past", `1500000000`, nil, malformed},
		{"an epoch in milliseconds in the past", fmt.Sprint((now - 1) * 1000), nil, malformed},
		{"an epoch of this very second", fmt.Sprint(now), nil, malformed},
		{"an epoch nine seconds ahead", fmt.Sprint(now + 9), nil, malformed},
		{"an epoch ten seconds ahead", fmt.Sprint(now + 10), nil, 10 * time.Second},
		{"exp in the past", none, claims{"exp": now - 1}, malformed},
		{"exp zero", none, claims{"exp": 0}, malformed},
		{"exp in the past beside a good expires_in", `3600`, claims{"exp": now - 1}, malformed},
		{"exp before iat", none, claims{"exp": now + 300, "iat": now + 301}, malformed},
		{"exp that is no number", none, claims{"exp": "tomorrow"}, malformed},
		{"a word", `"soon"`, nil, malformed},
		{"a number with a unit", `"3600s"`, nil, malformed},
		{"a hexadecimal number", `"0xe10"`, nil, malformed},
		{"infinity", `"inf"`, nil, malformed},
		{"not a number", `"NaN"`, nil, malformed},
		{"true", `true`, nil, malformed},
		{"a list", `[3600]`, nil, malformed},
		{"an object", `{}`, nil, malformed},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			token := testOpaqueToken
			if test.claims != nil {
				token = makeJWT(test.claims)
			}
			body := fmt.Sprintf(`{"token":%q,"expires_in":%s}`, token, test.expiresIn)
			if test.expiresIn == none {
				body = fmt.Sprintf(`{"token":%q}`, token)
			}
			s := serve(t, always(200, "application/json", body))
			a := accountFor(upstream.JWT, s.URL)
			got, err := newClient(t, a).Login(context.Background())
			s.only(t)
			if test.want == malformed {
				mustBe(t, mustFail(got, err)(t), "malformed")
				return
			}
			check.NoError(t, err)
			check.Equal(t, got.ExpiresAt.Sub(got.IssuedAt), test.want, "the token lives for")
			check.True(t, got.IssuedAt.Equal(noon()), "issued at %s", got.IssuedAt)
		})
	}
}

func TestLifetime_OfResponseAccountOrProtocol(t *testing.T) {
	const body = `{"token":"TOKEN"}`
	type testCase struct {
		protocol upstream.Protocol
		body     string
		ttl      time.Duration
		want     time.Duration
	}
	each(t, map[string]testCase{
		"the account's":                 {upstream.JWT, body, 3 * time.Hour, 3 * time.Hour},
		"the account's, of any size":    {upstream.JWT, body, 290 * 365 * 24 * time.Hour, 1e9 * time.Second},
		"a day for jwt":                 {upstream.JWT, body, 0, 24 * time.Hour},
		"an hour for oauth":             {upstream.OAuth, body, 0, time.Hour},
		"four hours for soap":           {upstream.SOAP, soapSuccess(testOpaqueToken, ""), 0, 4 * time.Hour},
		"two hours for firstvision":     {upstream.FirstVision, body, 0, 2 * time.Hour},
		"beside the token in data":      {upstream.JWT, `{"data":{"token":"TOKEN","expires_in":60}}`, 0, time.Minute},
		"around data":                   {upstream.JWT, `{"expires_in":60,"data":{"token":"TOKEN"}}`, 0, time.Minute},
		"first beside, then around it":  {upstream.JWT, `{"expires_in":60,"data":{"token":"TOKEN","expires_in":120}}`, 0, 2 * time.Minute},
		"what the response says, first": {upstream.SOAP, soapSuccess(testOpaqueToken, "60"), time.Hour, time.Minute},
	}, func(t *testing.T, test testCase) {
		handle := always(200, "application/json", strings.Replace(test.body, "TOKEN", testOpaqueToken, 1))
		token := check.Value(loginAs(t, test.protocol, func(a *upstream.Account) { a.DefaultTokenTTL = test.ttl }, handle))(t)
		check.Equal(t, token.ExpiresAt.Sub(token.IssuedAt), test.want, "the token lives for")
	})
}

func TestClaims_PayloadAlone(t *testing.T) {
	t.Parallel()
	exp := noon().Add(5 * time.Minute).Unix()
	payload := fmt.Sprintf(`{"exp":%d,"jti":"0?>~"}`, exp)
	signed := check.Value(jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": exp}).SignedString([]byte("key")))(t)
	tests := []struct {
		name, token string
		want        time.Duration
	}{
		{"one that a library has signed", signed, 5 * time.Minute},
		{"without padding", "h." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".s", 5 * time.Minute},
		{"with padding", "h." + base64.URLEncoding.EncodeToString([]byte(payload)) + ".s", 5 * time.Minute},
		{"with an empty header", "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".", 5 * time.Minute},
		{"in the standard alphabet", "h." + base64.StdEncoding.EncodeToString([]byte(payload)) + ".s", 5 * time.Minute},
		{"with a byte of Latin-1",
			"h." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(payload, "0?", "Ren\xe9", 1))) + ".s", 5 * time.Minute},
		{"with no signature", "h." + base64.RawURLEncoding.EncodeToString([]byte(payload)), 5 * time.Minute},
		{"not one: no dots", testOpaqueToken, 24 * time.Hour},
		{"not one: no base64", "a.!!!.c", 24 * time.Hour},
		{"not one: no JSON", "a." + base64.RawURLEncoding.EncodeToString([]byte("exp=1")) + ".c", 24 * time.Hour},
		{"not one: a list", "a." + base64.RawURLEncoding.EncodeToString([]byte("[1]")) + ".c", 24 * time.Hour},
		{"not one: JSON that is cut", "a." + base64.RawURLEncoding.EncodeToString([]byte(payload[:9])) + ".c", 24 * time.Hour},
		{"not one: something behind JSON", "a." + base64.RawURLEncoding.EncodeToString([]byte(payload+payload)) + ".c", 24 * time.Hour},
	}
	for _, test := range tests {
		parallel(t, test.name, func(t *testing.T) {
			token := check.Value(login(t, upstream.JWT, always(200, "application/json", `{"token":"`+test.token+`"}`)))(t)
			life := token.ExpiresAt.Sub(token.IssuedAt)
			check.True(t, life == test.want && token.AccessToken == test.token, "the token lives for %s, want %s", life, test.want)
		})
	}
}

func TestClock_TenMinutesOff(t *testing.T) {
	t.Parallel()
	now := noon().Unix()
	absolute := []struct {
		name, body string
		date       string
	}{
		{"exp with iat, no Date", fmt.Sprintf(`{"token":%q}`, makeJWT(claims{"exp": now + 3600, "iat": now})), "Date: "},
		{"exp with orig_iat, no Date", fmt.Sprintf(`{"token":%q}`, makeJWT(claims{"exp": now + 3600, "orig_iat": now})), "Date: "},
		{"exp with Date", fmt.Sprintf(`{"token":%q}`, makeJWT(claims{"exp": now + 3600})), "X: y"},
		{"an epoch with Date", fmt.Sprintf(`{"token":%q,"expires_in":%d}`, testOpaqueToken, now+3600), "X: y"},
		{"an epoch in ms with Date", fmt.Sprintf(`{"token":%q,"expires_in":%d}`, testOpaqueToken, (now+3600)*1000), "X: y"},
		{"an epoch with iat, no Date", fmt.Sprintf(`{"token":%q,"expires_in":%d}`, makeJWT(claims{"iat": now}), now+3600), "Date: "},
		{"relative, with neither", fmt.Sprintf(`{"token":%q,"expires_in":3600}`, testOpaqueToken), "Date: "},
		{"a Date of 1970 is not one", fmt.Sprintf(`{"token":%q,"expires_in":3600}`, testOpaqueToken),
			"Date: Thu, 01 Jan 1970 00:00:00 GMT"},
		{"exp, iat, a Date of nowhere", fmt.Sprintf(`{"token":%q}`, makeJWT(claims{"exp": now + 3600, "iat": now})), "Date: yesterday"},
	}
	for _, test := range absolute {
		for _, skew := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
			parallel(t, fmt.Sprintf("%s, our clock off by %s", test.name, skew), func(t *testing.T) {
				s := serve(t, always(200, "application/json", test.body, test.date))
				ours := noon().Add(skew + 300*time.Millisecond)
				token := check.Value(newClientAt(t, accountFor(upstream.JWT, s.URL), ours).Login(context.Background()))(t)
				check.True(t, token.IssuedAt.Equal(ours) && token.ExpiresAt.Sub(ours) == time.Hour,
					"issued at %s, expires at %s", token.IssuedAt, token.ExpiresAt)
				if known := test.date == "X: y"; token.SkewKnown != known || known && token.ClockSkew != -skew {
					t.Errorf("the skew is %s, known: %v", token.ClockSkew, token.SkewKnown)
				}
			})
		}
	}
}

func TestClock_OwnIsLastResort(t *testing.T) {
	t.Parallel()
	body := fmt.Sprintf(`{"token":%q}`, makeJWT(claims{"exp": noon().Unix() + 3600}))
	s := serve(t, always(200, "application/json", body, "Date: "))
	token := check.Value(newClientAt(t, accountFor(upstream.JWT, s.URL), noon().Add(time.Minute)).Login(context.Background()))(t)
	life := token.ExpiresAt.Sub(token.IssuedAt)
	check.True(t, life == 59*time.Minute && !token.SkewKnown, "the token lives for %s, skew known: %v", life, token.SkewKnown)
}

func TestRefreshToken_ExpiryRead(t *testing.T) {
	now := noon().Unix()
	month := 30 * 24 * time.Hour
	end := now + int64(month.Seconds())
	type testCase struct {
		access, refresh claims
		date            string
		skew            time.Duration
		want            time.Duration
	}
	each(t, map[string]testCase{
		"from its own iat":            {nil, claims{"exp": end, "iat": now}, "Date: ", time.Hour, month},
		"from the access token's iat": {claims{"iat": now, "exp": now + 60}, claims{"exp": end}, "Date: ", time.Hour, month},
		"from the Date":               {nil, claims{"exp": end}, "X: y", time.Hour, month},
		"from our clock":              {nil, claims{"exp": end}, "Date: ", 0, month},
		"over already":                {nil, claims{"exp": now - 5, "iat": now}, "X: y", 0, 0},
		"not stated":                  {nil, claims{"jti": "7"}, "X: y", 0, -1},
		"not a number":                {nil, claims{"exp": "later"}, "X: y", 0, -1},
	}, func(t *testing.T, test testCase) {
		access := testOpaqueToken
		if test.access != nil {
			access = makeJWT(test.access)
		}
		body := fmt.Sprintf(`{"token":%q,"refresh token":%q}`, access, makeJWT(test.refresh))
		s := serve(t, always(200, "application/json", body, test.date))
		ours := noon().Add(test.skew)
		token := check.Value(newClientAt(t, accountFor(upstream.JWT, s.URL), ours).Login(context.Background()))(t)
		want := time.Time{}
		if test.want >= 0 {
			want = ours.Add(test.want)
		}
		check.True(t, token.RefreshExpiresAt.Equal(want), "the refresh token ends at %s, want %s", token.RefreshExpiresAt, want)
	})
}

func TestLifetime_CountsFromBeforeRequest(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	clock := func() time.Time { return noon().Add(time.Duration(passed.Load())) }
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		passed.Store(int64(8 * time.Second)) // The upstream takes its time.
		w.Header().Set("Date", clock().Format(http.TimeFormat))
		always(200, "application/json", `{"token":"`+testOpaqueToken+`","expires_in":60}`)(w, r)
	})
	c := check.Value(upstream.New(accountFor(upstream.JWT, s.URL), upstream.Options{Now: clock}))(t)
	token := check.Value(c.Login(context.Background()))(t)
	check.True(t, token.IssuedAt.Equal(noon()) && token.ExpiresAt.Equal(noon().Add(time.Minute)),
		"issued at %s, expires at %s", token.IssuedAt, token.ExpiresAt)
	check.True(t, token.SkewKnown && token.ClockSkew == 0, "a slow response was taken for a skew of %s", token.ClockSkew)
}

func TestClock_NoMonotonicReading(t *testing.T) {
	t.Parallel()
	s := serve(t, always(200, "application/json", `{"token":"`+testOpaqueToken+`","expires_in":60}`))
	c := check.Value(upstream.New(accountFor(upstream.JWT, s.URL), upstream.Options{}))(t)
	token := check.Value(c.Login(context.Background()))(t)
	for _, at := range []time.Time{token.IssuedAt, token.ExpiresAt} {
		// The monotonic part, which Equal does not see.
		check.True(t, !strings.Contains(at.String(), "m="), "%s would stand still while the machine is suspended", at)
	}
}

// The header scheme is up to the caller: no token_type, nor its absence, is in the way of a login.
func TestResponse_TokenTypeIgnored(t *testing.T) {
	t.Parallel()
	for _, tokenType := range []string{`"bearer"`, `"Bearer"`, `"BearerToken"`, `"JWT"`, `null`, `7`} {
		body := fmt.Sprintf(`{"access_token":%q,"expires_in":3600,"token_type":%s}`, testOpaqueToken, tokenType)
		token, err := login(t, upstream.OAuth, always(200, "application/json", body))
		check.True(t, err == nil && token.AccessToken == testOpaqueToken, "token_type %s: %v", tokenType, err)
	}
}

func TestResponse_TypesOfErrorsDrift(t *testing.T) {
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

func TestResponse_Over1MiBRefused(t *testing.T) {
	padded := goodResponse + strings.Repeat(" ", 1<<20-len(goodResponse))
	type testCase struct {
		status int
		body   string
		length string
		want   string
	}
	each(t, map[string]testCase{
		"1 MiB":                           {200, padded, "", ""},
		"a byte more":                     {200, padded + " ", "", "malformed"},
		"a byte more, as a length":        {200, padded + " ", fmt.Sprint(len(padded) + 1), "malformed"},
		"1 MiB, as a length":              {200, padded, fmt.Sprint(len(padded)), ""},
		"a byte more at 400":              {400, padded + " ", "", "malformed"},
		"a byte more of a server's error": {500, padded + " ", "", "unavailable/server"},
	}, func(t *testing.T, test testCase) {
		headers := []string{"X: y"}
		if test.length != "" {
			headers = append(headers, "Content-Length: "+test.length)
		}
		token, err := login(t, upstream.JWT, always(test.status, "application/json", test.body, headers...))
		if test.want == "" {
			check.NoError(t, err)
			return
		}
		e := mustFail(token, err)(t)
		mustBe(t, e, test.want)
		check.Contains(t, e.Detail, "the response is longer than 1 MiB", "application/json, more than 1 MiB, no known keys")
	})
}

func TestResponse_EndlessNotRead(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		block := bytes.Repeat([]byte("x"), 64<<10)
		for {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	mustBe(t, mustFail(newClient(t, accountFor(upstream.JWT, s.URL)).Login(context.Background()))(t), "malformed")
	s.Close() // Waits for the handler, which stops because the connection is gone.
	// What was not read waits in the buffers of both sides' sockets, which are a few megabytes at most.
	check.True(t, sent.Load() <= 64<<20, "the server could send %d bytes", sent.Load())
}
