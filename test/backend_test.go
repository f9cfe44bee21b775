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
	t.Parallel()
	timed(t, "as Vault calls it to learn the version", func(t *testing.T) {
		b, err := mastersindia.Factory(mastersindia.Options{Version: "v1.2.3"})(t.Context(), &logical.BackendConfig{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Cleanup(t.Context())
		if b.Type() != logical.TypeLogical {
			t.Errorf("type is %s, want %s", b.Type(), logical.TypeLogical)
		}
		versioned, ok := b.(logical.PluginVersioner)
		if !ok {
			t.Fatal("the backend has no version")
		}
		if got := versioned.PluginVersion().Version; got != "v1.2.3" {
			t.Errorf("version is %s, want v1.2.3", got)
		}
	})
}

// TestSchema_SealedAndLocalPaths: what is secret is sealed and tokens stay in their cluster.
func TestSchema_SealedAndLocalPaths(t *testing.T) {
	t.Parallel()
	timed(t, "the special paths", func(t *testing.T) {
		w := newTestMount(t)
		special := w.Backend().SpecialPaths()
		for _, prefix := range []string{"config/", "token/"} {
			if !slices.Contains(special.SealWrapStorage, prefix) {
				t.Errorf("sealed are %q, want %q among them", special.SealWrapStorage, prefix)
			}
		}
		for _, prefix := range []string{"token/", "ledger/"} {
			if !slices.Contains(special.LocalStorage, prefix) {
				t.Errorf("local are %q, want %q among them", special.LocalStorage, prefix)
			}
		}
		if slices.Contains(special.LocalStorage, "config/") || slices.Contains(special.LocalStorage, "role/") {
			t.Errorf("local are %q, but configs and roles belong to all clusters", special.LocalStorage)
		}
		for _, prefix := range append(slices.Clone(special.SealWrapStorage), special.LocalStorage...) {
			if !strings.HasSuffix(prefix, "/") {
				t.Errorf("prefix %q does not end in a slash: it is the name of one entry", prefix)
			}
		}
		if len(special.Root) > 0 || len(special.Unauthenticated) > 0 {
			t.Errorf("root paths %q, unauthenticated paths %q, want none", special.Root, special.Unauthenticated)
		}
	})
}

func TestSchema_LeaseType(t *testing.T) {
	t.Parallel()
	timed(t, "mastersindia_token", func(t *testing.T) {
		w := jwtV1().mounted(t)
		data := w.read("token/app").Secret.InternalData
		if got := data["secret_type"]; got != "mastersindia_token" {
			t.Errorf("secret_type is %v, want mastersindia_token", got)
		}
		if _, there := data["schema"]; !there {
			t.Errorf("the lease's data carry no schema version")
		}
		for name, value := range data {
			if s, ok := value.(string); ok && strings.Contains(s, "eyJ") {
				t.Errorf("the lease's %s has a token in it", name)
			}
		}
	})
}
