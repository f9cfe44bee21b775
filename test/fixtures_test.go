// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// fixture is an upstream account, and the config for it. All names and secrets are invented.
type fixture struct {
	name    string
	account simulator.Account
	config  map[string]any
	scheme  string
	life    time.Duration // of a token, unless the account says otherwise
	silent  time.Duration // of one whose response states none, by the vendor's page
	// formats are the request formats that token_url takes besides that of the config.
	formats []upstream.Format
}

func (f fixture) String() string { return f.name }

// spec is what the fixture's protocol declares.
func (f fixture) spec() upstream.Spec {
	spec, _ := upstream.SpecOf(upstream.Protocol(f.account.Protocol))
	return spec
}

// format is the request format of the fixture's config.
func (f fixture) format() upstream.Format {
	if format, ok := f.config["request_format"].(string); ok {
		return upstream.Format(format)
	}
	return f.spec().DefaultFormat()
}

// fields are the settings that the protocol uses with the fixture's request format.
func (f fixture) fields() []upstream.Field {
	var fields []upstream.Field
	for _, field := range f.spec().Fields {
		if len(field.Formats) == 0 || slices.Contains(field.Formats, f.format()) {
			fields = append(fields, field)
		}
	}
	return fields
}

// needs reports whether a config for the fixture must have the field.
func (f fixture) needs(name string) bool {
	use, _ := f.spec().Use(name, f.format())
	return use.Required || name == "token_url"
}

// fixtures are one for each protocol, both versions of jwt, and each way to log in at firstvision.
func fixtures() []fixture {
	return []fixture{jwtV1(), jwtV2(), oauth(), soap(), firstVision(), assertion(), latam()}
}

func jwtV1() fixture {
	return fixture{"jwt-v1", jwtAccount(), jwtConfig(), "JWT", 24 * time.Hour, 24 * time.Hour, []upstream.Format{upstream.Form, upstream.Multipart}}
}

// jwtV2 is the product whose tokens come with a refresh token.
func jwtV2() fixture {
	return fixture{"jwt-v2", jwtAccount(), jwtConfig(
		"token_url", upstreamURL+"/api/v2/token-auth/", "refresh_url", upstreamURL+"/api/v2/api-token-refresh/",
		"headers", "Productid=einvoicing_global", "refresh_headers", "Service=online_service",
	), "JWT", 24 * time.Hour, 24 * time.Hour, []upstream.Format{upstream.Form, upstream.Multipart}}
}

func oauth() fixture {
	return fixture{
		"oauth", simulator.Account{
			Protocol: simulator.OAuth, Username: "oauth-clerk", Password: "pass-of-oauth-clerk",
			ClientID: "oauth-app", ClientSecret: "secret-of-oauth-app",
		},
		map[string]any{
			"protocol": "oauth", "token_url": upstreamURL + "/oauth/access_token", "allow_http": true,
			"username": "oauth-clerk", "password": "pass-of-oauth-clerk",
			"client_id": "oauth-app", "client_secret": "secret-of-oauth-app",
		},
		"Bearer", time.Hour, time.Hour, []upstream.Format{upstream.Form},
	}
}

func soap() fixture {
	return fixture{
		"soap", simulator.Account{
			Protocol: simulator.SOAP, Username: "soap-clerk", Password: "pass-of-soap-clerk",
			ClientID: "soap-app", ClientSecret: "secret-of-soap-app",
		},
		map[string]any{
			"protocol": "soap", "token_url": upstreamURL + "/api.einvoice.php", "allow_http": true,
			"username": "soap-clerk", "password": "pass-of-soap-clerk",
			"client_id": "soap-app", "client_secret": "secret-of-soap-app",
		},
		"Bearer", 4 * time.Hour, 4 * time.Hour, nil,
	}
}

func firstVision() fixture {
	return fixture{
		"firstvision", simulator.Account{Protocol: simulator.FirstVision, ClientID: "card-app", ClientSecret: "secret-of-card-app"},
		map[string]any{
			"protocol": "firstvision", "token_url": upstreamURL + "/v1/api/oauth/token", "allow_http": true,
			"client_id": "card-app", "client_secret": "secret-of-card-app", "scope": "accounts cards",
		},
		"Bearer", 7199 * time.Second, 2 * time.Hour, []upstream.Format{upstream.Query},
	}
}

// assertionAudience is what the simulator wants as the claim aud.
const assertionAudience = "https://cert.api.firstdata.com/api/fs/fv_emea/security/v1/token"

// assertion is firstvision outside of the APAC sandbox.
func assertion() fixture {
	return fixture{
		"firstvision-assertion", simulator.Account{
			Protocol: simulator.FirstVision, ClientID: "emea-app", ClientSecret: "secret-of-emea-app-as-long-as-hs256-wants",
		},
		map[string]any{
			"protocol": "firstvision", "token_url": upstreamURL + "/api/fs/fv_emea/security/v1/token/jwt/generate",
			"allow_http": true, "request_format": "assertion", "assertion_audience": assertionAudience,
			"client_id": "emea-app", "client_secret": "secret-of-emea-app-as-long-as-hs256-wants", "scope": "emea_firstvision",
		},
		"Bearer", time.Hour, 2 * time.Hour, nil,
	}
}

