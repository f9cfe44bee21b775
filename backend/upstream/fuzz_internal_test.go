// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// The seeds have the shapes of the vendors' pages and of what is seen in practice. Every value in them is invented.

const (
	fuzzPassword = "correct-horse-battery"
	fuzzSecret   = "s3cr+t/of=client&0042"
)

func fuzzNow() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }

// fuzzClient makes a client of the protocol, with all the secrets that there are.
func fuzzClient(t testing.TB, p Protocol) *client {
	t.Helper()
	c := check.Value(New(Account{
		Protocol: p, TokenURL: "https://host.example/", Username: "asha", Password: fuzzPassword,
		ClientID: "client-0042", ClientSecret: fuzzSecret,
	}, Options{Now: fuzzNow}))(t)
	return c.(*client)
}

// checkResponse concludes a response and checks what must hold whatever it is.
func checkResponse(t *testing.T, c *client, op string, a *response) {
	t.Helper()
	a.sent, a.received = fuzzNow(), fuzzNow()
	if a.header.Get("Date") == "" {
		a.header.Set("Date", fuzzNow().Format(http.TimeFormat))
	}
	token, e := c.conclude(a, op, c.account.Secrets())
	if e != nil {
		checkError(t, e)
		return
	}
	check.True(t, a.ok(), "HTTP %d is a success", a.status)
	check.True(t, tokenProblem(token.AccessToken) == "" && (token.RefreshToken == "" || tokenProblem(token.RefreshToken) == ""),
		"a token that no header can carry is a success")
	life := token.ExpiresAt.Sub(token.IssuedAt)
	check.True(t, life >= minLife && life <= maxLife, "the token lives for %s", life)
	check.True(t, token.RefreshExpiresAt.IsZero() || !token.RefreshExpiresAt.Before(token.IssuedAt), "its refresh token is over")
}

// checkError checks what must hold for every error of a response.
func checkError(t *testing.T, e *Error) {
	t.Helper()
	check.True(t, slices.Contains([]Kind{Rejected, Invalid, Throttled, Malformed, Unavailable}, e.Kind), "an error of %q", e.Kind)
	check.True(t, (e.Cause != "" && e.Cause != CauseToken) == (e.Kind == Unavailable) && e.Op != "" && e.RetryAfter >= 0 && e.RetryAfter <= maxRetryAfter,
		"an error that does not make sense: %+v", *e)
	check.True(t, e.Code == "" || looksLikeCode(e.Code), "a code %q", e.Code)
	check.True(t, e.Kind == Malformed || characters(e.Detail) <= maxDetail+len(problemNoError), "a detail of %q", e.Detail)
	for _, text := range []string{e.Error(), e.Code, e.Detail} {
		for _, secret := range []string{fuzzPassword, fuzzSecret, url.QueryEscape(fuzzSecret)} {
			check.True(t, !strings.Contains(text, secret), "%q shows a secret", text)
		}
		control := strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
		check.True(t, utf8.ValidString(text) && !control, "%q is not plain", text)
	}
}

func characters(text string) int { return utf8.RuneCountInString(text) }

