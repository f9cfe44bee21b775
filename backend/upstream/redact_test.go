// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// encodings are the ways in which a server may write what it was sent.
func encodings() map[string]func(string) string {
	std, raw64 := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	asJSON := func(s string) string {
		b, _ := json.Marshal(s)
		return strings.Trim(string(b), `"`)
	}
	asXML := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	return map[string]func(string) string{
		"as it is":                        func(s string) string { return s },
		"in small letters":                strings.ToLower,
		"as a query":                      url.QueryEscape,
		"as a path":                       url.PathEscape,
		"as a query, in small letters":    func(s string) string { return strings.ToLower(url.QueryEscape(s)) },
		"with every byte in percent":      func(s string) string { return "%" + strings.ReplaceAll(fmt.Sprintf("% x", s), " ", "%") },
		"as JavaScript's component":       componentEscape,
		"as JSON":                         asJSON,
		"as JSON of ASCII alone":          asciiJSON,
		"as JSON of PHP":                  func(s string) string { return strings.ReplaceAll(asJSON(s), "/", `\/`) },
		"as JSON within JSON":             func(s string) string { return asJSON(asJSON(s)) },
		"as XML":                          asXML,
		"as HTML":                         html.EscapeString,
		"as XML with every rune a number": numberAll,
		"as XML within XML":               func(s string) string { return asXML(asXML(s)) },
		"as a query within JSON":          func(s string) string { return asJSON(url.QueryEscape(s)) },
		"as JSON within a query":          func(s string) string { return url.QueryEscape(asJSON(s)) },
		"as base64":                       func(s string) string { return std([]byte(s)) },
		"as base64 for URLs":              func(s string) string { return raw64([]byte(s)) },
		"as base64 within a query":        func(s string) string { return url.QueryEscape(std([]byte(s))) },
		"as base64 behind a user":         func(s string) string { return std([]byte(testUser + ":" + s)) },
		"as base64 in the middle":         func(s string) string { return std([]byte("x" + s + "y")) },
		"as base64 further in the middle": func(s string) string { return std([]byte("xy" + s + "y")) },
		"as base64 in lines of 76": func(s string) string {
			return regexp.MustCompile(`.{76}`).ReplaceAllString(std([]byte(strings.Repeat("x", 50)+s+"y")), "$0\r\n")
		},
		"as hex":                       func(s string) string { return hex.EncodeToString([]byte(s)) },
		"as hex in capitals":           func(s string) string { return fmt.Sprintf("% X", s) },
		"as UTF-8 read as Latin-1":     latin1,
		"without what is not ASCII":    func(s string) string { return regexp.MustCompile(`[^\x00-\x7f]`).ReplaceAllString(s, "") },
		"with ? for what is not ASCII": func(s string) string { return regexp.MustCompile(`[^\x00-\x7f]`).ReplaceAllString(s, "?") },
		"without punctuation":          func(s string) string { return regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(s, "") },
		"as JSON in two lines":         func(s string) string { return asJSON(s[:1]) + `\n` + asJSON(s[1:]) },
		"with its last letter cut":     func(s string) string { return s[:strings.LastIndexAny(s, asciiWord)] },
		"with its first letter cut":    func(s string) string { return s[strings.IndexAny(s, asciiWord)+1:] },
	}
}

const asciiWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// latin1 is what a program shows that takes each byte of UTF-8 for a character.
func latin1(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// componentEscape is encodeURIComponent of JavaScript, which leaves more as it is than url.QueryEscape does.
func componentEscape(s string) string {
	escaped := strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	return strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(escaped)
}

// asciiJSON is what Python's json.dumps makes of a string.
func asciiJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < 0x80:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}

func numberAll(s string) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		fmt.Fprintf(&b, []string{"&#%d;", "&#x%x;"}[i%2], r)
	}
	return b.String()
}

