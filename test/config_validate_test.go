// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// refuse sends a write to a config that does not exist, and to one that does. The message must say wants.
func refuse(t *testing.T, f fixture, name string, data map[string]any, wants ...string) {
	t.Helper()
	timed(t, "create with "+name, func(t *testing.T) {
		w := newTestMount(t)
		w.badRequest(logical.UpdateOperation, "config/gst", data, wants...)
		w.wantAbsent("config/gst")
	})
	timed(t, "update with "+name, func(t *testing.T) {
		f.unserved(t).badRequest(logical.UpdateOperation, "config/gst", data, wants...)
	})
}

func TestConfigRefused_UnknownProtocolOrPreset(t *testing.T) {
	t.Parallel()
	var protocols []string
	for _, spec := range upstream.Specs() {
		protocols = append(protocols, string(spec.Protocol))
	}
	refuseEach(t, jwtV1(), "protocol", []any{"canary", "JWT-canary"}, protocols...)
	refuseEach(t, jwtV1(), "preset", []any{"canary"})
	timed(t, "create with neither protocol nor preset, or nothing", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		w.badRequest(logical.UpdateOperation, "config/gst", without(jwtConfig(), "protocol"), "protocol", "preset")
		w.badRequest(logical.UpdateOperation, "config/gst", nil, "protocol", "preset")
	})
}

// A secret that was never given is not asked for again: one problem a secret.
func TestConfigRefused_AbsentSecretNotAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := jwtV1().unserved(t)
		said := w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"protocol": "oauth", "client_id": "canary"},
			"client_secret: is required", "password: must be given again")
		check.True(t, !strings.Contains(said, "client_secret: must be given again"), "a secret that was never given is asked for again: %s", said)
	})
}

func TestConfigRefused_MissingCredentials(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		for _, credential := range simulator.Needs(f.account.Protocol) {
			check.True(t, f.needs(credential), "%s: a config may lack %s, without which no login is possible", f.name, credential)
		}
		for field := range f.config {
			if !f.needs(field) {
				continue
			}
			timed(t, f.name+" without "+field, func(t *testing.T) {
				w := newTestMount(t)
				w.badRequest(logical.UpdateOperation, "config/gst", without(f.config, field), field)
				w.badRequest(logical.UpdateOperation, "config/gst", with(f.config, field, ""), field)
				f.unserved(t).badRequest(logical.UpdateOperation, "config/gst", with(f.onlySecrets(), field, ""), field)
			})
		}
	}
}

func TestConfigRefused_FieldsOfAnotherProtocol(t *testing.T) {
	t.Parallel()
	values := map[string]string{upstream.FieldRefreshURL: upstreamURL + "/canary/", upstream.FieldRefreshHeaders: "Service=canary"}
	for _, f := range fixtures() {
		for _, field := range declaredFields() {
			if _, used := f.spec().Use(field, f.format()); used {
				continue
			}
			refuse(t, f, f.name+" and "+field, with(f.config, field, cmp.Or(values[field], "canary-secret")), field)
		}
	}
}

// declaredFields are the settings that not every protocol uses.
func declaredFields() []string {
	var names []string
	for _, spec := range upstream.Specs() {
		for _, field := range spec.Fields {
			if !slices.Contains(names, field.Name) {
				names = append(names, field.Name)
			}
		}
	}
	return names
}

func TestConfigRefused_UnsupportedRequestFormat(t *testing.T) {
	t.Parallel()
	tried := []upstream.Format{"canary", "JSON", "Assertion"}
	for _, spec := range upstream.Specs() {
		tried = append(tried, spec.Formats...)
	}
	slices.Sort(tried)
	tried = slices.Compact(tried)
	for _, f := range fixtures() {
		wants := []string{"request_format"}
		for _, format := range f.spec().Formats {
			wants = append(wants, string(format))
		}
		for _, format := range tried {
			if slices.Contains(f.spec().Formats, format) {
				continue
			}
			refuse(t, f, f.name+" in "+string(format), with(f.config, "request_format", string(format)), wants...)
		}
	}
}

func TestConfigRefused_UnusableURL(t *testing.T) {
	t.Parallel()
	const space, port = "space", "65535"
	for url, says := range map[string]string{
		"/canary/token-auth/": "", "canary.example/token-auth/": "", "canary.example:443": "", "https:///canary/": "",
		"ftp://canary.example/": "", "file:///etc/canary": "", "canary of canaries": "", "https://canary@upstream.test/": "",
		"https://user:canary@upstream.test/": "", "https://:canary@upstream.test/": "", "https://upstream.test/\r\ncanary: yes": "",
		"https://upstream.test/%zzcanary": "", "https://upstream.test:canary/": "", "http://canary.example/token auth/": space,
		"http://canary.example/a\u00a0b": space, "http://canary.example:0/": port, "http://canary.example:99999/": port,
		"http://canary.example:65536/": port, "http://[::1]:0/": port,
	} {
		for _, field := range []string{"token_url", "refresh_url", "proxy_url"} {
			if field == "proxy_url" && says == space {
				says = "full URL"
			}
			refuse(t, jwtV2(), field+" "+url, with(jwtV2().config, field, url), field, says)
		}
	}
	for _, good := range []string{"http://upstream.test:65535/", "http://upstream.test:1/", "http://upstream.test/a%20b?c=d+e"} {
		timed(t, good, func(t *testing.T) {
			w := newTestMount(t)
			w.write("config/gst", jwtConfig("token_url", good, "verify_connection", false))
		})
	}
}

