// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import "time"

// JWT is Masters India's token-auth, v1 and v2: username and password for a JWT.
const JWT Protocol = "jwt"

// jwtProtocol is Masters India's token-auth, v1 and v2: username and password for a JWT. The v2 endpoints give a refresh
// token as well. The vendor's pages do not agree on the encoding of the body, so the account names it.
type jwtProtocol struct{}

func (jwtProtocol) name() Protocol { return JWT }

func (jwtProtocol) spec() Spec {
	return Spec{
		Protocol: JWT,
		Summary:  "Masters India token-auth, v1 and v2",
		Formats:  []Format{JSON, Form, Multipart},
		Fields: []Field{
			{Name: FieldUsername, Required: true},
			{Name: FieldPassword, Required: true},
			{Name: FieldRefreshURL},
			{Name: FieldRefreshHeaders},
		},
		TokenKeys:       []string{"token", "access_token"},
		RefreshKeys:     []string{"refresh_token", "refresh token"},
		LifeKey:         "expires_in",
		LifeUnit:        time.Second,
		DefaultTokenTTL: 24 * time.Hour,
		Scheme:          "JWT",
		TokenUse:        "header Authorization: JWT <token>",
	}
}

func (jwtProtocol) login(a *Account, _ time.Time) *message {
	body, contentType := encode(a.Format, map[string]string{
		"username": a.Username,
		"password": a.Password,
	})
	return &message{
		url:         a.TokenURL,
		accept:      mediaJSON,
		contentType: contentType,
		headers:     []map[string]string{a.Headers},
		body:        body,
	}
}

// refresh sends the refresh token in a field that is called "token", of all things: so says the vendor's page.
func (jwtProtocol) refresh(a *Account, refreshToken string) *message {
	body, contentType := encode(a.Format, map[string]string{"token": refreshToken})
	return &message{
		url:         a.RefreshURL,
		accept:      mediaJSON,
		contentType: contentType,
		headers:     []map[string]string{a.Headers, a.RefreshHeaders},
		body:        body,
	}
}

func (jwtProtocol) read(body []byte, s Spec) *grant { return readJSON(body, s) }