// echoes are the responses, in JSON and over SOAP, in which a server may repeat what it was sent.
func echoes() map[string]func(text string) string {
	quote := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	escape := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	return map[string]func(string) string{
		"error":                func(s string) string { return `{"error":` + quote(s) + `}` },
		"error in data":        func(s string) string { return `{"data":{"error":` + quote(s) + `}}` },
		"error list":           func(s string) string { return `{"error":[` + quote(s) + `]}` },
		"error object":         func(s string) string { return `{"error":{"code":` + quote(s) + `,"message":` + quote(s) + `}}` },
		"error_description":    func(s string) string { return `{"error":"invalid_grant","error_description":` + quote(s) + `}` },
		"detail":               func(s string) string { return `{"detail":` + quote(s) + `}` },
		"non_field_errors":     func(s string) string { return `{"non_field_errors":[` + quote(s) + `]}` },
		"field list":           func(s string) string { return `{"username":[` + quote(s) + `]}` },
		"field name":           func(s string) string { return `{` + quote(s) + `:["x"]}` },
		"errorCode":            func(s string) string { return `{"errorCode":` + quote(s) + `,"title":"x"}` },
		"title":                func(s string) string { return `[{"errorCode":"1","title":` + quote(s) + `}]` },
		"invalid-params":       func(s string) string { return `[{"errorCode":"1","invalid-params":["x",` + quote(s) + `]}]` },
		"FirstVision's detail": func(s string) string { return `[{"errorCode":"1","detail":` + quote(s) + `}]` },
		"errorMessage":         func(s string) string { return `{"errorCode":"1","errorMessage":` + quote(s) + `}` },
		"status":               func(s string) string { return `{"errorCode":"1","status":` + quote(s) + `}` },
		"expires_in":           func(s string) string { return `{"token":"` + testOpaqueToken + `","expires_in":` + quote(s) + `}` },
		"no JSON":              func(s string) string { return "<html>" + s },
		"unknown key":          func(s string) string { return `{"x":` + quote(s) + `,` + quote(s) + `:1}` },

		"bare text":     func(s string) string { return soapResponse("access_tokenResponse", escape(s)) },
		"error element": func(s string) string { return soapResponse("access_tokenResponse", "<error>"+escape(s)+"</error>") },
		"description element": func(s string) string {
			return soapResponse("access_tokenResponse", "<error_description>"+escape(s)+"</error_description>")
		},
		"faultcode":   func(s string) string { return soapFault(escape(s), "x") },
		"faultstring": func(s string) string { return soapFault("s:Client", escape(s)) },
	}
}

// mustNotShow checks that nothing of an error holds a secret, in any of the given writings.
func mustNotShow(t *testing.T, where string, err error, writings ...string) {
	t.Helper()
	texts := []string{err.Error(), fmt.Sprintf("%v %+v %#v %s", err, err, err, err)}
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		texts = append(texts, string(e.Kind), e.Op, string(e.Cause), e.Code, e.Detail, fmt.Sprintf("%#v", *e))
	}
	for _, text := range texts {
		for _, writing := range writings {
			check.Require(t, writing == "" || !strings.Contains(text, writing), "%s: %q shows %q", where, text, writing)
		}
	}
}

func TestRedact_EchoedSecrets(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols() {
		parallel(t, string(protocol), func(t *testing.T) {
			var response atomic.Pointer[http.HandlerFunc]
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { (*response.Load())(w, r) })
			a := accountFor(protocol, s.URL)
			c := newClient(t, a)
			asked := 0
			check.Require(t, len(secretsOf(a)) > 0, "accountFor has no secret that Credentials returns")
			for _, secret := range secretsOf(a) {
				for writing, encode := range encodings() {
					for field, echo := range echoes() {
						status := []int{200, 400, 401, 500}[asked%4]
						handle := always(status, "application/json", echo("the value "+encode(secret)+" is wrong"))
						response.Store(&handle)
						_, err := c.Login(context.Background())
						if asked++; err == nil || s.asked() != asked {
							t.Fatalf("asked %d times, %v", s.asked(), err)
						}
						where := fmt.Sprintf("%s %s, at HTTP %d", field, writing, status)
						mustNotShow(t, where, err, secret, encode(secret), html.UnescapeString(encode(secret)))
					}
				}
			}
		})
	}
}

// secretsOf are the secrets of an account, as its protocol may send them.
func secretsOf(a upstream.Account) []string {
	var secrets []string
	for _, c := range a.Credentials() {
		if c.Secret && c.Value != "" {
			secrets = append(secrets, c.Value)
		}
	}
	if a.ClientSecret != "" {
		secrets = append(secrets, a.ClientID+":"+a.ClientSecret)
	}
	return secrets
}

