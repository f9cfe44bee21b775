// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
)

func TestSchema_FactoryWithEmptyConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, err := mastersindia.Factory(mastersindia.Options{Version: "v1.2.3"})(t.Context(), &logical.BackendConfig{})
		noError(t, err)
		defer b.Cleanup(t.Context())
		if b.Type() != logical.TypeLogical {
			t.Errorf("type is %s, want %s", b.Type(), logical.TypeLogical)
		}
		versioned, ok := b.(logical.PluginVersioner)
		require(t, ok, "the backend has no version")
		equal(t, "version", versioned.PluginVersion().Version, "v1.2.3")
	})
}

func TestSchema_SealedAndLocalPaths(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		special := w.Backend().SpecialPaths()
		for _, prefix := range []string{"config/", "token/"} {
			check(t, slices.Contains(special.SealWrapStorage, prefix),
				"sealed are %q, want %q among them", special.SealWrapStorage, prefix)
		}
		for _, prefix := range []string{"token/", "ledger/"} {
			check(t, slices.Contains(special.LocalStorage, prefix), "local are %q, want %q among them", special.LocalStorage, prefix)
		}
		check(t, !slices.Contains(special.LocalStorage, "config/") && !slices.Contains(special.LocalStorage, "role/"),
			"local are %q, but configs and roles belong to all clusters", special.LocalStorage)
		for _, prefix := range append(slices.Clone(special.SealWrapStorage), special.LocalStorage...) {
			check(t, strings.HasSuffix(prefix, "/"), "prefix %q does not end in a slash: it is the name of one entry", prefix)
		}
		check(t, len(special.Root) == 0 && len(special.Unauthenticated) == 0,
			"root paths %q, unauthenticated paths %q, want none", special.Root, special.Unauthenticated)
	})
}

func TestSchema_LeaseType(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		data := w.read("token/app").Secret.InternalData
		equal(t, "secret_type", data["secret_type"], "mastersindia_token")
		_, there := data["schema"]
		check(t, there, "the lease's data carry no schema version")
		for name, value := range data {
			s, ok := value.(string)
			check(t, !ok || !strings.Contains(s, "eyJ"), "the lease's %s has a token in it", name)
		}
	})
}
