// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package story

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheParametersOfTheEngineAreKept holds the list in this package to the reference, which is made from the engine: a parameter
// that is missing here could be hidden by others that mean nothing.
func TestTheParametersOfTheEngineAreKept(t *testing.T) {
	t.Parallel()
	const config, role = "\n## `config/<name>`\n", "\n## `role/<name>`\n"
	data, err := os.ReadFile("../../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")
	parameters := map[string]bool{}
	for _, heading := range []string{config, role} {
		_, section, found := strings.Cut(string(data), heading)
		section, _, _ = strings.Cut(section, "\n## ")
		_, table, inTable := strings.Cut(section, "\n| parameter |")
		table, _, _ = strings.Cut(table, "\n\n")
		if !found || !inTable {
			t.Fatalf("the reference has no parameters of %q", heading)
		}
		for _, match := range row.FindAllStringSubmatch(table, -1) {
			parameters[match[1]] = true
			if odd(match[1]) != 0 {
				t.Errorf("parameter %s of %s counts as none of the engine's", match[1], strings.Trim(heading, "\n# "))
			}
		}
	}
	if len(parameters) > mostFields || !parameters["token_url"] || !parameters["max_ttl"] {
		t.Errorf("%d parameters, want token_url and max_ttl among them and no more than %d", len(parameters), mostFields)
	}
	t.Logf("%d parameters", len(parameters))
}
