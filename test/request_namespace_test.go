// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// A caller whose VAULT_NAMESPACE names the namespace types the mount's path without it. Vault passes that header on only where
// the mount allows it, so without it the path is the full one.
func TestAdvice_LeavesNamespaceOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, want string }{
		{"none", "", "vault read team/north/mastersindia/token/app?"},
		{"whole", "team/north", "vault read mastersindia/token/app?"},
		{"slashes", "/team/north/", "vault read mastersindia/token/app?"},
		{"outer", "team", "vault read north/mastersindia/token/app?"},
		{"other", "tea", "vault read team/north/mastersindia/token/app?"},
		{"mount", "team/north/mastersindia", "vault read team/north/mastersindia/token/app?"},
	} {
		timed(t, c.name, func(t *testing.T) {
			w := jwtV1().mounted(t)
			req := &logical.Request{Operation: logical.ReadOperation, Path: "tokens/app", MountPoint: "team/north/mastersindia/"}
			if c.header != "" {
				req.Headers = map[string][]string{"X-Vault-Namespace": {c.header}}
			}
			resp, err := w.Backend().HandleRequest(t.Context(), req)
			check.True(t, err == nil && resp.IsError() && strings.Contains(resp.Error().Error(), c.want),
				"answered %v, %v, want %s", resp, err, c.want)
		})
	}
}
