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
