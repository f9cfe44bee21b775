// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package main

import "bytes"

// filter finds the lines that the report can need, without decoding them. It may let others pass, and never holds one back,
// whatever the order of keys, the blanks and the escapes that a program wrote the JSON with: the plain letters that it looks for
// are in the line as they are, or written as \u00XX, which no program does without need. Lines with such an escape of a plain
// character are all let through.
type filter struct{ needles [][]byte }

// pluginName is part of the mount's type and of its accessor, under the name that the guides register the plugin with: it finds
// the lines of a mount that was moved to another path.
const pluginName = "mastersindia"

func newFilter(mount string) *filter {
	f := &filter{needles: [][]byte{longestPlain(mount)}}
	if !bytes.Contains([]byte(pluginName), f.needles[0]) {
		f.needles = append(f.needles, []byte(pluginName))
	}
	// Wrapping and unwrapping, moves of mounts, and logins as Vault writes them: those only add the auth method.
	for _, needle := range []string{"wrap_info", "wrapping", "cubbyhole", "remount", `"response":{"auth":{`} {
		f.needles = append(f.needles, []byte(needle))
	}
	return f
}

// wants reports whether a line must be decoded.
func (f *filter) wants(line []byte) bool {
	for _, needle := range f.needles {
		if bytes.Contains(line, needle) {
			return true
		}
	}
	return hasEscapedLetter(line)
}

// hasEscapedLetter looks for \u00XX where XX is a plain character.
func hasEscapedLetter(line []byte) bool {
	for {
		at := bytes.Index(line, []byte(`\u00`))
		if at < 0 || at+6 > len(line) {
			return false
		}
		high, low := bytes.IndexByte([]byte(hexDigits), line[at+4]|0x20), bytes.IndexByte([]byte(hexDigits), line[at+5]|0x20)
		if high >= 0 && low >= 0 && isPlain(byte(high<<4|low)) { //nolint:gosec // two hex digits are a byte
			return true
		}
		line = line[at+4:]
	}
}

const hexDigits = "0123456789abcdef"

// longestPlain is the longest part of a path that every program writes in the same way.
func longestPlain(path string) []byte {
	var best []byte
	odd := func(r rune) bool { return r > 0x7f || !isPlain(byte(r)) } //nolint:gosec // ASCII
	for _, part := range bytes.FieldsFunc([]byte(path), odd) {
		if len(part) > len(best) {
			best = part
		}
	}
	return best
}

func isPlain(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
