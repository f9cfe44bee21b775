// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/mounttest"
	"vault-plugin-secrets-mastersindia/simulator"
)

// change is one field with another value, as it is written and as it is read.
type change struct {
	field   string
	written any
	read    any // nil: as written
	secrets bool
}

// changes are one for each field that the fixture's config can be updated in.
func (f fixture) changes(t *testing.T) []change {
	t.Helper()
	certificates := roots(t)
	all := []change{
		{field: "token_url", written: upstreamURL + "/elsewhere/", secrets: true},
		{field: "authorization_scheme", written: "Token"},
		{field: "default_token_ttl", written: "90m", read: 5400.0},
		{field: "max_token_ttl", written: "2h", read: 7200.0},
		{field: "rotation_percent", written: 100, read: 100.0},
		{field: "request_timeout", written: "45s", read: 45.0},
		{field: "ca_cert", written: certificates, secrets: true},
		{field: "proxy_url", written: "http://proxy.test:3128", secrets: true},
		{field: "paused", written: true},
		{field: "pause_reason", written: "year-end audit: 100%d"},
		{field: "ledger_retention", written: 60, read: 60.0},
		{field: "headers", written: "X-Team=gst", read: map[string]any{"X-Team": "gst"}},
	}
	if len(f.formats) > 0 {
		all = append(all, change{field: "request_format", written: string(f.formats[0])})
	}
	of := map[string]change{
		upstream.FieldUsername:            {written: "clerk-two"},
		upstream.FieldClientID:            {written: "app-two"},
		upstream.FieldScope:               {written: "accounts"},
		upstream.FieldAssertionAudience:   {written: "https://other.example/token"},
		upstream.FieldRefreshURL:          {written: upstreamURL + "/elsewhere/", secrets: true},
		upstream.FieldRefreshHeaders:      {written: "X-Team=gst", read: map[string]any{"X-Team": "gst"}},
		upstream.FieldSOAPAction:          {written: "urn:server#other"},
		upstream.FieldSOAPUsernameElement: {written: "Username"},
		upstream.FieldSOAPPasswordElement: {written: "Password"},
	}
	for _, field := range f.fields() {
		if slices.Contains(secretFields(), field.Name) {
			continue
		}
		c, known := of[field.Name]
		check.Require(t, known, "say here another value of %s", field.Name)
		c.field = field.Name
		all = append(all, c)
	}
	return all
}

func (c change) want() any {
	if c.read == nil {
		return c.written
	}
	return c.read
}

// A write changes the fields that it names, and sets those that it names empty to their default.
func TestConfigUpdate_ChangesOnlyNamedFields(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		for _, c := range f.changes(t) {
			timed(t, f.name+" "+c.field, func(t *testing.T) {
				w := newTestMount(t)
				plain := with(f.config, "verify_connection", false)
				if !f.needs(c.field) {
					plain = without(plain, c.field)
				}
				w.write("config/gst", plain)
				before := overTheWire(t, w.read("config/gst").Data)
				update := func(value any, want map[string]any) {
					t.Helper()
					data := map[string]any{c.field: value, "verify_connection": false}
					if c.secrets {
						data = merged(f.onlySecrets(), data)
					}
					w.quiet(func() { w.write("config/gst", data) })
					check.Equal(t, overTheWire(t, w.read("config/gst").Data), want, "the config")
					w.Reload()
					check.Equal(t, overTheWire(t, w.read("config/gst").Data), want, "after a restart the config")
				}
				update(c.written, with(before, c.field, c.want()))
				if !f.needs(c.field) && c.field != "paused" { // refused: see TestConfigPause_ReadsFailWithReason
					update("", before)
				}
			})
		}
	}
	timed(t, "allow_http", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", with(secureOAuth(), "allow_http", true))
		w.write("config/gst", with(oauth().onlySecrets(), "allow_http", "", "verify_connection", false))
		check.Equal[any](t, w.read("config/gst").Data["allow_http"], false, "allow_http")
	})
}

