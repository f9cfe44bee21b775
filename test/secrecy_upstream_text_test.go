// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

// echo is a response with what was sent, in its body and in its headers.
type echo struct {
	status            int
	mediaType, format string
}

func (e echo) respond(w http.ResponseWriter, sent string) {
	line := strings.Join(strings.Fields(sent), " ")
	w.Header().Set("WWW-Authenticate", line)
	w.Header().Set("Location", "https://elsewhere.test/?"+line)
	w.Header().Set("Content-Type", cmp.Or(e.mediaType, line))
	w.WriteHeader(e.status)
	if e.mediaType == "application/json" {
		encoded, _ := json.Marshal(sent) // a string can always be encoded
		sent = string(encoded)
	}
	_, _ = fmt.Fprintf(w, e.format, sent)
}

// echoes are in every place in which an error can stand.
func echoes() []echo {
	const jsonType, xmlType = "application/json", "text/xml"
	const envelope = `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>`
	return []echo{
		{400, jsonType, `{"error":%s}`}, {206, jsonType, `{"error":%s}`}, {200, jsonType, `{"error":%s}`},
		{401, jsonType, `{"error":"invalid_grant","error_description":%s}`}, {403, jsonType, `{"detail":%s}`}, {500, jsonType, `{"message":%s}`},
		{400, jsonType, `{"password":[%s]}`}, {400, jsonType, `{"non_field_errors":[%s]}`}, {400, jsonType, `{%s:"bad"}`},
		{400, jsonType, `[{"errorCode":"240101","title":%[1]s,"detail":%[1]s}]`}, {400, jsonType, `{"error":{"message":%s}}`},
		{400, jsonType, `{"errorCode":%[1]s,"invalid-params":[{"name":%[1]s}]}`}, {302, "", "%s"},
		{502, "text/html", "<html>%s</html>"}, {400, "text/plain", "%s"},
		{500, xmlType, envelope + `<e:Fault><faultcode>e:Client</faultcode><faultstring><![CDATA[%s]]></faultstring></e:Fault></e:Body></e:Envelope>`},
		{200, xmlType, envelope + `<a:access_tokenResponse xmlns:a="urn:server"><error><![CDATA[%s]]></error></a:access_tokenResponse></e:Body></e:Envelope>`},
	}
}

// mountWithUpstream is a mount whose upstream sends every login to reply, and a log.
func mountWithUpstream(t *testing.T, reply func(http.ResponseWriter, mounttest.Request)) (*testMount, *logBuffer) {
	t.Helper()
	book := &logBuffer{}
	w := newTestMountWith(t, func(w *testMount) {
		w.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: book, JSONFormat: true})
		w.Upstream.Replace(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // it is in memory already
			reply(rw, mounttest.Request{Method: r.Method, URL: r.URL.String(), Header: r.Header, Body: string(body)})
		})
	})
	return w, book
}

// picks are what an upstream might repeat of a request.
func (f fixture) picks() []func(mounttest.Request) string {
	secrets := f.secrets()
	picks := []func(mounttest.Request) string{
		mounttest.Request.Text,
		func(mounttest.Request) string {
			return "the password '" + strings.Join(secrets, "' or '") + "' is wrong"
		},
		func(mounttest.Request) string { return strings.Repeat("x", 190) + strings.Join(secrets, " ") },
	}
	for _, secret := range secrets { // alone: what holds two is left out for the sake of either
		picks = append(picks, func(mounttest.Request) string { return secret })
	}
	return picks
}

