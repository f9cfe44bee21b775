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

// hideToken shortens the token in a response, wherever it stands.
func hideToken(response string) string {
	token := parseTable(response)["access_token"]
	if token == "" {
		return response
	}
	return strings.ReplaceAll(response, token, shorten(token))
}