func TestConfigUpdate_ReplacesAllHeaders(t *testing.T) {
	eachOf(t, []string{"headers", "refresh_headers"}, func(t *testing.T, field string) {
		w := jwtV2().mounted(t)
		write := func(value any, want map[string]any) (warnings string) {
			t.Helper()
			warnings = warningsOf(w.write("config/gst", map[string]any{field: value, "verify_connection": false}))
			check.Equal[any](t, overTheWire(t, w.read("config/gst").Data)[field], want, "%s", field)
			return warnings
		}
		for _, nothing := range []any{"", map[string]any{}, []any{}} {
			write("X-One=1", map[string]any{"X-One": "1"})
			write(nothing, map[string]any{})
		}
		write(map[string]any{"X-One": "1", "X-Two": "2"}, map[string]any{"X-One": "1", "X-Two": "2"})
		said := write([]any{"x-two=3", "X-Four=a=b"}, map[string]any{"x-two": "3", "X-Four": "a=b"})
		w.says(said, "There is no X-One in "+field+" now, since a write of "+field+" replaces all pairs: to add some, give them all: "+
			"vault write mastersindia/config/gst "+field+"=...")
	})
}

// What was to add a header to those of the preset has replaced them.
func TestConfigUpdate_HeadersOfPresetLost(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		data := map[string]any{
			"preset": "ksa-qa", "headers": "X-Site=pune", "username": "clerk", "password": "pass-of-clerk", "verify_connection": false,
		}
		w.says(warningsOf(w.write("config/ksa", data)), "There is no Productid in headers now")
		said := warningsOf(w.write("config/ksa", with(data, "headers", []any{"Productid=einvoicing_global", "X-Site=pune"})))
		check.True(t, !strings.Contains(said, "Productid"), "with all headers: %s", said)
	})
}

func TestConfigUpdate_HeadersAreSent(t *testing.T) { //nolint:tparallel // fixturesTest calls it
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t, "headers", f.headersAnd("X-Team", "gst"))
		w.read("token/app")
		for _, r := range w.heard() {
			check.Equal(t, r.Header.Get("X-Team"), "gst", "header X-Team")
			check.True(t, r.Header.Get("Service") == "", "a refresh header was sent with a login")
		}
	})
	timed(t, "on a refresh", func(t *testing.T) {
		w := jwtV2().mounted(t)
		w.read("token/app")
		w.write("revoke/gst", nil)
		refresh := w.heard()[1]
		check.Equal(t, refresh.Header.Get("Productid"), "einvoicing_global", "header Productid")
		check.Equal(t, refresh.Header.Get("Service"), "online_service", "header Service")
	})
}

func TestConfigUpdate_ChangesProtocol(t *testing.T) {
	eachPair(t, fixtures(), fixtures(), func(t *testing.T, from, to fixture) {
		if from.account.Protocol == to.account.Protocol {
			return
		}
		w := newTestMount(t, from.account, to.account)
		w.write("config/gst", from.config)
		w.write("role/app", map[string]any{"config": "gst"})
		old := text(t, w.read("token/app").Data, "access_token")
		move := merged(cleared(from, to), to.config)
		w.loggingIn(1, func() { w.write("config/gst", move) })
		w.quiet(func() {
			data := w.read("token/app").Data
			check.True(t, data["access_token"] != old, "the token of the old protocol is served")
			check.True(t, data["token_type"] == to.scheme, "token_type is %v, want %s", data["token_type"], to.scheme)
		})
		w.write("config/fresh", to.config)
		check.Equal(t, w.read("config/gst").Data, w.read("config/fresh").Data, "the config")
	})
}

// cleared are the fields of one fixture that the other's protocol has no use for, set to nothing.
func cleared(from, to fixture) map[string]any {
	data := map[string]any{}
	for field := range from.config {
		if _, used := to.config[field]; used {
			continue
		}
		data[field] = ""
		if strings.HasSuffix(field, "headers") {
			data[field] = map[string]any{}
		}
	}
	return data
}

