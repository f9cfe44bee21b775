// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signHS256 signs as Masters India does.
func (s *Simulator) signHS256(a Account, claims jwt.MapClaims, unique bool) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	return a.seal(t, s.hmacKey, unique)
}

// signRS256 signs as FirstVision does. The header of its samples has nothing but alg.
func signRS256(a Account, claims jwt.MapClaims) (string, error) {
	key, err := rsaKey()
	if err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	delete(t.Header, "typ")
	return a.seal(t, key, false)
}

// seal signs the token. unique says that the claims have something unique already: see Account.RepeatTokens.
func (a Account) seal(t *jwt.Token, key any, unique bool) (string, error) {
	if !unique && !a.RepeatTokens {
		t.Header["jti"] = randomHex(8)
	}
	signed, err := t.SignedString(key)
	if err != nil {
		return "", err
	}
	if a.CorruptHeader {
		// {"… becomes {*…: the samples of page v2 are broken in just such a way. Their payloads can be read.
		signed = "eyo" + strings.TrimPrefix(signed, "eyJ")
	}
	return signed, nil
}

// setExpiry adds the claim exp, unless the account omits the expiry.
func (a Account) setExpiry(claims jwt.MapClaims, expires time.Time) {
	if !a.OmitExpiry {
		claims["exp"] = expires.Unix()
	}
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
