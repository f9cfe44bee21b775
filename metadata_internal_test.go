// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Metadata that is accepted can be put into any header or template; what is refused is not repeated.
func FuzzMetadata(f *testing.F) {
	for _, pair := range []string{
		"gstin=29ABCDE1234F2Z5", "=", "a", "a=b=c", "a=\r\nX: 1", "-a=b", "a b=c", "é=1", "a=\xff", "a=" + strings.Repeat("x", 1023),
	} {
		f.Add(pair, "Mode=Buyer")
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		metadata, ok := decodePairs([]any{one, other})
		if !ok {
			return
		}
		var wrong problems
		checkMetadata(metadata, &wrong)
		if err := wrong.err(); err != nil {
			for name, value := range metadata {
				if !isPlainWord(name) && len(name) > 12 && strings.Contains(err.Error(), name) {
					t.Fatalf("%q repeats a name that is no word", err)
				}
				if len(value) > 40 && strings.Contains(err.Error(), value) {
					t.Fatalf("%q repeats a value", err)
				}
			}
			return
		}
		for name, value := range metadata {
			if name == "" || strings.ContainsFunc(name, func(r rune) bool {
				return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
			}) {
				t.Fatalf("the name %q is accepted", name)
			}
			if !utf8.ValidString(value) || strings.ContainsAny(value, "\r\n\x00") || len(name)+len(value) > 1024 {
				t.Fatalf("the value %q is accepted", value)
			}
		}
	})
}
