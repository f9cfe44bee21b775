// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

func TestConfig_WritesBackWhatItReads(t *testing.T) {
	t.Parallel()
	for _, protocol := range simulator.Protocols() {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			w := newTestVault(t)
			account := w.app(t, protocol)
			token := w.readToken(t, "app").String("token_id")
			stored := w.readJSON(t, "read", "-format=json", "mastersindia/config/main").Data
			for _, secret := range []string{"password", "client_secret", "verify_connection"} {
				_, ok := stored[secret]
				check.True(t, !ok, "the read shows %s", secret)
			}
			for field, secret := range map[string]string{"password": account.Password, "client_secret": account.ClientSecret} {
				if secret != "" {
					stored[field] = secret
				}
			}
			client := w.rootClient(t)
			check.Value(client.Logical().WriteWithContext(t.Context(), "mastersindia/config/main", stored))(t)
			check.Equal(t, w.readToken(t, "app").String("token_id"), token, "writing back what was read replaced the token")
			w.upstream.wantLogins(t, 1)
		})
	}
}

// TestConfig_NamesOfTheRuleStored: Vault's router and storage take every name that the rule allows.
func TestConfig_NamesOfTheRuleStored(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	for _, name := range []string{"gst.example.in", "a.-.b", "A_b-1", "_x_", "7", strings.Repeat("n", 128)} {
		w.vault(t, "write", "mastersindia/config/"+name, "protocol=jwt", "token_url="+w.upstream.loginURL(simulator.JWT),
			"username=u", "password=never-used-password", "verify_connection=false")
		stored := w.readJSON(t, "read", "-format=json", "mastersindia/config/"+name)
		check.Equal(t, stored.String("username"), "u", "%s: reads back as %v", name, stored.Data)
		w.writeRole(t, name, name)
		if role := w.readJSON(t, "read", "-format=json", "mastersindia/role/"+name); role.String("config") != name {
			t.Errorf("role %s: reads back as %v", name, role.Data)
		}
	}
}
