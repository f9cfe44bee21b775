// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import "strings"

// latin1 writes an XML document in ISO-8859-1, as NuSOAP does by default. What ISO-8859-1 does not have becomes a question mark.
func latin1(document []byte) []byte {
	text := strings.Replace(string(document), `encoding="UTF-8"`, `encoding="ISO-8859-1"`, 1)
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}