func TestConfigRefused_PlainHTTPUnlessAllowed(t *testing.T) {
	t.Parallel()
	secure := with(jwtV2().config, "token_url", "https://upstream.test/api/v2/token-auth/",
		"refresh_url", "https://upstream.test/api/v2/api-token-refresh/", "verify_connection", false)
	for _, field := range []string{"token_url", "refresh_url"} {
		for _, scheme := range []string{"http", "HTTP"} {
			refuse(t, jwtV2(), field+" as "+scheme+" that is not allowed",
				with(secure, "allow_http", false, field, scheme+"://upstream.test/canary/"), field, "https", "allow_http")
		}
	}
	timed(t, "allow_http taken away while a URL is plain", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.badRequest(logical.UpdateOperation, "config/gst", with(jwtV1().onlySecrets(), "allow_http", false), "token_url", "https", "allow_http")
	})
}

func TestConfigRefused_RefreshAtLogin(t *testing.T) {
	t.Parallel()
	refuse(t, jwtV2(), "the URL that was pasted twice", with(jwtV2().config, "refresh_url", jwtV2().config["token_url"]), "refresh_url", "token_url")
	timed(t, "of a config that has it already", func(t *testing.T) {
		w := jwtV2().mounted(t)
		w.write("config/gst", with(jwtV2().onlySecrets(), "token_url", jwtV2().config["refresh_url"], "verify_connection", false))
		w.write("config/gst", map[string]any{"paused": true, "pause_reason": "a password leaked"})
	})
}

func TestConfigRefused_InvalidCACert(t *testing.T) {
	t.Parallel()
	ca, err := simulator.NewCA()
	check.NoError(t, err)
	good := string(ca.CertPEM())
	const key = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n" // base64 of "canary": no key
	bad := map[string]string{
		"text":                            "canary",
		"a key":                           key,
		"a certificate of nonsense":       "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n",
		"a certificate cut short":         good[:len(good)/2],
		"a certificate and then a key":    good + key,
		"a certificate and then nonsense": good + "canary",
		"one with a line lost":            strings.Replace(good, "\n", "\n!", 1) + good,
		"one without its end":             strings.Replace(good, "-----END CERTIFICATE-----", "", 1) + good,
		"one without its begin":           strings.Replace(good, "-----BEGIN CERTIFICATE-----", "", 1) + good,
		"one with another end":            strings.Replace(good, "-----END CERTIFICATE-----", "-----END KEY-----", 1) + good,
	}
	for name, roots := range bad {
		refuse(t, jwtV1(), "roots that are "+name, jwtConfig("ca_cert", roots), "ca_cert", "certificate")
	}
	timed(t, "a comment before a certificate is accepted", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", jwtConfig("ca_cert", "# our own authority\n"+good, "verify_connection", false))
	})
}

// refuseEach refuses a field with each of the values.
func refuseEach(t *testing.T, f fixture, field string, values []any, wants ...string) {
	t.Helper()
	for _, value := range values {
		refuse(t, f, fmt.Sprintf("%s as %T %[2]q", field, value), with(f.config, field, value), append([]string{field}, wants...)...)
	}
}

func TestConfigRefused_DurationNotInWholeSeconds(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"default_token_ttl", "max_token_ttl", "request_timeout", "ledger_retention"} {
		refuseEach(t, jwtV1(), field, []any{
			"500ms", "1.5s", 86397.5, json.Number("86397.5"), "86397.5", "canary", "s", -86397, json.Number("-86397"), "-86397s", true,
			[]any{30}, map[string]any{"canary": 30}, "1e1",
		}, "whole seconds")
	}
}

func TestConfigRefused_Secret(t *testing.T) {
	t.Parallel()
	for _, field := range secretFields() {
		refuseEach(t, oauth(), field, []any{
			json.Number("86397"), float64(86397), true, nil, []any{"canary"}, map[string]any{"canary": "canary"},
		}, "string")
		refuseEach(t, oauth(), field, []any{"canary\n", "canary\r", "canary\r\n"}, "newline", "printf %s")
		for _, kind := range []string{"hvs.", "hvb.", "hvr."} { // service, batch and recovery tokens
			refuseEach(t, oauth(), field, []any{kind + "canary" + strings.Repeat("x", 18)}, "is a Vault token")
		}
	}
	const vaults = "hvs.canary0canary0canary0canary"
	refuseEach(t, oauth(), "pause_reason", []any{"eyJcanary.eyJ.x", "leaked: JWT eyJcanary.eyJ.x", "leaked " + vaults + ".", "leak=" + vaults}, "contains a token")
}

