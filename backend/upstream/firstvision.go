// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"net/http"
	"net/url"
	"strings"
)

// firstVisionProtocol is Fiserv FirstVision's client credentials grant at /oauth/token. Its newest pages put everything
// into a JSON body; older ones want HTTP Basic, the grant and the scope in the query, and a body that is empty.
type firstVisionProtocol struct{}

func (firstVisionProtocol) login(a *Account) *message {
	m := &message{
		op:      opLogin,
		url:     a.TokenURL,
		accept:  mediaJSON,
		headers: []map[string]string{a.Headers},
	}
	if a.Format == Query {
		m.finish = func(req *http.Request) { firstVisionQuery(req, a) }
		return m
	}
	m.body, m.contentType = encode(JSON, map[string]string{
		"grant_type":    "client_credentials",
		"scope":         a.Scope,
		"client_id":     a.ClientID,
		"client_secret": a.ClientSecret,
	})
	return m
}

func (firstVisionProtocol) read(body []byte) *grant { return readJSON(body, "access_token", "token") }

// firstVisionQuery adds to the URL's query, which may hold an appContext already. Spaces between scopes become %20 and not
// a plus sign: the plus is understood in form bodies only, and the vendor's server is not known to take it in a query.
func firstVisionQuery(req *http.Request, a *Account) {
	scope := strings.ReplaceAll(url.QueryEscape(a.Scope), "+", "%20")
	added := "grant_type=client_credentials&scope=" + scope
	req.URL.RawQuery = join("&", req.URL.RawQuery, added)
	req.SetBasicAuth(a.ClientID, a.ClientSecret)
}
