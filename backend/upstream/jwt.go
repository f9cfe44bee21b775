// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

// jwtProtocol is Masters India's token-auth, v1 and v2: username and password for a JWT. The v2 endpoints give a refresh
// token as well. The vendor's pages do not agree on the encoding of the body, so the account names it.
type jwtProtocol struct{}

func (jwtProtocol) login(a *Account) *message {
	body, contentType := encode(a.Format, map[string]string{
		"username": a.Username,
		"password": a.Password,
	})
	return &message{
		op:          opLogin,
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
		op:          opRefresh,
		url:         a.RefreshURL,
		accept:      mediaJSON,
		contentType: contentType,
		headers:     []map[string]string{a.Headers, a.RefreshHeaders},
		body:        body,
	}
}

func (jwtProtocol) read(body []byte) *grant { return readJSON(body, "token", "access_token") }
