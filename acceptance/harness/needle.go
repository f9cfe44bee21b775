// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package harness

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// minNeedle is the shortest secret that can be searched for: a shorter one would be found by chance.
const minNeedle = 12

// needle is a secret in every form in which it could have leaked.
type needle struct {
	label string
	forms map[string]string
}

// newNeedle returns the forms of a secret. Forms that hold a form already listed are left out: they would be found with it.
func newNeedle(label, secret string) (needle, error) {
	if len(secret) < minNeedle {
		return needle{}, fmt.Errorf("%s is too short to be searched for: %d bytes, need %d", label, len(secret), minNeedle)
	}
	forms := map[string]string{
		"raw":            secret,
		"hex":            hex.EncodeToString([]byte(secret)),
		"HEX":            strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"query-escaped":  url.QueryEscape(secret),
		"path-escaped":   url.PathEscape(secret),
		"JSON":           jsonText(secret, true),
		"JSON plain":     jsonText(secret, false),
		"XML":            xmlText(secret),
		"Go quoted":      unquote(strconv.Quote(secret)),
		"Go quoted JSON": jsonText(jsonText(secret, true), false),
	}
	for shift := range 3 {
		forms[fmt.Sprintf("base64 at %d", shift)] = base64Core(base64.RawStdEncoding, secret, shift)
		forms[fmt.Sprintf("base64url at %d", shift)] = base64Core(base64.RawURLEncoding, secret, shift)
	}
	for name, form := range forms {
		if name != "raw" && strings.Contains(form, secret) {
			delete(forms, name)
		}
	}
	return needle{label: label, forms: forms}, nil
}

// find returns the name of the first form that the text holds, or "".
func (n needle) find(text []byte) string {
	for name, form := range n.forms {
		if bytes.Contains(text, []byte(form)) {
			return name
		}
	}
	return ""
}

// base64Core returns the characters that the secret has in any base64 text in which it begins at a byte offset of shift
// modulo 3: those that depend on neighbouring bytes are cut off at both ends.
func base64Core(encoding *base64.Encoding, secret string, shift int) string {
	text := encoding.EncodeToString(append(make([]byte, shift), secret...))
	first := (shift*8 + 5) / 6
	last := (shift + len(secret)) * 8 / 6
	return text[first:last]
}

func jsonText(text string, escapeHTML bool) string {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(escapeHTML)
	_ = encoder.Encode(text) // A string can always be encoded.
	return unquote(strings.TrimSpace(buffer.String()))
}

func xmlText(text string) string {
	var buffer bytes.Buffer
	_ = xml.EscapeText(&buffer, []byte(text)) // A buffer can always be written to.
	return buffer.String()
}

func unquote(quoted string) string { return quoted[1 : len(quoted)-1] }

// LifeLeft is the remaining lifetime of a JWT, or 0 where the token does not tell.
func LifeLeft(token string) time.Duration {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	var claims struct{ Exp int64 }
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return 0
	}
	return time.Until(time.Unix(claims.Exp, 0))
}
