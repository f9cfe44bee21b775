// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

// oauthProtocol is Masters India's OAuth 2.0 password grant at /oauth/access_token. Unlike RFC 6749 it takes the client's
// credentials in the body, beside the user's, and its pages send that body as JSON.
type oauthProtocol struct{}

func (oauthProtocol) login(a *Account) *message {
	body, contentType := encode(a.Format, map[string]string{
		"grant_type":    "password",
		"username":      a.Username,
		"password":      a.Password,
		"client_id":     a.ClientID,
		"client_secret": a.ClientSecret,
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

func (oauthProtocol) read(body []byte) *grant { return readJSON(body, "access_token", "token") }