func addJSONSeeds(f *testing.F) {
	f.Helper()
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1772370000,"orig_iat":1772366400,"username":"asha"}`))
	for _, seed := range []struct {
		status int
		body   string
	}{
		{200, `{"token":"eyJ0.` + payload + `.c2ln"}`},
		{200, `{"token": "eyJ0.` + payload + `.c2ln",` + "\n\n" + `"refresh token": "eyo0.` + payload + `.c2ln"}`},
		{200, `{"token":"eyJ0.e30.c2ln","refresh_token":"eyJ0.e30.c2ln"}`},
		{206, `{"error":"Unable to login with provided credential"}`},
		{400, `{"username":["missing field"]}`},
		{400, `{"error":"Expired Refresh token"}`},
		{400, `{"non_field_errors":["Unable to log in with provided credentials."]}`},
		{401, `{"detail":"Signature has expired."}`},
		{200, `{"access_token":"0123456789abcdef0123456789abcdef01234567","expires_in":3600,"token_type":"bearer"}`},
		{200, `{"access_token":"eyJh.` + payload + `.c2ln","expires_in":1772370000,"token_type":"Bearer"}`},
		{200, `{"access_token":"eyJh.e30.c2ln","expires_in":"1799","token_type":"BearerToken"}`},
		{400, `{"error":"invalid_client","error_description":"The client credentials are invalid"}`},
		{401, `[{"detail":"Please refer to invalid-params","errorCode":"240101","instance":"/v1/api/oauth/token",` +
			`"invalid-params":["Invalid client credentials or scope"],"source":"AGT","status":401,"title":"Unauthorized"}]`},
		{415, `{"errorCode":"AGT415UMT","errorMessage":"Unsupported Media Type"}`},
		{403, `{"errorCode":"API-Sec-006","errorMessage":"Replay attack detected."}`},
		{400, `{"errorCode":"API-Sec-004","errorMessage":"Invalid request. The client_assertion JWT is invalid."}`},
		{429, `{"errorCode":"API-Sec-011","errorMessage":"You have exceeded the Product level quota"}`},
		{200, `{"token_type":"BearerToken","issued_at":"1772366400000","access_token":"0123456789abcdefABCD",` +
			`"expires_in":"1799","status":"approved"}`},
		{200, `{"success":true,"message":"","data":{"token":"t0k3n","error":"false","code":"200"}}`},
		{200, `{"results":{"access_token":"t0k3n","expires_in":[]}}`},
		{200, `{"error":{"error_cd":"E7","message":"` + fuzzPassword + `"}}`},
		{504, "<html><body>504 Gateway Time-out</body></html>"},
		{200, "\ufeff{}"},
		{200, `{"token":"x"} {}`},
		{302, ``},
		{200, `{"error":true,"message":"Invalid access token","data":""}`},
		{206, `{"success":false,"message":"` + fuzzPassword + `"}`},
		{200, `{"error":false,"data":"{\"token\":\"Bearer t0k3n\",\"expires_in\":\"60\"}"}`},
		{200, `{"token":"JWT t0k3n","error":{"code":0,"message":""}}`},
		{206, `"` + fuzzSecret + `"`},
	} {
		f.Add(seed.status, "application/json; charset=utf-8", seed.body)
	}
}

func addSOAPSeeds(f *testing.F) {
	f.Helper()
	const open = `<?xml version="1.0" encoding="ISO-8859-1"?><SOAP-ENV:Envelope SOAP-ENV:encodingStyle="Get Access token" ` +
		`xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body>`
	const end = `</SOAP-ENV:Body></SOAP-ENV:Envelope>`
	for _, seed := range []string{
		open + `<ns1:access_new_tokenResponse xmlns:ns1="urn:server"><access_token>0123456789abcdef0123456789abcdef01234567` +
			`</access_token><expires_in>14400</expires_in><token_type>bearer</token_type><error_description/>` +
			`</ns1:access_new_tokenResponse>` + end,
		open + `<ns1:access_tokenResponse xmlns:ns1="urn:server"> invalid_grant </ns1:access_tokenResponse>` + end,
		open + `<access_tokenResponse><return><error>invalid_grant</error></return></access_tokenResponse>` + end,
		open + `<SOAP-ENV:Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>` + fuzzPassword +
			`</faultstring></SOAP-ENV:Fault>` + end,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
		`<a><b>`,
		strings.Repeat("<a>", 70),
		`<!-- a --><a/> `,
		"\ufeff<a>&#65;&amp;<![CDATA[x]]></a>",
		"<html><body>504</body></html>",
		open + `<access_new_tokenResponse><return>{"access_token":"t0k3n"}</return></access_new_tokenResponse>` + end,
		open + `<access_new_tokenResponse><return>0123456789abcdef0123456789abcdef01234567</return></access_new_tokenResponse>` + end,
		open + "<access_tokenResponse>acc\xe8s refus\xe9</access_tokenResponse>" + end,
	} {
		f.Add(200, "text/xml", seed)
		f.Add(500, "text/xml", seed)
	}
}

// FuzzResponse has an upstream of each protocol answer with the same: what one sends, any may send.
func FuzzResponse(f *testing.F) {
	addJSONSeeds(f)
	addSOAPSeeds(f)
	var clients []*client
	for _, s := range Specs() {
		clients = append(clients, fuzzClient(f, s.Protocol))
		for _, key := range slices.Concat(s.TokenKeys, s.RefreshKeys) {
			f.Add(200, "application/json", fmt.Sprintf(`{%q:"t0k3n",%q:30}`, key, s.LifeKey))
		}
	}
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		for _, c := range clients {
			for _, op := range []string{opLogin, opRefresh} {
				checkResponse(t, c, op, &response{status: status, header: http.Header{"Content-Type": {media}}, body: []byte(body)})
			}
		}
	})
}

// FuzzSOAPToken has a login succeed with a token in any place of the response: no message may hold it.
func FuzzSOAPToken(f *testing.F) {
	f.Add("access_new_tokenResponse", "", "", "0123456789abcdef0123456789abcdef01234567")
	f.Add("access_tokenResponse", "<return>", "</return>", "eyJ0eXAiOiJKV1Qi.e30.c2ln")
	f.Add("access_tokenResponse", `<return>{"token":"`, `"}</return>`, "quietmeadowandsilverlantern")
	f.Add("Fault", "<faultstring>session ", " is open</faultstring>", "4f3c2b1a4f3c2b1a4f3c2b1a")
	c := fuzzClient(f, SOAP)
	f.Fuzz(func(t *testing.T, element, before, behind, token string) {
		isWord := len(token) >= 20 && skeleton(token) == token && strings.ContainsAny(token, "0123456789") &&
			strings.ContainsFunc(token, unicode.IsLetter)
		if !isWord || strings.Contains(element+before+behind, token) {
			return
		}
		body := "<" + element + ">" + before + token + behind + "</" + element + ">"
		a := &response{status: 200, header: http.Header{"Content-Type": {"text/xml"}}, body: []byte(body), sent: fuzzNow(), received: fuzzNow()}
		if _, e := c.conclude(a, opLogin, nil); e != nil && strings.Contains(e.Error()+e.Code+e.Detail, token) {
			t.Fatalf("%q shows the token", e.Error())
		}
	})
}

// FuzzCharset checks that a body is decoded only where it is not UTF-8, and then completely.
func FuzzCharset(f *testing.F) {
	f.Add("text/xml", "<?xml version='1.0' encoding='ISO-8859-1'?><a>acc\xe8s</a>")
	f.Add("text/xml; charset=windows-1252", "<a>d\x92acc\xe8s \x81</a>")
	f.Add("text/xml", "<?xml encoding=")
	f.Add("text/xml", "<?xml encoding?>\xff")
	f.Add("application/json; charset=latin1", "{\"error\":\"\xe8\"}")
	f.Fuzz(func(t *testing.T, media, body string) {
		a := &response{header: http.Header{"Content-Type": {media}}, body: []byte(body)}
		text := string(a.text())
		if text == body {
			return
		}
		check.True(t, !utf8.ValidString(body) && utf8.ValidString(text) && characters(text) == len(body), "%q became %q", body, text)
	})
}

// FuzzHollowError checks that no depth or spelling of nothing is an error, and that something is one.
func FuzzHollowError(f *testing.F) {
	for _, seed := range []string{`{"code":0,"message":""}`, `[""]`, `"None"`, `"0.0"`, `"[\"\"]"`, `{"a":[{"b":"null"}]}`, `[0,"x"]`, `"no"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, problem := decodeJSON([]byte(text))
		if problem != "" {
			return
		}
		wrapped := map[string]any{"a": []any{v, "", json.Number("0")}}
		check.Equal(t, truthy(wrapped), truthy(v), "%s in an object and a list is an error", text)
	})
}

