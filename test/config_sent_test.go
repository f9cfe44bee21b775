// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"net/http"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
)

func TestConfigSent_SendsConfiguredValues(t *testing.T) {
	type wire struct {
		of     fixture
		change map[string]any
		sent   []string
	}
	inJSON, inQuery := jwtV1(), firstVision()
	each(t, map[string]wire{
		"user and password": {inJSON, nil, []string{
			`"username":"clerk"`, `"password":"pass-of-clerk"`, "Content-Type: application/json",
		}},
		"a form": {inJSON, map[string]any{"request_format": "form"}, []string{"username=clerk", "application/x-www-form-urlencoded"}},
		"a multipart body": {inJSON, map[string]any{"request_format": "multipart"}, []string{
			`name="username"`, "multipart/form-data; boundary=",
		}},
		"a client":      {oauth(), nil, []string{`"client_id":"oauth-app"`, `"client_secret":`, `"grant_type":"password"`}},
		"a scope":       {inQuery, nil, []string{`"scope":"accounts cards"`, `"grant_type":"client_credentials"`}},
		"a query":       {inQuery, map[string]any{"request_format": "query"}, []string{"scope=accounts", "Authorization: Basic "}},
		"a SOAP action": {soap(), map[string]any{"soap_action": "urn:server#other"}, []string{"urn:server#other"}},
		"a SOAP user element": {soap(), map[string]any{"soap_username_element": "Benutzer"}, []string{
			"<Benutzer>soap-clerk</Benutzer>",
		}},
		"a SOAP secret element": {soap(), map[string]any{"soap_password_element": "Kennwort"}, []string{
			"<Kennwort>pass-of-soap-clerk</Kennwort>",
		}},
		"a header": {inJSON, map[string]any{"headers": "X-Team=gst"}, []string{"X-Team: gst"}},
	}, func(t *testing.T, wire wire) {
		w, _ := mountWithUpstream(t, func(rw http.ResponseWriter, _ mounttest.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
		w.write("config/gst", merged(with(wire.of.config, "verify_connection", false), wire.change))
		w.write("role/app", map[string]any{"config": "gst"})
		w.refusal("read", "token/app", nil)
		heard := w.heard()
		check.Require(t, len(heard) == 1 && heard[0].Method == http.MethodPost, "%d requests, want one POST", len(heard))
		w.says(heard[0].Text(), wire.sent...)
	})
}

func TestConfigSent_TokenURLUnchanged(t *testing.T) {
	eachOf(t, []string{
		"/api/v1/token-auth/", "/api/v1/token-auth", "/", "/api.einvoice.php?wsdl", "/a//b/../c/", "/p%20q/%2F?x=1&y=%26&y=2", "/?a;b",
	}, func(t *testing.T, path string) {
		w, _ := mountWithUpstream(t, func(rw http.ResponseWriter, _ mounttest.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
		w.write("config/gst", jwtConfig("token_url", upstreamURL+path, "verify_connection", false))
		w.write("role/app", map[string]any{"config": "gst"})
		w.refusal("read", "token/app", nil)
		check.Equal(t, w.heard()[0].URL, upstreamURL+path, "sent to")
		check.Equal[any](t, w.read("config/gst").Data["token_url"], upstreamURL+path, "token_url")
	})
}

func TestConfigSent_SecretUnchanged(t *testing.T) {
	t.Parallel()
	for _, plain := range variants() {
		timed(t, plain.name, func(t *testing.T) {
			f := plain.awkward()
			w := newTestMount(t, f.account)
			w.loggingIn(1, func() { w.write("config/gst", f.config) })
		})
	}
	timed(t, "a blank at the end", func(t *testing.T) {
		f := jwtV1()
		f.account.Password = " pass of clerk "
		w := newTestMount(t, f.account)
		w.loggingIn(1, func() { w.write("config/gst", with(f.config, "password", " pass of clerk ")) })
		got := strings.Count(w.heard()[0].Body, " pass of clerk ")
		check.True(t, got == 1, "the password was sent %d times as it is, want once", got)
	})
	timed(t, "letters of other scripts", func(t *testing.T) {
		f := jwtV1()
		f.account.Password = "पासवर्ड-ß-🔑"
		w := newTestMount(t, f.account)
		w.loggingIn(1, func() { w.write("config/gst", with(f.config, "password", "पासवर्ड-ß-🔑")) })
	})
}
