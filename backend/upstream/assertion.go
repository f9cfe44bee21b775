// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// assertionLife is from an assertion's iat to its exp.
	assertionLife = 5 * time.Minute
	// assertionSlack is how far iat lies in the past, so that an upstream whose clock is a little behind does not see an
	// assertion from the future.
	assertionSlack = 30 * time.Second
)

// signAssertion makes the JWT that stands in for the secret. Its jti is new each time: an upstream refuses one that it has seen.
func signAssertion(a *Account, from, until time.Time) string {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": a.ClientID,
		"sub": a.ClientID,
		"aud": a.AssertionAudience,
		"jti": rand.Text(),
		"iat": from.Unix(),
		"exp": until.Unix(),
	})
	// Strings and numbers always encode, and HMAC takes a key of any length.
	signed, _ := token.SignedString([]byte(a.ClientSecret))
	return signed
}
