// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/simulator"
)

// TestCLIErrors_ShowCommand covers mistakes for which the vault command would show nothing, or nothing useful.
func TestCLIErrors_ShowCommand(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.JWT)
	for typed, want := range map[string]string{
		"read mastersindia/tokens/app":                        "did you mean vault read mastersindia/token/app?",
		"read mastersindia/creds/app":                         "see vault path-help mastersindia/",
		"read mastersindia/config":                            "the name is missing: vault read mastersindia/config/<name>; to list the names: vault list mastersindia/config",
		"read mastersindia/rotate/main":                       ": use vault write -f mastersindia/rotate/main",
		"list mastersindia/token":                             ": use vault list mastersindia/role",
		"list mastersindia/config/main":                       ": use vault list mastersindia/config",
		"delete mastersindia/status/main":                     ": use vault read mastersindia/status/main",
		"patch mastersindia/config/main paused=true":          ": use vault write mastersindia/config/main ...",
		"write mastersindia/roles/app config=main":            "did you mean vault write mastersindia/role/app ...?",
		"write mastersindia/status/main paused=true":          ": use vault read mastersindia/status/main",
		"write mastersindia/config/main user=clerk":           "did you mean username or soap_username_element?",
		"write mastersindia/config/new preset=einvoice-prod":  "preset: must be one of einvoice-sandbox, einvoice-production, ",
		"write mastersindia/role/new config=mian":             `config: "mian" does not exist`,
		"write mastersindia/role/new config=main max_ttl=1d":  "max_ttl: must be whole seconds, such as 90, or a duration",
		"write mastersindia/config/main rotation_percent=66%": "rotation_percent: must be a whole number, without a unit",
		"write -f mastersindia/config/new":                    "to create it, give a protocol, or a preset, which sets it",
		"write mastersindia/config/mian paused=true":          `config "mian" does not exist, so there is nothing to update`,
		"write mastersindia/config/main protocol=smtp":        "or give a preset, which sets it",
		"list mastersindia":                                   "see vault path-help mastersindia/",
		"read mastersindia/status/main -format=json":          "options of the vault command go before the path",
		"path-help mastersindia/configs":                      "did you mean vault path-help mastersindia/config/x?",
		"path-help mastersindia/token":                        "the name is missing: vault path-help mastersindia/token/x",
		"path-help mastersindia/role/<name>":                  "name: must be 1 to 128 letters",
	} {
		if said := w.refused(t, strings.Fields(typed)...); !strings.Contains(strings.Join(strings.Fields(said), " "), want) {
			t.Errorf("vault %s says:\n%s\nwant: %s", typed, said, want)
		}
	}
}