// A value is taken or refused, and in no message: a secret may stand in each field by mistake. The host of a URL may be named.
func TestConfigRefused_ValueInNoMessage(t *testing.T) {
	fields := append(slices.Sorted(maps.Keys(readFields())), secretFields()...)
	eachPair(t, fixtures(), []string{
		"a canary", " canary ", "canary%s", "canary:canary", `{"canary": 1}`, "canary\x00", "-canary", "CANARY", "canaryé", strings.Repeat("canary", 5000),
		"https://user:canary@as.test/", "https://canary@as.test:0/", "://canary", "https://as.test:canary/", "https://as.test/%zzcanary",
		"https://as.test/#canary", "https://[canary", upstreamURL + "/canary/?password=canary", "hvs.canary0canary0canary0canary",
		"eyJcanary.eyJ.x",
	}, func(t *testing.T, f fixture, value string) {
		w := f.mounted(t)
		for _, field := range fields {
			given := value
			if strings.HasSuffix(field, "headers") {
				given = "X-A=" + value // a name without a value is in TestConfigRefused_Header
			}
			for path, data := range map[string]map[string]any{"config/" + field: f.config, "config/gst": f.onlySecrets()} {
				resp, err := w.do(t.Context(), logical.UpdateOperation, path, with(data, field, given))
				said := strings.ToLower(fmt.Sprint(resp, err, warningsOf(resp)))
				check.True(t, !strings.Contains(said, "canary"), "%s: leave the value out of the message: %s", field, said)
			}
		}
	})
}

func TestConfigRefused_Header(t *testing.T) {
	t.Parallel()
	bad := []any{
		"Host=canary", []any{"X-Good=1", "Host=canary"}, "canary", 5, map[string]any{"X": map[string]any{"canary": 1}},
		map[string]any{"X-Good": "canary", "x-good": "canary"},
	}
	for _, name := range []string{
		"Host", "Content-Type", "Content-Length", "Content-Encoding", "Authorization", "Proxy-Authorization", "Proxy-Connection", "Cookie",
		"Transfer-Encoding", "X-Good\nX-Bad", "X-Good\r", "X-Good:", "X Good", "", "X-Gööd",
	} {
		bad = append(bad, map[string]any{name: "canary"}, map[string]any{strings.ToLower(name): "canary"}, map[string]any{strings.ToUpper(name): "canary"})
	}
	for _, value := range []string{"canary\nX-Bad: 1", "canary\rX-Bad: 1", "canary\n", "canary\x00"} {
		bad = append(bad, map[string]any{"X-Good": value})
	}
	for _, field := range []string{"headers", "refresh_headers"} {
		refuseEach(t, jwtV2(), field, bad)
		refuseEach(t, jwtV2(), field, []any{map[string]any{strings.Repeat("X", 129): "canary"}}, "128 bytes")
		refuseEach(t, jwtV2(), field, []any{[]any{"X-A=canary", "X-A=1"}, []any{"X-A=1", "X-A=1"}}, "each name once")
		refuseEach(t, jwtV2(), field, []any{[]any{"X-A=canary", "x-a=1"}}, "X-A is given twice")
	}
	refuseEach(t, jwtV1(), "headers", []any{"Idempotency-Key=canary"}, "Idempotency-Key") // leave to repeat a login
	refuseEach(t, jwtV1(), "headers", []any{"x-idempotency-key=canary"}, "X-Idempotency-Key")
	timed(t, "the longest name is accepted", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", jwtConfig("headers", map[string]any{strings.Repeat("X", 128): "1"}, "verify_connection", false))
	})
}

func TestConfig_EndsOfRangesAccepted(t *testing.T) {
	eachNamed(t, map[string][]any{
		"rotation_percent":  {1, 100, json.Number("66"), float64(50), "33"},
		"request_timeout":   {1, 60, "1s", "60s", "1m", json.Number("30"), float64(30), "30"},
		"ledger_retention":  {0, "0s", "9600h", 9600 * 3600},
		"max_token_ttl":     {0, "0", "1h", "24h"},
		"default_token_ttl": {"1h", 3600, "1h30m"},
	}, func(t *testing.T, field string, accepted []any) {
		w := jwtV1().mounted(t)
		for _, value := range accepted {
			w.quiet(func() { w.write("config/gst", map[string]any{field: value}) })
		}
	})
}

// Only one secret can come from standard input.
func TestConfigRefused_TwoSecretsFromStandardInput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newTestMount(t)
		message := w.refused(logical.UpdateOperation, "config/new", map[string]any{
			"protocol": "oauth", "token_url": "https://x.test/", "username": "u", "client_id": "c",
		})
		check.True(t, strings.Count(message, "=-") < 2, "both cannot come from standard input: %s", message)
	})
}

// User info in any URL is refused.
func TestConfigRefused_UserInfoInAudience(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := assertion().mounted(t)
		w.refused(logical.UpdateOperation, "config/gst", map[string]any{"assertion_audience": "https://user:pass@as.test/token", "verify_connection": false})
	})
}
