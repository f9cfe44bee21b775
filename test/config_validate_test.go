// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/upstream"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// badWrite is a write of a config that must be refused, whatever is stored already.
type badWrite struct {
	name  string
	data  map[string]any
	wants []string // what the message must say: the field, and what would be right
}

// refuseAll refuses each write.
func refuseAll(t *testing.T, f fixture, writes []badWrite) {
	t.Helper()
	for _, bad := range writes {
		refuse(t, f, bad.name, bad.data, bad.wants...)
	}
}

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
	protocols := []string{"protocol"}
	for _, spec := range upstream.Specs() {
		protocols = append(protocols, string(spec.Protocol))
	}
	refuseAll(t, jwtV1(), []badWrite{
		{"an unknown protocol", jwtConfig("protocol", "canary"), protocols},
		{"a protocol in upper case", jwtConfig("protocol", "JWT-canary"), protocols},
		{"an unknown preset", jwtConfig("preset", "canary"), []string{"preset"}},
	})
	timed(t, "create with neither protocol nor preset", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		w.badRequest(logical.UpdateOperation, "config/gst", without(jwtConfig(), "protocol"), "protocol", "preset")
	})
	timed(t, "create with nothing", func(t *testing.T) {
		w := newTestMount(t, jwtAccount())
		w.badRequest(logical.UpdateOperation, "config/gst", nil, "protocol", "preset")
	})
}

// A secret that was never given is not asked for again. A change of protocol needs one more secret, and one problem a secret says
// it all.
func TestConfigRefused_AbsentSecretNotAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := jwtV1().unserved(t)
		said := w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"protocol": "oauth", "client_id": "canary"},
			"client_secret: is required", "password: must be given again")
		check.True(t, !strings.Contains(said, "client_secret: must be given again"),
			"a secret that was never given is asked for again: %s", said)
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
			timed(t, f.name+" created without "+field, func(t *testing.T) {
				w := newTestMount(t)
				w.badRequest(logical.UpdateOperation, "config/gst", without(f.config, field), field)
			})
			timed(t, f.name+" created with empty "+field, func(t *testing.T) {
				w := newTestMount(t)
				w.badRequest(logical.UpdateOperation, "config/gst", with(f.config, field, ""), field)
			})
			timed(t, f.name+" updated to empty "+field, func(t *testing.T) {
				w := f.unserved(t)
				w.badRequest(logical.UpdateOperation, "config/gst", with(f.onlySecrets(), field, ""), field)
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
		w.badRequest(logical.UpdateOperation, "config/gst",
			with(jwtV1().onlySecrets(), "allow_http", false), "token_url", "https", "allow_http")
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

func TestConfigRefused_DurationNotInWholeSeconds(t *testing.T) {
	t.Parallel()
	durations := map[string]any{
		"half a second":          "500ms",
		"one and a half seconds": "1.5s",
		"a fraction":             86397.5,
		"a fraction of JSON":     json.Number("86397.5"),
		"a fraction as text":     "86397.5",
		"a word":                 "canary",
		"a unit alone":           "s",
		"a negative number":      -86397,
		"a negative JSON number": json.Number("-86397"),
		"a negative duration":    "-86397s",
		"true":                   true,
		"a list":                 []any{30},
		"a map":                  map[string]any{"canary": 30},
		"an exponent":            "1e1",
	}
	for _, field := range durationFields() {
		for name, value := range durations {
			refuse(t, jwtV1(), field+" as "+name, jwtConfig(field, value), field, "whole seconds")
		}
	}
}

func durationFields() []string {
	return []string{"default_token_ttl", "max_token_ttl", "request_timeout", "ledger_retention"}
}

func TestConfigRefused_SecretNotAString(t *testing.T) {
	t.Parallel()
	values := map[string]any{
		"a JSON number": json.Number("86397"),
		"a number":      float64(86397),
		"true":          true,
		"null":          nil,
		"a list":        []any{"canary"},
		"a map":         map[string]any{"canary": "canary"},
	}
	for _, field := range secretFields() {
		for name, value := range values {
			refuse(t, oauth(), field+" as "+name, with(oauth().config, field, value), field, "string")
		}
	}
}

func TestConfigRefused_SecretEndsInNewline(t *testing.T) {
	t.Parallel()
	for _, field := range secretFields() {
		for name, end := range map[string]string{"a newline": "\n", "a carriage return": "\r", "both": "\r\n"} {
			refuse(t, oauth(), field+" that ends in "+name, with(oauth().config, field, "canary"+end), field, "newline", "printf %s")
		}
	}
}

func TestConfigRefused_ReservedHeader(t *testing.T) {
	t.Parallel()
	names := []string{
		"Host", "Content-Type", "Content-Length", "Content-Encoding", "Authorization", "Proxy-Authorization",
		"Proxy-Connection", "Cookie", "Transfer-Encoding",
	}
	for _, field := range []string{"headers", "refresh_headers"} {
		for _, name := range names {
			for _, spelt := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
				refuse(t, jwtV2(), field+" with "+spelt, with(jwtV2().config, field, map[string]any{spelt: "canary"}), field)
			}
		}
		refuseAll(t, jwtV2(), []badWrite{
			{field + " with Host as text", with(jwtV2().config, field, "Host=canary"), []string{field}},
			{field + " with Host in a list", with(jwtV2().config, field, []any{"X-Good=1", "Host=canary"}), []string{field}},
		})
	}
}

func TestConfigRefused_InvalidHeader(t *testing.T) {
	t.Parallel()
	headers := map[string]map[string]any{
		"a newline in its value":         {"X-Good": "canary\nX-Bad: 1"},
		"a carriage return in its value": {"X-Good": "canary\rX-Bad: 1"},
		"a newline at the end":           {"X-Good": "canary\n"},
		"a newline in its name":          {"X-Good\nX-Bad": "canary"},
		"a carriage return in its name":  {"X-Good\r": "canary"},
		"a colon in its name":            {"X-Good:": "canary"},
		"a blank in its name":            {"X Good": "canary"},
		"no name":                        {"": "canary"},
		"a zero byte in its value":       {"X-Good": "canary\x00"},
		"a letter outside ASCII in name": {"X-Gööd": "canary"},
		"the same name in two spellings": {"X-Good": "canary", "x-good": "canary"},
	}
	for _, field := range []string{"headers", "refresh_headers"} {
		for name, header := range headers {
			refuse(t, jwtV2(), field+" with "+name, with(jwtV2().config, field, header), field)
		}
		refuseAll(t, jwtV2(), []badWrite{
			{field + " as text without an equals sign", with(jwtV2().config, field, "canary"), []string{field}},
			{field + " as a number", with(jwtV2().config, field, 5), []string{field}},
			{field + " with a map inside", with(jwtV2().config, field, map[string]any{"X": map[string]any{"canary": 1}}), []string{field}},
		})
	}
}

func TestConfigRefused_NumberOutOfRange(t *testing.T) {
	t.Parallel()
	numbers := []struct {
		field string
		value any
		wants []string
	}{
		{"rotation_percent", 0, []string{"1", "100"}},
		{"rotation_percent", 101, []string{"1", "100"}},
		{"rotation_percent", -1, []string{"1", "100"}},
		{"rotation_percent", json.Number("0"), []string{"1", "100"}},
		{"rotation_percent", "0", []string{"1", "100"}},
		{"rotation_percent", 66.5, nil},
		{"rotation_percent", "canary", nil},
		{"rotation_percent", "66%", nil},
		{"rotation_percent", true, nil},
		{"request_timeout", 0, []string{"1s", "60s"}},
		{"request_timeout", "0s", []string{"1s", "60s"}},
		{"request_timeout", 61, []string{"1s", "60s"}},
		{"request_timeout", "61s", []string{"1s", "60s"}},
		{"request_timeout", "2m", []string{"1s", "60s"}},
		{"ledger_retention", "9601h", []string{"9600h"}},
		{"ledger_retention", 9600*3600 + 1, []string{"9600h"}},
	}
	for _, number := range numbers {
		value, err := json.Marshal(number.value)
		check.NoError(t, err)
		refuse(t, jwtV1(), number.field+" as "+string(value),
			jwtConfig(number.field, number.value), append(number.wants, number.field)...)
	}
}

func TestConfigRefused_InvalidBool(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"allow_http", "paused", "verify_connection"} {
		refuseAll(t, jwtV1(), []badWrite{
			{field + " as a word", jwtConfig(field, "canary"), []string{field}},
			{field + " as a number too many", jwtConfig(field, 7), []string{field}},
			{field + " as a list", jwtConfig(field, []any{true}), []string{field}},
		})
	}
}

