// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness_test

import (
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
)

func TestNextVersion_MinorEndsInZero(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v0.1.0": "v0.2.0", "v1.9.7": "v1.10.0", "1.2.3": "", "main": ""} {
		got, err := harness.NextMinor(version)
		check.True(t, got == want && (err != nil) == (want == ""), "after %s comes %q (%v), want %q", version, got, err, want)
	}
}