// The config of another account is written over, as after a mistaken name: the response says what was replaced, without values.
func TestConfigReplace_WarnsOfOtherAccount(t *testing.T) {
	const account, roles = "The config was of another account: its ", " changed, and its roles return the token of the new account."
	type testCase struct {
		old, next fixture
		changed   map[string]any
		says      []string
	}
	each(t, map[string]testCase{
		"oauth by jwt": {oauth(), jwtV1(), nil, []string{
			account + "protocol, token_url, username and client_id" + roles, "The config was of protocol oauth: its client_secret was deleted.",
		}},
		"jwt by firstvision": {jwtV1(), firstVision(), nil, []string{
			account + "protocol, token_url and username" + roles, "The config was of protocol jwt: its password was deleted.",
		}},
		"oauth by soap": {oauth(), soap(), nil, []string{account + "protocol, token_url, username and client_id" + roles}},
		"another user": {
			jwtV1(), jwtV1(), map[string]any{"username": "clerk-two", "verify_connection": false}, []string{account + "username" + roles},
		},
		"another client": {
			firstVision(), firstVision(), map[string]any{"client_id": "app-two", "verify_connection": false},
			[]string{account + "client_id" + roles},
		},
		"another endpoint": {jwtV2(), jwtV2(), map[string]any{
			"token_url": upstreamURL + "/api/v1/token-auth/", "refresh_url": "", "headers": "", "refresh_headers": "",
		}, []string{account + "token_url" + roles}},
		"the same":        {oauth(), oauth(), nil, nil},
		"another way":     {firstVision(), firstVision(), map[string]any{"request_format": "query"}, nil},
		"another setting": {jwtV1(), jwtV1(), map[string]any{"rotation_percent": 50}, nil},
	}, func(t *testing.T, c testCase) {
		accounts := []simulator.Account{c.old.account}
		if c.next.name != c.old.name {
			accounts = append(accounts, c.next.account)
		}
		w := newTestMount(t, accounts...)
		w.write("config/gst", c.old.config)
		said := warningsOf(w.write("config/gst", merged(c.next.config, c.changed)))
		w.says(said, c.says...)
		check.True(t, strings.Contains(said, "was of") == (len(c.says) > 0) && strings.Contains(said, "deleted") == (len(c.says) > 1),
			"warnings %q, want %q", said, c.says)
		w.hides(said, append(c.old.secrets(), c.next.secrets()...)...)
	})
}

// With a single session each of two configs would end the other's token.
func TestConfigWrite_SecondConfigOfAnAccountWarns(t *testing.T) {
	const twin = "The config is stored. Config gst logs in to the same account: "
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		warns := func(path string, data map[string]any, want bool) {
			t.Helper()
			said := warningsOf(w.write(path, data))
			check.True(t, strings.Contains(said, twin) == want, "write %s warns %q", path, said)
		}
		warns("config/gst", f.config, false)
		warns("config/second", f.config, true)
		warns("config/second", map[string]any{"rotation_percent": 50}, false)
		tried := 0
		for _, c := range (upstream.Account{}).Credentials() {
			if c.Secret || f.config[c.Name] == nil {
				continue
			}
			tried++
			warns("config/of-another-"+c.Name, merged(f.config, map[string]any{c.Name: "another", "verify_connection": false}), false)
			for _, blank := range []string{" ", " a", "a "} {
				w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{c.Name: blank}, c.Name)
			}
		}
		check.True(t, tried > 0, "no credential names the account")
		w.write("config/of-another-url", merged(f.config, map[string]any{"token_url": text(t, f.config, "token_url") + "?of=another", "verify_connection": false}))
		for name, value := range f.config {
			secret, is := value.(string)
			if !is || !slices.Contains(f.secrets(), secret) {
				continue
			}
			changed := map[string]any{name: secret + "-new", "verify_connection": false}
			said := warningsOf(w.write("config/gst", changed))
			w.says(said, "Others have the same username or client_id, and other secrets: ", "of-another-url", "second", "If these have ended, change each: vault write mastersindia/config/")
			for _, other := range []string{"second", "of-another-url"} {
				said = warningsOf(w.write("config/"+other, changed))
				check.True(t, !strings.Contains(said, "gst,") && !strings.Contains(said, "gst."), "it names a config that has the new secret: %s", said)
			}
			newest := merged(f.config, map[string]any{name: secret + "-newest", "verify_connection": false})
			w.says(warningsOf(w.write("config/newest", newest)), "logs in to the same account", "other secrets: gst, ")
			warns("config/newest", map[string]any{"rotation_percent": 51}, false)
			w.remove("config/newest")
			moved := merged(f.onlySecrets(), map[string]any{"token_url": text(t, f.config, "token_url") + "?of=three", name: secret + "-last", "verify_connection": false})
			w.says(warningsOf(w.write("config/gst", moved)), "other secrets: ", "second")
			w.write("config/gst", merged(f.config, changed))
			w.Reload() // the others have no token, and are not in memory then
			w.says(warningsOf(w.write("config/gst", map[string]any{name: secret + "-once-more", "verify_connection": false})), "other secrets: ", "second")
			w.write("config/gst", merged(f.config, changed))
		}
	})
}

