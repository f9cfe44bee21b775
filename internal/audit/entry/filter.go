// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package entry

import "bytes"

// Filter finds the lines that a report on one mount can need, without decoding them. It may let others pass, and never holds one
// back, whatever the order of keys, the blanks and the escapes that a program wrote the JSON with.
//
// A line on a mount has the mount's path in it. Its longest run of plain letters is therefore in the line too: either as it is,
// or with letters written as \u00XX, which no program does without need. Lines with such an escape of a letter are all let
// through.
type Filter struct {
	needle   []byte
	wrapping []byte // paths on which a wrapping is opened, or changed for another
	old      []byte // where it was opened long ago
	logins   bool
}

// NewFilter returns the filter for a mount. With logins it lets through what tells by which auth method a Vault token was made.
func NewFilter(mount string, logins bool) *Filter {
	return &Filter{needle: longestPlain(mount), wrapping: []byte("wrapping"), old: []byte("cubbyhole"), logins: logins}
}

// Wants reports whether a line must be decoded.
func (f *Filter) Wants(line []byte) bool {
	return bytes.Contains(line, f.needle) || bytes.Contains(line, f.wrapping) || bytes.Contains(line, f.old) ||
		hasEscapedLetter(line) || f.logins && isLogin(line)
}

// isLogin recognises an answer with a new Vault token in it as Vault writes it. Logins only add the auth method to a report, so
// lines that another program has rearranged may be missed.
func isLogin(line []byte) bool { return bytes.Contains(line, []byte(`"response":{"auth":{`)) }

// hasEscapedLetter looks for \u00XX where XX is a plain character.
func hasEscapedLetter(line []byte) bool {
	for {
		at := bytes.Index(line, []byte(`\u00`))
		if at < 0 || at+6 > len(line) {
			return false
		}
		high, low := hexDigit(line[at+4]), hexDigit(line[at+5])
		if high >= 0 && low >= 0 && isPlain(byte(high<<4|low)) { //nolint:gosec // two hex digits are a byte
			return true
		}
		line = line[at+4:]
	}
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}

// longestPlain is the longest part of a path that every program writes in the same way.
func longestPlain(path string) []byte {
	best, start := "", 0
	for n := 0; n <= len(path); n++ {
		if n < len(path) && isPlain(path[n]) {
			continue
		}
		if n-start > len(best) {
			best = path[start:n]
		}
		start = n + 1
	}
	return []byte(best)
}

func isPlain(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
