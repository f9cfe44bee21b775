// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// roots makes PEM certificates for ca_cert.
func roots(t *testing.T) string {
	t.Helper()
	ca, err := simulator.NewCA()
	check.NoError(t, err)
	return string(ca.CertPEM())
}

// moves are writes that each send the secrets elsewhere, or by a way on which someone else can listen.
func moves(t *testing.T) map[string]map[string]any {
	t.Helper()
	return map[string]map[string]any{
		"token_url":              {"token_url": "https://elsewhere.test/oauth/access_token"},
		"a query in token_url":   {"token_url": "https://upstream.test/oauth/access_token?to=elsewhere"},
		"plain http":             {"token_url": "http://upstream.test/oauth/access_token", "allow_http": true},
		"allow_http":             {"allow_http": true},
		"proxy_url":              {"proxy_url": "http://elsewhere.test:3128"},
		"ca_cert":                {"ca_cert": roots(t)},
		"preset":                 {"preset": "oauth-sandbox"},
		"protocol":               {"protocol": "soap", "request_format": ""},
		"protocol and much else": {"protocol": "soap", "request_format": "", "authorization_scheme": "Bearer", "scope": ""},
	}
}

// secureOAuth is a config with an endpoint that does not exist.
func secureOAuth() map[string]any {
	return with(without(oauth().config, "allow_http"), "token_url", "https://upstream.test/oauth/access_token", "verify_connection", false)
}

func TestConfigMove_NeedsSecretsAgain(t *testing.T) {
	all := oauth().onlySecrets()
	each(t, moves(t), func(t *testing.T, move map[string]any) {
		w := newTestMount(t, oauth().account)
		w.write("config/gst", secureOAuth())
		for _, verify := range []bool{true, false} {
			for _, given := range []struct {
				secrets map[string]any
				missing []string
			}{
				{nil, []string{"password", "client_secret"}}, {without(all, "client_secret"), []string{"client_secret"}},
				{without(all, "password"), []string{"password"}}, {with(all, "password", ""), []string{"password"}},
			} {
				data := with(merged(move, given.secrets), "verify_connection", verify)
				w.badRequest(logical.UpdateOperation, "config/gst", data, given.missing...)
			}
		}
		w.quiet(func() { w.write("config/gst", with(merged(move, all), "verify_connection", false)) })
	})
}

func TestConfigMove_NewRefreshURLNeedsSecrets(t *testing.T) {
	first := jwtV2()
	first.config = without(first.config, "refresh_url", "refresh_headers")
	type testCase struct {
		of   fixture
		move string
	}
	each(t, map[string]testCase{
		"another": {jwtV2(), upstreamURL + "/elsewhere/"}, "none": {jwtV2(), ""}, "a first": {first, upstreamURL + "/elsewhere/"},
	}, func(t *testing.T, c testCase) {
		w := c.of.mounted(t)
		w.read("token/app")
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"refresh_url": c.move}, "password")
	})
}

// A secret that only signs assertions is not sent itself unless it is given again.
func TestConfigMove_SigningSecretNotSent(t *testing.T) {
	eachOf(t, []string{"json", "query", "form"}, func(t *testing.T, format string) {
		f := assertion()
		w := f.mounted(t)
		change := map[string]any{"request_format": format, "verify_connection": false}
		w.badRequest(logical.UpdateOperation, "config/gst", change, "client_secret: must be given again", "request_format")
		w.badRequest(logical.UpdateOperation, "config/gst", with(change, "client_secret", ""), "client_secret")
		w.write("config/gst", merged(change, f.onlySecrets()))
		w.write("config/gst", map[string]any{"request_format": "assertion", "assertion_audience": assertionAudience})
	})
}

func TestConfigMove_OldRefreshTokenNotSent(t *testing.T) { //nolint:tparallel // eachOf calls it
	eachOf(t, []bool{true, false}, func(t *testing.T, verify bool) {
		f := jwtV2()
		w := f.mounted(t)
		oldToken := text(t, w.read("token/app").Data, "access_token")
		old := refreshToken(t, w.heard()[0])
		w.write("config/gst", with(f.onlySecrets(), "refresh_url", upstreamURL+"/elsewhere/", "verify_connection", verify))
		revoked, warnings := w.revoke(tokenID(oldToken))
		check.True(t, revoked[tokenID(oldToken)].upstream == "unsupported" && len(warnings) != 0,
			"revoke of a token of the former endpoint returns %+v, warnings %q", revoked, warnings)
		w.read("token/app")
		for range 2 {
			w.write("revoke/gst", nil)
			w.Reload()
			advance(time.Minute)
		}
		elsewhere := 0
		for _, r := range w.heard() {
			if !strings.Contains(r.URL, "/elsewhere/") {
				continue
			}
			elsewhere++
			w.hides(r.Text(), old)
		}
		check.True(t, elsewhere != 0, "nothing was sent to the new refresh_url, not even the refresh token that was issued under it")
	})
	// Whatever needs the secrets again ends the refresh tokens too, but for token_url, where none is sent.
	f := jwtV2()
	for _, c := range f.changes(t) {
		if !c.secrets || c.field == "token_url" {
			continue
		}
		timed(t, c.field, func(t *testing.T) {
			w := f.mounted(t)
			old := tokenID(text(t, w.read("token/app").Data, "access_token"))
			w.write("config/gst", with(f.onlySecrets(), c.field, c.written, "verify_connection", false))
			w.quiet(func() {
				revoked, _ := w.revoke(old)
				check.Equal(t, revoked[old].upstream, "unsupported", "revoke of a token from before another %s", c.field)
			})
		})
	}
}

// refreshToken is the refresh token that a login got.
func refreshToken(t *testing.T, login mounttest.Request) string {
	t.Helper()
	var response struct {
		Refresh string `json:"refresh_token"`
	}
	err := json.Unmarshal([]byte(login.Response), &response)
	check.Require(t, err == nil && response.Refresh != "", "no refresh token in the response to %s: %v", login.URL, err)
	return response.Refresh
}

// The same as before, in other words. TestConfigUpdate_ChangesOnlyNamedFields has all other fields.
func TestConfigMove_SameEndpointNeedsNoSecrets(t *testing.T) {
	mountTest(t, oauth(), func(_ *testing.T, w *testMount) {
		for field, value := range map[string]any{
			"token_url": upstreamURL + "/oauth/access_token", "allow_http": "true", "protocol": "oauth", "proxy_url": "", "ca_cert": "", "refresh_url": "",
		} {
			w.quiet(func() { w.write("config/gst", map[string]any{field: value, "verify_connection": false}) })
		}
	})
}
