// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestConfigReplace_WarnsOfOtherAccount writes over the config of another account, as after a mistaken name: the login succeeds, and
// so does the write, which says what it has replaced, without a value.
func TestConfigReplace_WarnsOfOtherAccount(t *testing.T) {
	t.Parallel()
	const account, roles = "The config was of another account: its ", " changed, and its roles return the token of the new account."
	for name, c := range map[string]struct {
		old, next fixture
		changed   map[string]any
		says      []string
	}{
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
	} {
		timed(t, name, func(t *testing.T) {
			accounts := []simulator.Account{c.old.account}
			if c.next.name != c.old.name {
				accounts = append(accounts, c.next.account)
			}
			w := newTestMount(t, accounts...)
			w.write("config/gst", c.old.config)
			var said []string
			if resp := w.write("config/gst", merged(c.next.config, c.changed)); resp != nil {
				said = resp.Warnings
			}
			all := strings.Join(said, "\n")
			w.says(all, c.says...)
			if strings.Contains(all, "was of") != (len(c.says) > 0) || strings.Contains(all, "deleted") != (len(c.says) > 1) {
				t.Errorf("warnings %q, want %q", said, c.says)
			}
			for _, secret := range append(c.old.secrets(), c.next.secrets()...) {
				w.hides(all, secret)
			}
		})
	}
}
