// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"
)

// windows1252 are the characters that windows-1252 has where ISO-8859-1 has control characters, from 0x80 to 0x9f. A label of
// ISO-8859-1 is read as windows-1252, as browsers do.
const windows1252 = "€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ"

// text returns the body as UTF-8. Bytes that are UTF-8 are left alone, since NuSOAP labels its responses ISO-8859-1
// whatever they hold; so are those of JSON, which has no other encoding, and of an encoding that is not known.
func (a *response) text() []byte {
	if utf8.Valid(a.body) || !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")) {
		return a.body
	}
	_, params, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if !isLatin1(declaredEncoding(a.body)) && !isLatin1(params["charset"]) {
		return a.body
	}
	high := []rune(windows1252)
	text := make([]rune, len(a.body))
	for i, c := range a.body {
		text[i] = rune(c)
		if c >= 0x80 && c < 0xa0 {
			text[i] = high[c-0x80]
		}
	}
	return []byte(string(text))
}

func isLatin1(label string) bool {
	switch strings.ToLower(strings.TrimSpace(label)) {
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "windows-1252", "cp1252":
		return true
	default:
		return false
	}
}

// declaredEncoding returns the encoding that an XML declaration names, "" where there is none.
func declaredEncoding(body []byte) string {
	declaration, _, found := bytes.Cut(body, []byte("?>"))
	if !found || !bytes.HasPrefix(bytes.TrimSpace(declaration), []byte("<?xml")) {
		return ""
	}
	_, value, _ := bytes.Cut(declaration, []byte("encoding"))
	value = bytes.TrimLeft(value, "= \t\r\n")
	if len(value) == 0 {
		return ""
	}
	name, _, _ := bytes.Cut(value[1:], value[:1]) // between quotes of either kind
	return string(name)
}
