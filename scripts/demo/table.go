// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import "strings"

// parseTable reads the table that `vault read` prints: a key, blanks, a value.
func parseTable(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[key] = strings.TrimSpace(value)
	}
	return values
}

// hideToken shortens the token in an answer, wherever it stands.
func hideToken(answer string) string {
	token := parseTable(answer)["access_token"]
	if token == "" {
		return answer
	}
	return strings.ReplaceAll(answer, token, shorten(token))
}
