// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestSchema_FactoryWithEmptyConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, err := mastersindia.Factory(mastersindia.Options{Version: "v1.2.3"})(t.Context(), &logical.BackendConfig{})
		check.NoError(t, err)
		defer b.Cleanup(t.Context())
		if b.Type() != logical.TypeLogical {
			t.Errorf("type is %s, want %s", b.Type(), logical.TypeLogical)
		}
		versioned, ok := b.(logical.PluginVersioner)
		check.Require(t, ok, "the backend has no version")
		check.Equal(t, versioned.PluginVersion().Version, "v1.2.3", "version")
	})
}

func TestSchema_SealedAndLocalPaths(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		special := w.Backend().SpecialPaths()
		for _, prefix := range []string{"config/", "token/"} {
			check.True(t, slices.Contains(special.SealWrapStorage, prefix), "sealed are %q, want %q among them", special.SealWrapStorage, prefix)
		}
		for _, prefix := range []string{"token/", "ledger/"} {
			check.True(t, slices.Contains(special.LocalStorage, prefix), "local are %q, want %q among them", special.LocalStorage, prefix)
		}
		check.True(t, !slices.Contains(special.LocalStorage, "config/") && !slices.Contains(special.LocalStorage, "role/"),
			"local are %q, but configs and roles belong to all clusters", special.LocalStorage)
		for _, prefix := range append(slices.Clone(special.SealWrapStorage), special.LocalStorage...) {
			check.True(t, strings.HasSuffix(prefix, "/"), "prefix %q does not end in a slash: it is the name of one entry", prefix)
		}
		check.True(t, len(special.Root) == 0 && len(special.Unauthenticated) == 0,
			"root paths %q, unauthenticated paths %q, want none", special.Root, special.Unauthenticated)
	})
}

func TestSchema_LeaseType(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		data := w.read("token/app").Secret.InternalData
		check.Equal(t, data["secret_type"], "mastersindia_token", "secret_type")
		_, there := data["schema"]
		check.True(t, there, "the lease's data carry no schema version")
		for name, value := range data {
			s, ok := value.(string)
			check.True(t, !ok || !strings.Contains(s, "eyJ"), "the lease's %s has a token in it", name)
		}
	})
}
