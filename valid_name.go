// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"strings"

	"vault-plugin-secrets-mastersindia/backend/counters"
)

// maxNameLength bounds the names of configs and roles.
const maxNameLength = 128

const nameRule = "must be 1 to 128 letters, digits, '_', '-' or '.' and not _other, begin and end with a letter, digit or '_', " +
	"and have no two dots in a row"

// validName is the rule for names. Vault's storage and its leases refuse a path with two dots in a row; _other is the label of
// all configs that have no series of their own in the metrics.
func validName(name string) bool {
	if name == "" || name == counters.Others || len(name) > maxNameLength || strings.Contains(name, "..") {
		return false
	}
	for n := range len(name) {
		inner := n > 0 && n < len(name)-1 && (name[n] == '-' || name[n] == '.')
		if !inner && !isWord(name[n]) {
			return false
		}
	}
	return true
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
