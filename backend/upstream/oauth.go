// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import "time"

// OAuth is Masters India's OAuth 2.0 password grant at /oauth/access_token.
const OAuth Protocol = "oauth"

// oauthProtocol is Masters India's OAuth 2.0 password grant at /oauth/access_token. Unlike RFC 6749 it takes the client's
// credentials in the body, beside the user's, and its pages send that body as JSON.
type oauthProtocol struct{}

func (oauthProtocol) name() Protocol { return OAuth }

func (oauthProtocol) spec() Spec {
	return Spec{
		Protocol: OAuth,
		Summary:  "Masters India OAuth password grant",
		Formats:  []Format{JSON, Form},
		Fields: []Field{
			{Name: FieldUsername, Required: true},
			{Name: FieldPassword, Required: true},
			{Name: FieldClientID, Required: true},
			{Name: FieldClientSecret, Required: true},
		},
		TokenKeys:       []string{"access_token", "token"},
		RefreshKeys:     []string{"refresh_token", "refresh token"},
		LifeKey:         "expires_in",
		LifeUnit:        time.Second,
		DefaultTokenTTL: time.Hour,
		Scheme:          "Bearer",
		TokenUse: "by API host: on pro and clientbasic field access_token in the JSON body (in the query for GET), and not the " +
			"authorization header; on commonapi headers Authorization: Bearer <token> and client_id",
		ClientIDWithToken: true,
	}
}

func (oauthProtocol) login(a *Account, _ time.Time) *message {
	body, contentType := encode(a.Format, map[string]string{
		"grant_type":    "password",
		"username":      a.Username,
		"password":      a.Password,
		"client_id":     a.ClientID,
		"client_secret": a.ClientSecret,
	})
	return &message{
		url:         a.TokenURL,
		accept:      mediaJSON,
		contentType: contentType,
		headers:     []map[string]string{a.Headers},
		body:        body,
	}
}

func (oauthProtocol) read(body []byte, s Spec) *grant { return readJSON(body, s) }