// A number without a unit is seconds. The person who typed 24 may have meant hours.
func TestConfigWrite_BriefSecondsWarn(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for path, fields := range map[string][]string{
			"config/gst": {"max_token_ttl", "default_token_ttl", "ledger_retention"}, "role/app": {"max_ttl"},
		} {
			for _, field := range fields {
				values := map[string]bool{"24": true, "299": true, "300": field == "ledger_retention", "0": false, "25s": false, "9601": false}
				for value, want := range values {
					if field == "default_token_ttl" && value == "0" {
						continue
					}
					resp := w.write(path, map[string]any{field: value})
					says := fmt.Sprintf("No unit was given, so %s is %s seconds: for hours, write again with %s=%sh.", field, value, field, value)
					check.True(t, (resp != nil && slices.Contains(resp.Warnings, says)) == want, "%s %s=%s: %v", path, field, value, resp)
				}
			}
		}
		check.Equal(t, w.write("config/gst", map[string]any{"request_timeout": "20", "max_token_ttl": 30}), nil, "a timeout and a JSON number")
		check.Contains(t, warningsOf(w.write("config/gst", map[string]any{"rotation_percent": "1"})), "rotation_percent=1 is one hundredth of a token's life")
	})
}

// Vault drops the query of a POST, and curl sends an empty body where its file is missing.
func TestConfigWrite_OfNothingWarns(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for _, path := range []string{"config/gst", "role/app"} {
			check.Contains(t, warningsOf(w.write(path, nil)), "nothing was changed: write again")
		}
	})
}

// Pairs that a comma joins are one pair: a comma may be part of a value.
func TestConfigUpdate_JoinedPairsWarn(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for path, field := range map[string]string{"config/gst": "headers", "role/app": "metadata"} {
			says := "The value of Productid in " + field + " has a comma and what looks like another pair in it. If it is one, write again with " +
				field + "=... for each pair."
			joined := warningsOf(w.write(path, map[string]any{field: "Productid=canary,Service=online"}))
			check.Contains(t, joined, says)
			w.hides(joined, "canary")
			apart := warningsOf(w.write(path, map[string]any{field: []any{"Productid=a,b", "Service=online"}}))
			check.True(t, !strings.Contains(apart, "comma"), "%s: a comma alone is warned of", path)
		}
	})
}

// What reads of the config show must not have its password.
func TestConfigRefused_OwnSecretInAReadableField(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		secret, _ := jwtV1().config["password"].(string)
		for field, value := range map[string]string{
			"token_url": upstreamURL + "/api/v1/token-auth/?password=" + secret, "pause_reason": "the password " + secret + " leaked",
		} {
			refused := w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"paused": true, field: value}, field,
				"contains a secret of the config", "what was given is in Vault's audit log now, if the mount is tuned to show it")
			check.True(t, !strings.Contains(refused, secret), "the error has the secret")
		}
	})
}

