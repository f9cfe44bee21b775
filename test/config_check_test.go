// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestConfig_BadURLRefused(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"token_url", "refresh_url", "proxy_url"} {
		for bad, want := range map[string]string{
			"http://canary.example/token auth/": "space", "http://canary.example/a\u00a0b": "space", "http://canary.example:0/": "65535",
			"http://canary.example:99999/": "65535", "http://canary.example:65536/": "65535", "http://[::1]:0/": "65535",
		} {
			if field == "proxy_url" && want == "space" {
				want = "full URL"
			}
			refuseAll(t, jwtV1(), []badWrite{{field + " " + bad, jwtConfig(field, bad), []string{field, want}}})
		}
	}
	for _, good := range []string{"http://upstream.test:65535/", "http://upstream.test:1/", "http://upstream.test/a%20b?c=d+e"} {
		timed(t, good, func(t *testing.T) {
			w := newTestMount(t)
			w.write("config/gst", jwtConfig("token_url", good, "verify_connection", false))
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

func TestConfig_NumberInAnotherBaseRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"08", "010", "0x10", "+5", "-0", "1_0", "00"} {
		refuseAll(t, jwtV1(), []badWrite{
			{"rotation_percent as " + bad, jwtConfig("rotation_percent", bad), []string{"rotation_percent: must be a whole number"}},
			{"request_timeout as " + bad, jwtConfig("request_timeout", bad), []string{"request_timeout: must be"}},
		})
	}
}

// TestPreset_WithAnotherProtocol has a preset give the URL alone: the rest of it is about its own protocol.
func TestPreset_WithAnotherProtocol(t *testing.T) {
	t.Parallel()
	timed(t, "on create", func(t *testing.T) {
		w := newTestMount(t)
		w.write("config/gst", with(without(oauth().config, "token_url"), "preset", "ksa-qa", "verify_connection", false))
		data := w.read("config/gst").Data
		for field, want := range map[string]any{
			"protocol": "oauth", "authorization_scheme": "Bearer", "request_format": "json", "preset": "", "refresh_url": "",
			"token_url": "https://qa-globalback.mastersindia-einv.com/api/v2/token-auth/", "refresh_headers": map[string]string{},
			"headers": map[string]string{"Productid": "einvoicing_global"},
		} {
			if !reflect.DeepEqual(data[field], want) {
				t.Errorf("%s is %v, want %v", field, data[field], want)
			}
		}
	})
}

// TestPreset_NameGoesWithItsEndpoint checks that a config keeps the name of a preset only for as long as it logs in there.
func TestPreset_NameGoesWithItsEndpoint(t *testing.T) {
	t.Parallel()
	secrets := jwtV1().onlySecrets()
	for _, change := range []struct {
		data map[string]any
		want string
	}{
		{map[string]any{"token_url": "https://upstream.test/"}, ""},
		{merged(oauth().config, map[string]any{"protocol": "oauth"}), ""},
		{map[string]any{"headers": "X-Team=gst", "authorization_scheme": "Token"}, "ksa-qa"},
		{map[string]any{"preset": "einvoice-sandbox"}, "einvoice-sandbox"},
		{map[string]any{"preset": "einvoice-sandbox", "token_url": "https://upstream.test/"}, ""},
	} {
		timed(t, fmt.Sprint(change.data["token_url"], change.data["protocol"], change.data["preset"]), func(t *testing.T) {
			w := newTestMount(t)
			w.write("config/gst", with(ofPreset("ksa-qa"), "verify_connection", false))
			if got := w.read("config/gst").Data["preset"]; got != "ksa-qa" {
				t.Fatalf("preset is %v, want ksa-qa", got)
			}
			w.write("config/gst", with(merged(secrets, change.data), "verify_connection", false))
			if got := w.read("config/gst").Data["preset"]; got != change.want {
				t.Errorf("preset is %q, want %q", got, change.want)
			}
		})
	}
}
