// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// No connection can be made over TLS. The command that the message gives names fields that a config of this protocol has.
func TestRemedy_NamesOnlyFieldsOfTheProtocol(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		url, _ := f.config["token_url"].(string)
		s := f.mounted(t, "token_url", strings.Replace(url, "http://", "https://", 1))
		text := s.failure("app").Error()
		check.Require(t, strings.Contains(text, "ca_cert="), "the failure is not one of TLS: %s", text)
		check.True(t, strings.Count(text, "=-") <= 1, "only one value can come from standard input: %s", text)
		for _, field := range regexp.MustCompile(`(\w+)=[-@]`).FindAllStringSubmatch(text, -1) {
			name := field[1]
			check.True(t, name == "ca_cert" || f.config[name] != nil, "a config of protocol %v has no %s: %s", f.config["protocol"], name, text)
		}
	})
}

// At the time that a message or status/ names for the next attempt it is made.
func TestLoginError_NamedTimeIsNotTooEarly(t *testing.T) {
	forced := func(s *testMount) time.Time {
		_, err := s.rotate()
		_, rest, _ := strings.Cut(err.Error(), "logs in again from ")
		stamp, _, _ := strings.Cut(rest, " on")
		at, wrong := time.Parse(time.RFC3339, stamp)
		check.Require(s.t, wrong == nil, "rotate/ names no time: %v", err)
		return at
	}
	eachNamed(t, map[string]func(s *testMount) time.Time{
		"status/": func(s *testMount) time.Time { return moment(s.t, s.status(), "next_attempt_at") },
		"rotate/": forced,
	}, func(t *testing.T, name string, next func(s *testMount) time.Time) {
		s := gstMount(t, time.Hour)
		advance(300 * time.Millisecond)
		s.changePassword()
		s.failed("app")
		advanceUntil(next(s))
		if name == "rotate/" {
			_, _ = s.rotate()
		} else {
			s.failed("app")
		}
		s.wantLogins(2, "(one at the time that was named)")
	})
}

// Where the settings are right, the message says how to log in once the vendor has mended the upstream.
func TestRemedy_MalformedRequestOrMendedUpstream(t *testing.T) {
	gstTest(t, time.Hour, func(_ *testing.T, s *testMount) {
		s.refuseRequests()
		s.says(s.failure("app").Error(), "rejected the request as malformed", "vault read mastersindia/config/gst",
			"if they are correct: vault write -f mastersindia/rotate/gst")
	})
}

// TestLogin_ProxyNotFoundIsNamed: where the name of the proxy does not resolve, the advice is not about token_url alone.
func TestLogin_ProxyNotFoundIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := gstMount(t, time.Hour)
		s.unresolved("proxy.test")
		data := map[string]any{"proxy_url": "http://proxy.test:3128", "password": "pass-of-clerk"}
		const advice = "check the host of token_url, and the proxy if there is one"
		s.says(s.refusal(logical.UpdateOperation, "config/gst", data).message, "the name proxy.test does not resolve", advice)
		s.write("config/gst", with(data, "verify_connection", false))
		s.says(s.failure("app").Error(), "the name proxy.test does not resolve", advice)
	})
}