func TestConfig_BadHeaderNameRefused(t *testing.T) {
	t.Parallel()
	refuseAll(t, jwtV1(), []badWrite{
		{"a long name", jwtConfig("headers", map[string]any{strings.Repeat("X", 129): "canary"}), []string{"headers", "128 bytes"}},
		{"a name twice", jwtConfig("headers", []any{"X-A=canary", "X-A=1"}), []string{"headers", "each name once"}},
		{"a name twice in another case", jwtConfig("headers", []any{"X-A=canary", "x-a=1"}), []string{"headers", "X-A is given twice"}},
		{"a name twice with one value", jwtConfig("refresh_headers", []any{"X-A=1", "X-A=1"}), []string{"refresh_headers", "once"}},
		{"leave to repeat a login", jwtConfig("headers", "Idempotency-Key=canary"), []string{"headers", "Idempotency-Key"}},
		{"leave to repeat, as it was", jwtConfig("headers", "x-idempotency-key=canary"), []string{"headers", "X-Idempotency-Key"}},
	})
	timed(t, "the longest name", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", jwtConfig("headers", map[string]any{strings.Repeat("X", 128): "1"}, "verify_connection", false))
	})
}

func TestConfigRefused_SOAPActionWithQuote(t *testing.T) {
	t.Parallel()
	refuse(t, soap(), "a quote in soap_action", with(soap().config, "soap_action", `canary"`), "soap_action", "printable ASCII")
}

func TestConfig_NumberInAnotherBaseRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"08", "010", "0x10", "+5", "-0", "1_0", "00"} {
		refuseAll(t, jwtV1(), []badWrite{
			{"rotation_percent as " + bad, jwtConfig("rotation_percent", bad), []string{"rotation_percent: must be a whole number"}},
			{"request_timeout as " + bad, jwtConfig("request_timeout", bad), []string{"request_timeout: must be"}},
		})
	}
}

func TestConfig_EndsOfRangesAccepted(t *testing.T) {
	t.Parallel()
	values := map[string][]any{
		"rotation_percent":  {1, 100, json.Number("66"), float64(50), "33"},
		"request_timeout":   {1, 60, "1s", "60s", "1m", json.Number("30"), float64(30), "30"},
		"ledger_retention":  {0, "0s", "9600h", 9600 * 3600},
		"max_token_ttl":     {0, "0", "1h", "24h"},
		"default_token_ttl": {"1h", 3600, "1h30m"},
	}
	for field, accepted := range values {
		timed(t, field, func(t *testing.T) {
			w := jwtV1().mounted(t)
			for _, value := range accepted {
				w.quiet(func() { w.write("config/gst", map[string]any{field: value}) })
			}
		})
	}
}
