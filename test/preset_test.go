// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// presetFacts are what the contract says of a preset.
type presetFacts struct {
	protocol, url, format, refreshURL, scheme string
	headers, refreshHeaders                   map[string]any
	audience, scope                           string
}

// assertionFacts are what the contract says of a preset of FirstVision in EMEA or APAC.
func assertionFacts(host, region string) presetFacts {
	token := "https://" + host + "/api/fs/fv_" + region + "/security/v1/token"
	return presetFacts{
		protocol: "firstvision", url: token + "/jwt/generate", format: "assertion", audience: token, scope: region + "_firstvision",
	}
}

func presetTable() map[string]presetFacts {
	const router = "https://router.mastersindia.co/api/v1/token-auth/"
	const ksa = "https://qa-globalback.mastersindia-einv.com"
	facts := map[string]presetFacts{
		"einvoice-sandbox":    {protocol: "jwt", url: "https://sandb-api.mastersindia.co/api/v1/token-auth/"},
		"einvoice-production": {protocol: "jwt", url: router},
		"eway-production":     {protocol: "jwt", url: router},
		"eway-sandbox":        {protocol: "jwt", url: "https://sandb-api.edoc.mastersindia.co/api/v1/token-auth/"},
		"platform-production": {protocol: "jwt", url: "https://api-platform.mastersindia.co/api/v2/token-auth/"},
		"prod-api-production": {protocol: "jwt", url: "https://prod-api.mastersindia.co/api/v1/token-auth/"},
		"ksa-qa": {
			protocol: "jwt", url: ksa + "/api/v2/token-auth/", refreshURL: ksa + "/api/v2/api-token-refresh/",
			headers:        map[string]any{"Productid": "einvoicing_global"},
			refreshHeaders: map[string]any{"Service": "online_service"},
		},
		"einvoice-soap-staging":       {protocol: "soap", url: "http://staging-soapapi.mastersindia.co/api.einvoice.php"},
		"oauth-sandbox":               {protocol: "oauth", url: "https://clientbasic.mastersindia.co/oauth/access_token"},
		"oauth-production":            {protocol: "oauth", url: "https://pro.mastersindia.co/oauth/access_token"},
		"oauth-verification":          {protocol: "oauth", url: "https://commonapi.mastersindia.co/oauth/access_token"},
		"firstvision-sandbox":         {protocol: "firstvision", url: "https://stg34.visionplus.io/sandbox/v1/api/oauth/token"},
		"firstvision-sandbox-v2":      {protocol: "firstvision", url: "https://stg34.visionplus.io/sandbox/v2/api/oauth/token?appContext=firstvision"},
		"firstvision-emea-sandbox":    assertionFacts("cert.api.firstdata.com", "emea"),
		"firstvision-emea-uat":        assertionFacts("cat.emea.api.fiservapps.com", "emea"),
		"firstvision-emea-production": assertionFacts("prod.emea.api.fiservapps.com", "emea"),
		"firstvision-apac-uat":        assertionFacts("cat.apac.api.fiservapps.com", "apac"),
		"firstvision-apac-production": assertionFacts("prod.apac.api.fiservapps.com", "apac"),
	}
	for name, fact := range facts {
		if fact.format == "" && fact.protocol != "soap" {
			fact.format = "json"
		}
		if fact.headers == nil {
			fact.headers = map[string]any{}
		}
		if fact.refreshHeaders == nil {
			fact.refreshHeaders = map[string]any{}
		}
		if fact.scheme = "Bearer"; fact.protocol == "jwt" {
			fact.scheme = "JWT"
		}
		facts[name] = fact
	}
	return facts
}

// presets are the names of all presets.
func presets() []string { return slices.Sorted(maps.Keys(presetTable())) }

// ofPreset is a config of a preset with invented credentials. Its host is outside: it cannot be verified.
func ofPreset(name string) map[string]any {
	facts := presetTable()[name]
	all := fixtures()
	first := slices.IndexFunc(all, func(f fixture) bool { return string(f.account.Protocol) == facts.protocol })
	data := with(without(all[first].config, "token_url", "protocol"), "preset", name)
	if !strings.HasPrefix(facts.url, "http:") {
		delete(data, "allow_http")
	}
	if facts.scope != "" {
		delete(data, "scope") // the preset fills it
	}
	return data
}

// filled is the part of a read that a preset fills.
func filled(data map[string]any) map[string]any {
	part := map[string]any{}
	for _, name := range []string{
		"protocol", "token_url", "refresh_url", "request_format", "headers", "refresh_headers", "authorization_scheme",
		"assertion_audience",
	} {
		part[name] = data[name]
	}
	return part
}

func (p presetFacts) fields() map[string]any {
	return map[string]any{
		"protocol": p.protocol, "token_url": p.url, "refresh_url": p.refreshURL, "request_format": p.format,
		"headers": p.headers, "refresh_headers": p.refreshHeaders, "authorization_scheme": p.scheme,
		"assertion_audience": p.audience,
	}
}