func TestRedact_TokensOfResponse(t *testing.T) {
	t.Parallel()
	const token, other = "eyJhbGciOi.eyJleHAiOj.c2lnbmF0dX", "0f1e2d3c4b5a"
	responses := []string{
		`{"token":"` + token + `","refresh_token":"` + other + `","error":"not now: TOKEN"}`,
		`{"access_token":"` + token + `","refresh token":"` + other + `","error":"not now: TOKEN"}`,
		`{"data":{"token":"` + token + `","user":{"refresh_token":"` + other + `"}},"error":"not now: TOKEN"}`,
		`{"token":{"value":"` + token + `","user":{"refresh_token":"` + other + `"}},"error":"not now: TOKEN"}`,
		`{"token":["` + token + `",["` + other + `"]],"error":"not now: TOKEN"}`,
		`[{"errorCode":"1","title":"not now: TOKEN","token":"` + token + `","access_token":"` + other + `"}]`,
	}
	for _, response := range responses {
		for _, echoed := range []string{token, other, url.QueryEscape(token), base64.StdEncoding.EncodeToString([]byte(other))} {
			body := strings.Replace(response, "TOKEN", echoed, 1)
			e := mustFail(login(t, upstream.OAuth, always(400, "application/json", body)))(t)
			mustNotShow(t, body, e, token, other, echoed)
			check.True(t, !strings.Contains(e.Detail, "not now"), "a text with a token is passed on: %q", e.Detail)
		}
	}
	body := soapResponse("access_new_tokenResponse", "<access_token>"+token+"</access_token><error>not now: "+token+"</error>")
	check.Equal(t, mustFail(login(t, upstream.SOAP, always(200, "text/xml", body)))(t).Detail, "", "a text with a token")
}

func TestRedact_RefreshToken(t *testing.T) {
	t.Parallel()
	for writing, encode := range encodings() {
		echoed := encode("an-old-refresh-token")
		b, _ := json.Marshal(map[string]string{"error": "expired: " + echoed})
		e := mustFail(refresh(t, always(400, "application/json", string(b))))(t)
		mustNotShow(t, writing, e, "an-old-refresh-token", echoed)
		check.Equal(t, e.Detail, "", "%s: the detail", writing)
	}
}

func TestRedact_ResponseHeaders(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery"
	for _, media := range []string{
		secret, "text/" + secret, secret + "/html", "text/html; charset=" + secret, "TEXT/" + strings.ToUpper(secret),
	} {
		e := loginWith(t, secret, always(200, media, "<p>", "Location: /"+secret, "Retry-After: "+secret, "X-"+secret+": "+secret))
		mustNotShow(t, media, e, secret, strings.ToUpper(secret))
	}
}

func TestRedact_BeforeCut(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery-staple"
	for before := 150; before <= 200; before++ {
		e := loginWith(t, secret, always(206, "application/json", `{"error":"`+strings.Repeat("x ", before/2)+" "+secret+`"}`))
		check.Require(t, !strings.Contains(e.Detail, "corr") && len([]rune(e.Detail)) <= 200, "%d before: %q", before, e.Detail)
	}
}

func TestRedact_PartOfLongSecret(t *testing.T) {
	t.Parallel()
	const secret, part = "abcdefghijklmnopqrstuvwxyzZYXWVUTSRQPONMLKJIHGFEDCBA", 16
	for from := range len(secret) - part + 1 {
		e := loginWith(t, secret, always(206, "application/json", `{"error":"it is `+secret[from:from+part]+`-wrong"}`))
		check.Equal(t, e.Detail, "", "the detail, with a part of the secret")
	}
}

func TestRedact_TextMadePlain(t *testing.T) {
	type testCase struct{ text, want string }
	each(t, map[string]testCase{
		"line breaks and tabs":            {"a\r\n\tb  c\u2028d\u00a0e", "a b c d e"},
		"control characters":              {"a\x00b\x1b[31mc\x7f", "ab[31mc"},
		"marks of direction":              {"a\u202eb\u200bc\ufeff", "abc"},
		"what is no character":            {"a\ufffdb", "ab"},
		"letters of any script":           {"é अ 中 😀", "é अ 中 😀"},
		"what only looks escaped":         {`a\q\u12&nosuch;%zz`, `a\q\u12&nosuch;%zz`},
		"more than 200 characters":        {strings.Repeat("अ", 300), strings.Repeat("अ", 200)},
		"more than could be an error":     {strings.Repeat("a", 40<<10), ""},
		"a secret parted by nothing":      {"it is horse\x00radish-7", "-"},
		"a secret twice":                  {"horseradish-7horseradish-7 horseradish-7", "-"},
		"a secret in letters of any size": {"HORSERADISH-7", "-"},
		"half a secret":                   {"horse and radish", "horse and radish"},
		"a word that may be a token":      {"session 0f1e2d3c4b5a69788796 is open", "session … is open"},
		"a long word that is none":        {"a NullPointerExceptionInAuthentication", "a NullPointerExceptionInAuthentication"},
		"a word longer than any":          {"a " + strings.Repeat("x", 40), "a …"},
	}, func(t *testing.T, test testCase) {
		body, _ := json.Marshal(map[string]any{"error": "x y", "error_description": test.text})
		e := loginWith(t, "horseradish-7", always(206, "application/json", string(body)))
		want := strings.TrimSuffix("x y: "+test.want, ": ")
		if test.want == "-" || len(test.text) > 16<<10 {
			want = ""
		}
		if runes := []rune(want); len(runes) > 200 {
			want = string(runes[:200])
		}
		check.Equal(t, e.Detail, want, "the detail")
	})
}

