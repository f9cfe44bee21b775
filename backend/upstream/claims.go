// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// epochFrom and epochMillisFrom are where a number stops being a life in seconds and becomes a point in time: 31 years as
// a life, the year 2001 as an epoch in seconds, and again 2001 in milliseconds.
const (
	epochFrom       = 1e9
	epochMillisFrom = 1e12
)

// claims are the two claims of a JWT that matter here, in seconds since 1970.
type claims struct {
	exp, iat       float64
	hasExp, hasIat bool
}

// readClaims reads the payload of a JWT. It is not verified, as the vendors publish no keys: the token came over TLS from
// where it was issued. Nor is its header looked at, which is broken in the vendors' own samples. A token that is no JWT has
// no claims.
func readClaims(token string) (c claims, problem problemText) {
	payload := jwtPayload(token)
	exp, found, problem := number(payload["exp"])
	if problem != "" {
		return claims{}, problem
	}
	c.exp, c.hasExp = epoch(exp), found
	for _, name := range []string{"iat", "orig_iat"} {
		iat, found, problem := number(payload[name])
		if problem != "" || !found || iat <= 0 || math.IsInf(iat, 0) {
			continue
		}
		c.iat, c.hasIat = epoch(iat), true
		break
	}
	return c, ""
}

// jwtPayload decodes the middle part of a JWT; nil where the token is none. It takes either alphabet of base64, and
// names that are not UTF-8: the claims that matter are numbers.
func jwtPayload(token string) map[string]any {
	_, rest, _ := strings.Cut(token, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	encoded = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(encoded, "="))
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil
	}
	v, problem := decodeJSON(bytes.ToValidUTF8(decoded, []byte("?")))
	if problem != "" {
		return nil
	}
	payload, _ := v.(map[string]any)
	return payload
}

// epoch returns a point in time in seconds, also if it was given in milliseconds.
func epoch(n float64) float64 {
	if n >= epochMillisFrom {
		return n / 1000
	}
	return n
}

// number reads a number that may come as a string. found is false where there is none: upstreams send null, an empty
// string or an empty list instead of leaving the key out. A number too large for a float64 is infinite, which is as good.
func number(v any) (n float64, found bool, problem problemText) {
	text := ""
	switch v := v.(type) {
	case nil:
		return 0, false, ""
	case []any:
		if len(v) == 0 {
			return 0, false, ""
		}
	case json.Number:
		text = v.String()
	case string:
		if text = strings.TrimSpace(v); text == "" {
			return 0, false, ""
		}
	}
	n, ok := parseNumber(text)
	if !ok {
		return 0, false, problemExpiry
	}
	return n, true, ""
}

// parseNumber takes what JSON takes for a number. strconv alone would also take "0x10", "1_000", "inf" and "nan".
func parseNumber(text string) (n float64, ok bool) {
	if text == "" || !strings.Contains("-0123456789", text[:1]) || !json.Valid([]byte(text)) {
		return 0, false
	}
	// The only error that is left is one of range, with the nearest value beside it.
	n, _ = strconv.ParseFloat(text, 64)
	return n, true
}