// The fields are those of the contract, in preset/ and in a config that names it.
func TestPreset_FieldsOfContract(t *testing.T) {
	eachNamed(t, presetTable(), func(t *testing.T, name string, facts presetFacts) {
		w := newTestMount(t)
		w.quiet(func() { w.write("config/gst", with(ofPreset(name), "verify_connection", false)) })
		data := overTheWire(t, w.read("config/gst").Data)
		check.Equal(t, filled(data), facts.fields(), "the config")
		check.Equal[any](t, data["preset"], name, "preset")
		check.True(t, facts.scope == "" || data["scope"] == facts.scope, "scope is %v, want %s", data["scope"], facts.scope)
		w.idle(func() { data = overTheWire(t, w.read("preset/"+name).Data) })
		check.Equal(t, filled(data), facts.fields(), "the preset")
		for _, field := range []string{"documented_at", "documented", "assumed", "seen", "token_use", "single_session"} {
			check.True(t, text(t, data, field) != "", "%s has no words", field)
		}
		check.Equal[any](t, data["revocable"], facts.refreshURL != "", "revocable")
	})
}

func TestPreset_ListNamesAll(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		w.idle(func() {
			resp := w.list("preset/")
			keys, _ := resp.Data["keys"].([]string)
			check.Equal(t, slices.Sorted(slices.Values(keys)), presets(), "keys")
			info, _ := resp.Data["key_info"].(map[string]any)
			for _, name := range presets() {
				check.True(t, info[name] != nil, "no key_info for %s", name)
			}
		})
	})
}

func TestPreset_NamedFieldsWin(t *testing.T) { //nolint:tparallel // eachNamed calls it
	eachNamed(t, map[string]any{
		"token_url":            upstreamURL + "/api/v2/token-auth/",
		"refresh_url":          upstreamURL + "/api/v2/api-token-refresh/",
		"request_format":       "form",
		"headers":              map[string]any{"X-Team": "gst"},
		"refresh_headers":      map[string]any{"X-Team": "gst"},
		"authorization_scheme": "Token",
	}, func(t *testing.T, field string, value any) {
		w := newTestMount(t)
		w.write("config/gst", with(ofPreset("ksa-qa"), field, value, "allow_http", true, "verify_connection", false))
		got := filled(overTheWire(t, w.read("config/gst").Data))
		want := with(presetTable()["ksa-qa"].fields(), field, value)
		check.Equal(t, got, want, "the config")
	})
	timed(t, "protocol", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", merged(with(oauth().config, "verify_connection", false), map[string]any{
			"preset": "einvoice-sandbox", "request_format": "json", "authorization_scheme": "Bearer",
		}))
		check.Equal(t, w.read("config/gst").Data["protocol"], "oauth", "protocol")
	})
}

func TestPreset_WrittenAgainReplacesItsFields(t *testing.T) { //nolint:tparallel // each calls it
	secrets := jwtV1().onlySecrets()
	changed := map[string]any{
		"token_url": upstreamURL + "/canary/", "refresh_url": upstreamURL + "/canary-two/", "request_format": "form",
		"headers": map[string]any{"X-Team": "gst"}, "refresh_headers": map[string]any{"X-Team": "gst"},
		"authorization_scheme": "Token", "allow_http": true, "verify_connection": false,
	}
	type testCase struct{ again, want map[string]any }
	each(t, map[string]testCase{
		"the same preset": {map[string]any{"preset": "ksa-qa"}, presetTable()["ksa-qa"].fields()},
		"another preset":  {map[string]any{"preset": "einvoice-sandbox"}, presetTable()["einvoice-sandbox"].fields()},
		"except what the same write names": {
			map[string]any{"preset": "ksa-qa", "headers": "X-Team=gst"},
			with(presetTable()["ksa-qa"].fields(), "headers", map[string]any{"X-Team": "gst"}),
		},
	}, func(t *testing.T, c testCase) {
		w := newTestMount(t)
		w.write("config/gst", merged(ofPreset("ksa-qa"), changed))
		w.write("config/gst", with(merged(secrets, c.again), "verify_connection", false))
		check.Equal(t, filled(overTheWire(t, w.read("config/gst").Data)), c.want, "the config")
	})
	timed(t, "not without the secrets where they would go elsewhere", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", merged(ofPreset("ksa-qa"), changed))
		message := w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"preset": "ksa-qa"}, "password")
		check.True(t, !strings.Contains(message, "canary"), "the message repeats what is stored")
	})
}