func TestSecrecy_EchoedSecretsNotPassedOn(t *testing.T) {
	query := firstVision()
	query.name, query.config = "firstvision in query", with(query.config, "request_format", "query")
	eachPair(t, append(fixtures(), query), echoes(), func(t *testing.T, f fixture, e echo) {
		var pick func(mounttest.Request) string
		w, book := mountWithUpstream(t, func(rw http.ResponseWriter, r mounttest.Request) { e.respond(rw, pick(r)) })
		var words []string
		for n, p := range f.picks() {
			pick = p
			name := fmt.Sprintf("gst-%d", n)
			words = append(words, w.refusal(logical.UpdateOperation, "config/"+name, f.config).message)
			w.write("config/"+name, with(f.config, "verify_connection", false))
			w.write("role/"+name, map[string]any{"config": name})
			for range 2 { // from upstream, and from memory
				words = append(words, w.refusal(logical.ReadOperation, "token/"+name, nil).message)
			}
			words = append(words, w.refusal(logical.UpdateOperation, "rotate/"+name, nil).message)
			encoded, err := json.Marshal(w.read("status/" + name).Data)
			check.NoError(t, err)
			words = append(words, string(encoded))
		}
		got, want := len(w.heard()), len(f.picks())
		check.Require(t, got >= want, "the upstream was asked %d times, want %d at least", got, want)
		for key, value := range w.storedUnder("token/") {
			words = append(words, key+" "+value)
		}
		secrets := disguises(f)
		for _, secret := range f.secrets() { // nor the most of one, where the text was cut
			secrets = append(secrets, secret[:len(secret)-2])
		}
		w.hides(strings.Join(words, "\n"), secrets...)
		w.hides(book.String(), secrets...)
	})
}

func TestSecrecy_UpstreamTextIsCut(t *testing.T) {
	long := strings.Repeat("lorem ipsum ", 1000)
	eachNamed(t, map[string]string{
		"a long error":       `{"error":"` + long + `"}`,
		"an unknown field":   `{"error":"wrong","debug":"canary","trace":{"canary":"canary"}}`,
		"an unknown shape":   `{"canary-key-of-no-use":{"a":["canary"]}}`,
		"a page":             `<html><title>canary</title></html>`,
		"text":               `canary`,
		"many problems":      `[` + strings.TrimSuffix(strings.Repeat(`{"errorCode":"240009","title":"canary-not"},`, 500), ",") + `]`,
		"control characters": `{"error":"a\u0000b\u001b[31mc\r\nd\u2028e"}`,
	}, func(t *testing.T, name, response string) {
		w, book := jwtV1().logged(t)
		w.respond(http.StatusBadRequest, response)
		r := w.refusal(logical.ReadOperation, "token/app", nil)
		for _, text := range []string{r.message, text(t, w.read("status/gst").Data, "last_error")} {
			check.True(t, len(text) <= 1000, "a message of %d bytes", len(text))
			check.True(t, !strings.ContainsAny(text, "\x00\x1b\r\n\u2028"), "control characters in %q", text)
			if name != "many problems" {
				w.hides(strings.ReplaceAll(text, "canary-key-of-no-use", ""), "canary")
			}
		}
		for line := range strings.SplitSeq(book.String(), "\n") {
			check.True(t, len(line) <= 2000, "a log line of %d bytes", len(line))
		}
	})
}

// respond is an upstream that responds to everything with that.
func (s *testMount) respond(status int, body string) {
	s.Upstream.Replace(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func TestSecrecy_StoredPasswordInVerification(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.token("app")
		s.respond(http.StatusUnauthorized, `{"error":true,"message":"it is not the password pass-of-clerk"}`)
		message := s.refused(logical.UpdateOperation, "config/gst", map[string]any{"password": "quite-another-word"})
		check.True(t, !strings.Contains(message, "pass-of-clerk"), "%s", message)
	})
}

// A superseded token that is too short to be known by its form is in no message, also after a restart.
func TestSecrecy_ShortSupersededToken(t *testing.T) {
	gstTest(t, time.Hour, func(t *testing.T, s *testMount) {
		s.loginsReturn(`{"token":"tok-first-one","expires_in":3600}`)
		s.token("app")
		advance(time.Minute)
		s.loginsReturn(`{"token":"tok-other-two","expires_in":3600}`)
		s.mustRotate()
		s.Reload()
		s.respond(http.StatusUnauthorized, `{"error":true,"message":"session of tok-first-one is open, invalid_grant"}`)
		advance(time.Minute)
		_, err := s.rotate()
		check.True(t, err != nil && !strings.Contains(err.Error(), "tok-first-one"), "%v", err)
	})
}