// latam is firstvision in Latin America.
func latam() fixture {
	return fixture{
		"firstvision-form", simulator.Account{Protocol: simulator.FirstVision, ClientID: "latam-app", ClientSecret: "secret-of-latam-app"},
		map[string]any{
			"protocol": "firstvision", "token_url": upstreamURL + "/cards/token", "allow_http": true, "request_format": "form",
			"client_id": "latam-app", "client_secret": "secret-of-latam-app", "headers": "apikey=latam-app",
		},
		"Bearer", 1799 * time.Second, 2 * time.Hour, nil,
	}
}

// secrets are what of the fixture must never be shown.
func (f fixture) secrets() []string {
	var found []string
	for _, name := range secretFields() {
		if secret, ok := f.config[name].(string); ok {
			found = append(found, secret)
		}
	}
	return found
}

// headersAnd are the headers that the fixture's login needs, and one more.
func (f fixture) headersAnd(name, value string) map[string]any {
	headers := map[string]any{name: value}
	if own, _ := f.config["headers"].(string); own != "" {
		key, value, _ := strings.Cut(own, "=")
		headers[key] = value
	}
	return headers
}

// onlySecrets are the secrets as a write names them.
func (f fixture) onlySecrets() map[string]any {
	data := map[string]any{}
	for _, name := range secretFields() {
		if secret, ok := f.config[name]; ok {
			data[name] = secret
		}
	}
	return data
}

// accountWith is the fixture's account with another value of a credential.
func (f fixture) accountWith(t *testing.T, name, value string) simulator.Account {
	t.Helper()
	encoded, err := json.Marshal(f.account)
	check.NoError(t, err)
	var data map[string]any
	check.NoError(t, json.Unmarshal(encoded, &data))
	var a simulator.Account
	recode(t, with(data, name, value), &a)
	return a
}

// with is data with something added or replaced.
func with(data map[string]any, more ...any) map[string]any {
	data = maps.Clone(data)
	if data == nil {
		data = map[string]any{}
	}
	for n := 0; n < len(more); n += 2 {
		data[more[n].(string)] = more[n+1]
	}
	return data
}

// merged is a with all of b.
func merged(a, b map[string]any) map[string]any {
	data := maps.Clone(a)
	maps.Copy(data, b)
	return data
}

// without is data without some of its fields.
func without(data map[string]any, names ...string) map[string]any {
	data = maps.Clone(data)
	for _, name := range names {
		delete(data, name)
	}
	return data
}

// mounted is a mount with a config "gst" for the fixture and a role "app" for it. The config was stored without a login.
func (f fixture) mounted(t *testing.T, more ...any) *testMount {
	t.Helper()
	w := newTestMount(t, f.account)
	w.mount(f, more...)
	return w
}

// unserved is mounted with an upstream that has no account: no login may be made.
func (f fixture) unserved(t *testing.T, more ...any) *testMount {
	t.Helper()
	w := newTestMount(t)
	w.mount(f, more...)
	return w
}

func (w *testMount) mount(f fixture, more ...any) {
	w.t.Helper()
	w.write("config/gst", with(with(f.config, "verify_connection", false), more...))
	w.write("role/app", map[string]any{"config": "gst"})
}

// text gives a field of a response that must be a string.
func text(t *testing.T, data map[string]any, name string) string {
	t.Helper()
	s, ok := data[name].(string)
	check.Require(t, ok, "%s is %T, want a string", name, data[name])
	return s
}

// seconds gives a field of a response that must be a whole number of seconds, whatever Go type it has.
func seconds(t *testing.T, data map[string]any, name string) time.Duration {
	t.Helper()
	switch n := data[name].(type) {
	case int:
		return time.Duration(n) * time.Second
	case int64:
		return time.Duration(n) * time.Second
	default:
		t.Fatalf("%s is %T, want a whole number", name, data[name])
		return 0
	}
}

// moment gives a field of a response that must be a time in UTC.
func moment(t *testing.T, data map[string]any, name string) time.Time {
	t.Helper()
	s := text(t, data, name)
	at, err := time.Parse(time.RFC3339Nano, s)
	check.Require(t, err == nil, "%s: %v", name, err)
	check.True(t, strings.HasSuffix(s, "Z"), "%s is %s, want it in UTC", name, s)
	return at
}

// startIn moves the bubble's clock, which begins in the year 2000, on to a later year: an epoch has ten digits since 2001.
func startIn(t *testing.T, year int) {
	t.Helper()
	advance(time.Until(time.Date(year, time.March, 1, 0, 0, 0, 0, time.UTC)))
}

// Every protocol has a fixture for each of its request formats, and one with each setting, so that whatever is tested for all of them
// is tested for it.
func TestFixtures_EveryProtocolAndFormatHasOne(t *testing.T) {
	t.Parallel()
	for _, spec := range upstream.Specs() {
		formats := spec.Formats
		if len(formats) == 0 {
			formats = []upstream.Format{""} // the one form that the protocol has
		}
		for _, format := range formats {
			has := slices.ContainsFunc(variants(), func(f fixture) bool {
				return f.config["protocol"] == string(spec.Protocol) && f.format() == format
			})
			check.True(t, has, "protocol %s has no fixture with request_format=%q: add one to fixtures() in test/fixtures_test.go", spec.Protocol, format)
		}
		for _, field := range spec.Fields {
			set := slices.ContainsFunc(variants(), func(f fixture) bool {
				return f.config["protocol"] == string(spec.Protocol) && f.config[field.Name] != nil
			})
			check.True(t, set || field.Default != "", "no fixture of protocol %s sets %s: add one with it, or no test knows it",
				spec.Protocol, field.Name)
		}
	}
}
