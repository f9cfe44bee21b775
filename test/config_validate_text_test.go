// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
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