// A change of a field that a login sends is verified, or the token of before would be served. A change of any other is not.
func TestConfigUpdate_EachFieldOfALoginCounts(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		for _, c := range f.changes(t) {
			want := 1
			if slices.Contains([]string{
				"authorization_scheme", "default_token_ttl", "max_token_ttl", "rotation_percent", "request_timeout", "paused", "pause_reason",
				"ledger_retention", upstream.FieldRefreshHeaders,
			}, c.field) {
				want = 0
			}
			timed(t, f.name+" "+c.field, func(t *testing.T) {
				w := newTestMount(t, f.account)
				w.write("config/gst", f.config)
				asked := len(w.heard())
				_, _ = w.do(t.Context(), logical.UpdateOperation, "config/gst", merged(f.onlySecrets(), map[string]any{c.field: c.written}))
				heard := w.heard()
				check.Require(t, len(heard)-asked == want,
					"%d logins, want %d: does %s count in account() of config.go, and in loginOf of backend/account/account.go?", len(heard)-asked, want, c.field)
				to := func(n int) string {
					address, err := url.Parse(heard[n].URL)
					check.NoError(t, err)
					return address.Scheme + address.Host
				}
				check.True(t, c.secrets || want == 0 || to(asked) == to(asked-1),
					"a write of %s alone sends the stored secrets to another host: say moves in config.go, and secrets in changes()", c.field)
				isSame := want == 0 || slices.Contains([]string{upstream.FieldRefreshURL, "ca_cert", "proxy_url"}, c.field)
				check.True(t, isSame || heard[asked].Text() != heard[asked-1].Text(),
					"the login is the same as before: is %s in account() of config.go, and sent by the protocol?", c.field)
			})
		}
	}
}

// A variable that is not set must not reset a setting unseen. What is at its default already, or is cleared on purpose, is not
// worth a warning.
func TestConfigUpdate_EmptySettingWarns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := jwtV1().unserved(t, "request_timeout", "45s", "proxy_url", "http://proxy.test:3128", "paused", true, "pause_reason", "audit")
		w.write("role/short", map[string]any{"config": "gst", "max_ttl": "1h"})
		const rest = ": given empty, and reset to the default. If a value was meant, write again with it."
		for _, c := range []struct {
			path, field, warning string
		}{
			{"config/gst", "request_timeout", "request_timeout" + rest},
			{"config/gst", "request_timeout", ""}, // by now the default
			{"config/gst", "max_token_ttl", ""},
			{"config/gst", "pause_reason", ""},
			{"role/short", "max_ttl", "max_ttl" + rest},
			{"role/short", "max_ttl", ""},
			{"role/short", "metadata", ""},
		} {
			check.Equal(t, warningsOf(w.write(c.path, map[string]any{c.field: ""})), c.warning, "%s of %s: warnings", c.field, c.path)
		}
	})
}

func TestConfigUpdate_EachSecretCounts(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		for name := range f.onlySecrets() {
			w := newTestMount(t, f.account)
			w.write("config/gst", f.config)
			before := moment(t, w.status(), "credentials_updated_at")
			advance(time.Minute)
			for n := range 2 {
				logins := w.logins()
				r := w.refusal(logical.UpdateOperation, "config/gst", map[string]any{name: fmt.Sprint("canary-of-a-wrong-secret-", n)})
				got := w.logins() - logins
				check.Require(t, got == 1, "%d logins (%q), want 1: is %s in Credentials() of backend/upstream/upstream.go?", got, r.message, name)
			}
			w.write("config/gst", map[string]any{name: "canary-of-another-secret", "verify_connection": false})
			after := moment(t, w.status(), "credentials_updated_at")
			check.True(t, after.After(before), "credentials_updated_at is still %v: is %s in Credentials() of backend/upstream/upstream.go?", after, name)
		}
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

func TestConfigSent_SecretUnchanged(t *testing.T) { //nolint:tparallel // eachOf calls it
	eachOf(t, variants(), func(t *testing.T, plain fixture) {
		f := plain.awkward()
		w := newTestMount(t, f.account)
		w.loggingIn(1, func() { w.write("config/gst", f.config) })
	})
	for _, password := range []string{" pass of clerk ", "पासवर्ड-ß-🔑"} {
		timed(t, password, func(t *testing.T) {
			f := jwtV1()
			f.account.Password = password
			w := newTestMount(t, f.account)
			w.loggingIn(1, func() { w.write("config/gst", with(f.config, "password", password)) })
			check.Equal(t, strings.Count(w.heard()[0].Body, password), 1, "times that the password was sent as it is")
		})
	}
}
