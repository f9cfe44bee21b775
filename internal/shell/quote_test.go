// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package shell_test

import (
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/internal/shell"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"demo@x.example": "demo@x.example", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "p-1/2": "p-1/2",
	}
	for word, want := range tests {
		check.Equal(t, shell.Quote(word), want, "%q in a shell", word)
	}
}
