// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// TestMutants_EachChangesOnePlace keeps the list in step with the code: `make mutants` takes minutes, and is run seldom.
func TestMutants_EachChangesOnePlace(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		code := check.Value(os.ReadFile(filepath.Join("..", "..", folder, m.file)))(t)
		if n := strings.Count(string(code), m.from); n != 1 {
			t.Errorf("%s: its text occurs %d times in %s", m.name, n, m.file)
		}
	}
}