func TestPreset_KeepsOtherFields(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		kept := map[string]any{
			"rotation_percent": 50, "request_timeout": 20, "max_token_ttl": 3600, "pause_reason": "audit", "ledger_retention": 60,
		}
		w.write("config/gst", with(merged(ofPreset("ksa-qa"), kept), "rotation_percent", 40, "verify_connection", false))
		w.write("config/gst", map[string]any{"headers": "X-Team=gst", "verify_connection": false})
		w.write("config/gst", map[string]any{"rotation_percent": 50})
		changed := with(presetTable()["ksa-qa"].fields(), "headers", map[string]any{"X-Team": "gst"})
		check.Equal(t, filled(overTheWire(t, w.read("config/gst").Data)), changed, "without the preset in the write the config")
		w.write("config/gst", with(ofPreset("einvoice-sandbox"), "verify_connection", false))
		got, want := overTheWire(t, w.read("config/gst").Data), overTheWire(t, kept)
		for field := range want {
			check.True(t, got[field] == want[field], "%s is %v, want %v as before", field, got[field], want[field])
		}
	})
}

// The two pages of the vendor name different hosts for these.
func TestPreset_SaysWhereTheVendorsPagesDisagree(t *testing.T) {
	other := map[string]string{
		"firstvision-emea-production": "emea.api.fiservapps.com", "firstvision-apac-uat": "cat-fsapi-apac.fiservsoa.com",
		"firstvision-apac-production": "fsapi-apac.fiservsoa.com",
	}
	emptyTest(t, func(t *testing.T, w *testMount) {
		for name, host := range other {
			data := w.read("preset/" + name).Data
			said := text(t, data, "caveat")
			check.True(t, strings.Contains(said, "disagree") && strings.Contains(said, host), "%s: caveat is %q, want the other host %s", name, said, host)
		}
	})
}

// A preset that fills no scope keeps the one that is stored, unless another preset filled it; one that has a scope replaces it.
func TestPreset_ScopeAndAudienceOnlyIfGiven(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		secrets := firstVision().onlySecrets()
		write := func(preset string, more ...any) map[string]any {
			w.write("config/gst", with(with(secrets, "preset", preset, "verify_connection", false), more...))
			return w.read("config/gst").Data
		}
		write("firstvision-sandbox", "client_id", "card-app", "scope", "cards")
		data := write("firstvision-sandbox")
		check.Equal(t, []any{data["scope"], data["assertion_audience"]}, []any{"cards", ""}, "scope and assertion_audience")
		if data = write("firstvision-apac-uat"); data["scope"] != "apac_firstvision" || data["assertion_audience"] == "" {
			t.Errorf("scope is %v and assertion_audience %v", data["scope"], data["assertion_audience"])
		}
		check.Equal[any](t, write("firstvision-emea-uat", "scope", "special")["scope"], "special", "the scope, which the write named,")
		data = write("firstvision-sandbox-v2", "scope", "firstvision.all")
		check.True(t, data["assertion_audience"] == "" && data["request_format"] == "json",
			"assertion_audience is %v with request_format %v", data["assertion_audience"], data["request_format"])
		check.Equal[any](t, write("firstvision-apac-uat", "request_format", "query")["assertion_audience"], "", "assertion_audience")
		w.badRequest(logical.UpdateOperation, "config/gst", with(secrets, "preset", "firstvision-sandbox", "verify_connection", false),
			"scope: is required") // that of the former preset means nothing here
	})
}

// TestPreset_WithAnotherProtocol has a preset give the URL alone: the rest of it is about its own protocol.
func TestPreset_WithAnotherProtocol(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		w.write("config/gst", with(without(oauth().config, "token_url"), "preset", "ksa-qa", "verify_connection", false))
		data := w.read("config/gst").Data
		for field, want := range map[string]any{
			"protocol": "oauth", "authorization_scheme": "Bearer", "request_format": "json", "preset": "", "refresh_url": "",
			"token_url": "https://qa-globalback.mastersindia-einv.com/api/v2/token-auth/", "refresh_headers": map[string]string{},
			"headers": map[string]string{"Productid": "einvoicing_global"},
		} {
			check.True(t, reflect.DeepEqual(data[field], want), "%s is %v, want %v", field, data[field], want)
		}
	})
}

// TestPreset_NameGoesWithItsEndpoint checks that a config keeps the name of a preset only for as long as it logs in there.
func TestPreset_NameGoesWithItsEndpoint(t *testing.T) {
	secrets := jwtV1().onlySecrets()
	type testCase struct {
		data map[string]any
		want string
	}
	eachOf(t, []testCase{
		{map[string]any{"token_url": "https://upstream.test/"}, ""},
		{merged(oauth().config, map[string]any{"protocol": "oauth"}), ""},
		{map[string]any{"headers": "X-Team=gst", "authorization_scheme": "Token"}, "ksa-qa"},
		{map[string]any{"preset": "einvoice-sandbox"}, "einvoice-sandbox"},
		{map[string]any{"preset": "einvoice-sandbox", "token_url": "https://upstream.test/"}, ""},
	}, func(t *testing.T, change testCase) {
		w := newTestMount(t)
		w.write("config/gst", with(ofPreset("ksa-qa"), "verify_connection", false))
		check.RequireEqual(t, w.read("config/gst").Data["preset"], "ksa-qa", "preset")
		w.write("config/gst", with(merged(secrets, change.data), "verify_connection", false))
		check.Equal[any](t, w.read("config/gst").Data["preset"], change.want, "preset")
	})
}
