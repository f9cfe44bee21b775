// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestWrongName_RoleForConfig gives the name of a role where a config is wanted, and the reverse: the message has the right
// command instead of one that creates another config or role.
func TestWrongName_RoleForConfig(t *testing.T) {
	t.Parallel()
	timed(t, "all", func(t *testing.T) {
		w := jwtV1().mounted(t)
		w.write("role/kiosk", map[string]any{"config": "gst", "lease": false})
		for _, wrong := range []struct {
			path string
			data map[string]any
			says string
		}{
			{"rotate/app", nil, "that is a role of config gst, whose token all its roles share: vault write -f mastersindia/rotate/gst"},
			{"revoke/app", nil, "that is a role of config gst, whose token all its roles share: vault write -f mastersindia/revoke/gst"},
			{"revoke/app", map[string]any{"token_id": "0123456789abcdef"}, "vault write mastersindia/revoke/gst token_id=<token_id>"},
			{"revoke/", map[string]any{"token_id": "0123456789abcdef"}, "vault write mastersindia/revoke/<name> token_id=<token_id>"},
			{"role/new", map[string]any{"config": "app"}, `"app" is a role, not a config: use config=gst, as that role does`},
			{"token/gst", nil, "that is a config; its roles are app, kiosk: vault read mastersindia/token/app"},
			{"rotate/nobody", nil, "create it with vault write mastersindia/config/nobody"},
			{"token/nobody", nil, "create it with vault write mastersindia/role/nobody"},
		} {
			if message := w.badRequest(logical.UpdateOperation, wrong.path, wrong.data); !strings.Contains(message, wrong.says) {
				t.Errorf("%s: %s\nwant: %s", wrong.path, message, wrong.says)
			}
		}
		w.remove("role/app")
		w.remove("role/kiosk")
		message := w.badRequest(logical.ReadOperation, "token/gst", nil)
		if want := "it has no role yet: vault write mastersindia/role/gst config=gst"; !strings.Contains(message, want) {
			t.Errorf("token/ of a config without a role: %s\nwant: %s", message, want)
		}
	})
}

func TestWrongName_NearestPreset(t *testing.T) {
	t.Parallel()
	timed(t, "all", func(t *testing.T) {
		w := jwtV1().mounted(t)
		for given, meant := range map[string]string{
			"einvoice-prodution": "einvoice-production", "e-invoice_production": "einvoice-production", "ksa": "ksa-qa",
			"verification": "oauth-verification", "einvoicing-production": "einvoice-production",
		} {
			message := w.badRequest(logical.UpdateOperation, "config/new", map[string]any{"preset": given})
			if !strings.HasSuffix(message, "; did you mean "+meant+"?") {
				t.Errorf("preset=%s: %s\nwant %s", given, message, meant)
			}
		}
		message := w.badRequest(logical.UpdateOperation, "config/new", map[string]any{"preset": "zzzzzz"})
		if strings.Contains(message, "did you mean") {
			t.Errorf("nothing is near: %s", message)
		}
	})
}