func TestRedact_SecretWithinSecret(t *testing.T) {
	t.Parallel()
	change := func(a *upstream.Account) { a.Password, a.ClientSecret = "my horse battery", "horse" }
	token, err := loginAs(t, upstream.OAuth, change, always(400, "application/json", `{"error":"no good: my horse battery"}`))
	check.Equal(t, mustFail(token, err)(t).Detail, "", "the detail")
}

func TestRedact_ShortSecretSilences(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"a", "abc", "move", "removed", "[removed]"} {
		body := `{"error":"a remark about abc, move, removed and [removed]"}`
		e := loginWith(t, password, always(206, "application/json", body))
		mustBe(t, e, "rejected")
		check.Equal(t, e.Detail, "", "with the password %q the detail", password)
	}
}

func TestRedact_ManyTokensSilence(t *testing.T) {
	t.Parallel()
	var tokens []string
	for i := range 20_000 {
		tokens = append(tokens, fmt.Sprintf(`{"token":"token-%d"}`, i))
	}
	bodies := []string{
		`{"error":"a remark","data":{"list":[` + strings.Join(tokens, ",") + `]}}`,
		`{"error":"a remark","token":"` + strings.Repeat("x", 900_000) + `"}`,
	}
	for _, body := range bodies {
		e := mustFail(login(t, upstream.JWT, always(206, "application/json", body)))(t)
		mustBe(t, e, "rejected")
		check.Equal(t, e.Detail, "", "the detail")
	}
}

// TestRedact_TokensOfOtherLogins has the upstream speak of tokens that neither the request nor the response holds.
func TestRedact_TokensOfOtherLogins(t *testing.T) {
	t.Parallel()
	// Short and without a digit: nothing but the list that the caller gives tells that they are secrets.
	const current, superseded = "quietmeadow", "silver-lantern"
	for writing, encode := range encodings() {
		for _, open := range []string{current, superseded} {
			b, _ := json.Marshal(map[string]string{"error": "session " + encode(open) + " is still open"})
			s := serve(t, always(400, "application/json", string(b)))
			client := newClient(t, accountFor(upstream.JWT, s.URL))
			e := mustFail(client.Login(t.Context(), current, superseded))(t)
			mustNotShow(t, writing, e, open, encode(open))
			mustNotShow(t, writing, mustFail(client.Refresh(t.Context(), "an-old-refresh-token", current, superseded))(t), open, encode(open))

			without := mustFail(client.Login(t.Context()))(t)
			check.True(t, without.Detail != e.Detail, "%s: the detail is %q without the list: this shows nothing", writing, e.Detail)
		}
	}
}

// net/http logs what comes beyond a response's length, where the connection is kept. The log is the process's: not parallel.
func TestRedact_NetHTTPLogsNothing(t *testing.T) { //nolint:paralleltest // see above
	var logged bytes.Buffer
	before := log.Writer()
	log.SetOutput(&logged)
	defer log.SetOutput(before)
	body := `{"token":"` + testOpaqueToken + `"}`
	closed := make(chan struct{})
	s := serveRaw(t, func(conn net.Conn) {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s%s", len(body), body, body)
		_, _ = io.Copy(io.Discard, conn) // until the client has closed it
		close(closed)
	})
	check.Value(newClient(t, accountFor(upstream.JWT, s.url)).Login(t.Context()))(t)
	select {
	case <-closed: // it logs before it closes
	case <-time.After(10 * time.Second):
		t.Fatal("the connection is kept")
	}
	check.True(t, logged.Len() == 0, "logged: %s", logged.String())
}

// A problem is a constant, in which the compiler lets no text of an upstream: it can only be let in by a conversion.
func TestProblemText_IsNeverConverted(t *testing.T) {
	t.Parallel()
	for _, name := range check.Value(filepath.Glob("*.go"))(t) {
		text := string(check.Value(os.ReadFile(name))(t))
		check.True(t, strings.HasSuffix(name, "_test.go") || !strings.Contains(text, "problemText("), "%s converts a text to problemText", name)
	}
}
