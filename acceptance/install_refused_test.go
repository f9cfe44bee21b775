// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
)

// TestWhatTheInstallGuideSaysOfRefusalsIsWhatVaultSays makes each mistake of the guide's table, and no other is in the table.
func TestWhatTheInstallGuideSaysOfRefusalsIsWhatVaultSays(t *testing.T) {
	t.Parallel()
	r := newRegistration(t, harness.StartDevVault)
	program, err := os.ReadFile(r.oldFile)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(filepath.Dir(r.oldFile), "plain")
	if err := os.WriteFile(plain, program, 0o600); err != nil { //nolint:gosec // in the folder of this test
		t.Fatal(err)
	}
	sum, command := sumOf(t, r.oldFile), filepath.Base(r.oldFile)
	register := func(name, sum, version, command string) []string {
		return []string{"plugin", "register", "-sha256=" + sum, "-version=" + version, "-command=" + command, "secret", name}
	}
	mistakes := map[string]func() string{
		"checksums did not match": func() string {
			r.vault(t, register("other-sum", strings.Repeat("0", 64), r.old, command)...)
			return r.refused(t, "secrets", "enable", "other-sum")
		},
		"did not match requested version": func() string {
			return r.refused(t, register("other-version", sum, r.new, command)...)
		},
		"permission denied": func() string {
			r.vault(t, register("plain", sum, r.old, "plain")...)
			return r.refused(t, "secrets", "enable", "plain")
		},
		"error while validating the command path": func() string {
			return r.refused(t, register("absent", sum, r.old, "absent")...)
		},
		"extracted artifact directory not found": func() string {
			return r.refused(t, register("no-sum", "", r.old, command)...)
		},
		"plugin not found in the catalog": func() string {
			return r.refused(t, "secrets", "enable", "nobody-registered-this")
		},
		"path is already in use": func() string {
			r.vault(t, register(harness.PluginName, sum, r.old, command)...)
			r.vault(t, "secrets", "enable", harness.PluginName)
			return r.refused(t, "secrets", "enable", harness.PluginName)
		},
	}
	for _, text := range refusalsOfTheInstallGuide(t) {
		mistake, known := mistakes[text]
		if !known {
			t.Errorf("%s has %q, and no mistake is known to bring it", installGuide, text)
			continue
		}
		if said := mistake(); !strings.Contains(strings.Join(strings.Fields(said), " "), text) {
			t.Errorf("%s has %q, and Vault says:\n%s", installGuide, text, said)
		}
		delete(mistakes, text)
	}
	for text := range mistakes {
		t.Errorf("%s does not explain %q", installGuide, text)
	}
}

// refusalsOfTheInstallGuide are the texts in the first cells of the table.
func refusalsOfTheInstallGuide(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", installGuide))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### When Vault refuses it\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var texts []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(.+?)`").FindAllStringSubmatch(section, -1) {
		texts = append(texts, row[1])
	}
	return texts
}