func FuzzLifetime(f *testing.F) {
	date := fuzzNow().Format(http.TimeFormat)
	f.Add(`3600`, `1772370000`, `1772366400`, date)
	f.Add(`"1799"`, `"1772370000"`, `"0"`, "")
	f.Add(`1772370000`, `null`, `-1`, date)
	f.Add(`1772370000000`, `""`, `null`, "yesterday")
	f.Add(`1e999`, `-1e999`, `1e999`, date)
	f.Add(`[]`, `1e18`, `1e-9`, "Thu, 01 Jan 1970 00:00:00 GMT")
	c := fuzzClient(f, OAuth)
	f.Fuzz(func(t *testing.T, expiresIn, exp, iat, date string) {
		payload := fmt.Sprintf(`{"exp":%s,"iat":%s}`, exp, iat)
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
		body := fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"expires_in":%s}`, token, token, expiresIn)
		checkResponse(t, c, opLogin, &response{status: 200, header: http.Header{"Date": {date}}, body: []byte(body)})
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{
		"120", "-1", "1.5", "0", "1e9", "99999999999999999999", "Sun, 01 Mar 2026 12:01:00 GMT", "soon", "",
	} {
		f.Add(value, "Sun, 01 Mar 2026 12:00:00 GMT", 429)
		f.Add(value, "", 503)
	}
	c := fuzzClient(f, JWT)
	f.Fuzz(func(t *testing.T, value, date string, status int) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		a := &response{status: status, header: header, sent: fuzzNow(), received: fuzzNow()}
		wait := a.retryAfter()
		check.True(t, wait >= 0 && wait <= maxRetryAfter, "wait for %s", wait)
		_, e := c.conclude(a, opLogin, nil)
		checkError(t, e)
		throttled := status == 429 || status == 503 && value != ""
		check.True(t, throttled == (e.Kind == Throttled), "HTTP %d with Retry-After %q is %s", status, value, e.Kind)
	})
}

func FuzzClassify(f *testing.F) {
	for _, status := range []int{200, 206, 302, 400, 401, 403, 408, 422, 429, 500, 503} {
		f.Add(status, 0, "invalid_grant", "The credentials are invalid", opLogin, true)
		f.Add(status, 401, "240101", "Invalid client credentials or scope", opLogin, false)
		f.Add(status, 0, "", "Expired Refresh token", opRefresh, true)
	}
	f.Fuzz(func(t *testing.T, status, stated int, code, text, op string, named bool) {
		s := newScrubber([]string{fuzzPassword, fuzzSecret})
		if op != opRefresh {
			op = opLogin
		}
		faults := []*fault{
			nil, faultFromError(code, text), faultFromSOAP(code, text),
			{kind: firstVisionKind(code), status: stated, code: code, text: text, named: named},
		}
		for _, fault := range faults {
			for _, token := range []string{"", "t0k3n"} {
				a := &response{status: status, header: http.Header{}, sent: fuzzNow(), received: fuzzNow()}
				r := &grant{token: token, fault: fault}
				want := status >= 200 && status <= 299 && fault == nil && token != ""
				check.Equal(t, a.succeeded(r), want, "HTTP %d with %+v is a success", status, fault)
				checkError(t, a.failure(op, r, s))
			}
		}
	})
}

func FuzzScrub(f *testing.F) {
	f.Add(fuzzPassword, "the password correct-horse-battery is wrong", "")
	f.Add(fuzzSecret, "a ", " b")
	f.Add("a b\tc", "%", "+")
	f.Add("removed", "it is re", "moved")
	f.Add("x[re", "x", "x")
	f.Add("é\\\"<&", `\`, `u00e9`)
	f.Add("%25%25%", "%25", "5%")
	f.Add("abcd", "xx", "yy")
	f.Add("10 0", "%", "0")          // What stands before makes another escape of the beginning.
	f.Add("000\xdd", "\xff", "\xbb") // The secret ends within the character that follows.
	f.Fuzz(func(t *testing.T, secret, before, behind string) {
		if secret == "" {
			return
		}
		s := newScrubber([]string{secret, fuzzPassword})
		std, urlSafe := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
		writings := []string{
			secret, printable(secret), url.QueryEscape(secret), url.PathEscape(secret),
			std([]byte(secret)), urlSafe([]byte(secret)), fmt.Sprintf("%+q", secret), fmt.Sprintf("%q", secret),
			hex.EncodeToString([]byte(secret)),
		}
		for _, writing := range writings {
			checkScrubbed(t, s.clean(before+writing+behind), secret)
			if len(secret) >= minSecret && utf8.ValidString(secret) && printable(writing) == writing {
				checkScrubbed(t, s.clean(before+" "+writing+" "+behind), secret)
			}
		}
		checkScrubbed(t, s.clean(before+std([]byte(behind+secret+before))+behind), secret)
	})
}

func checkScrubbed(t *testing.T, text, secret string) {
	t.Helper()
	check.True(t, characters(text) <= maxDetail && utf8.ValidString(text) && strings.TrimSpace(text) == printable(text),
		"%q is not plain or not short", text)
	std := base64.StdEncoding.EncodeToString([]byte(secret))
	for _, writing := range []string{secret, hex.EncodeToString([]byte(secret)), std, url.QueryEscape(secret)} {
		check.True(t, !strings.Contains(text, writing), "%q shows %q", text, secret)
	}
}

func BenchmarkScrub(b *testing.B) {
	for name, text := range map[string]string{
		"short":   "Unable to login with provided credential",
		"longest": strings.Repeat("%41", maxText/3),
	} {
		b.Run(name, func(b *testing.B) {
			s := newScrubber([]string{fuzzPassword, "asha:" + fuzzPassword, fuzzSecret, "client-0042:" + fuzzSecret})
			for b.Loop() {
				s.clean(text)
			}
		})
	}
}

// An assertion is a JWS of the claims, signed with the secret, whatever they are.
func FuzzAssertion(f *testing.F) {
	f.Add("client-0042", fuzzSecret, "https://authorization.example/security/v1/token", int64(1772366400))
	f.Add("<&>\"\\\u2028", "x", "é", int64(-1))
	f.Fuzz(func(t *testing.T, id, secret, audience string, now int64) {
		if secret == "" || !utf8.ValidString(id) || !utf8.ValidString(audience) || now > 1<<40 || now < -1<<40 {
			return // what no config can hold
		}
		a := &Account{Format: Assertion, ClientID: id, ClientSecret: secret, AssertionAudience: audience}
		m := firstVisionProtocol{}.login(a, time.Unix(now, 0))
		values := check.Value(url.ParseQuery(string(m.body)))(t)
		assertion := values.Get("client_assertion")
		input, signature, _ := strings.Cut(assertion, ".")
		payload, signature, _ := strings.Cut(signature, ".")
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input + "." + payload))
		check.Equal(t, signature, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), "signature")
		decoded := check.Value(base64.RawURLEncoding.DecodeString(payload))(t)
		var claims struct {
			Iss, Sub, Aud, Jti string
			Iat, Exp           int64
		}
		check.NoError(t, json.Unmarshal(decoded, &claims))
		check.True(t, claims.Iss == id && claims.Sub == id && claims.Aud == audience && claims.Jti != "", "the claims are %+v", claims)
		check.True(t, claims.Iat <= now && claims.Exp > now && claims.Exp-claims.Iat == 300 && m.validAt(time.Unix(now, 0)),
			"valid from %d to %d at %d", claims.Iat, claims.Exp, now)
		text := newScrubber(m.secrets).clean("x " + assertion + " y")
		check.True(t, !strings.Contains(text, signature), "%q shows the assertion", text)
	})
}
