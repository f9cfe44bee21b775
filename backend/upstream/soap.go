// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"time"
)

// SOAP is Masters India's SOAP operation access_new_token.
const SOAP Protocol = "soap"

// The names of the SOAP operation. The vendor's page has lost those of the user and the password element and gives no
// action; these are what its NuSOAP server most likely wants, and an account can set others.
const (
	soapDefaultAction          = "urn:server#access_new_token"
	soapDefaultUsernameElement = "username"
	soapDefaultPasswordElement = "passwd"
)

// soapProtocol is Masters India's SOAP 1.1 operation access_new_token.
type soapProtocol struct{}

func (soapProtocol) name() Protocol { return SOAP }

func (soapProtocol) spec() Spec {
	return Spec{
		Protocol: SOAP,
		Summary:  "Masters India access_new_token",
		Fields: []Field{
			{Name: FieldUsername, Required: true},
			{Name: FieldPassword, Required: true},
			{Name: FieldClientID, Required: true},
			{Name: FieldClientSecret, Required: true},
			{Name: FieldSOAPAction, Default: soapDefaultAction},
			{Name: FieldSOAPUsernameElement, Default: soapDefaultUsernameElement},
			{Name: FieldSOAPPasswordElement, Default: soapDefaultPasswordElement},
		},
		// PHP may return JSON in a string, with the names that it has in JSON.
		TokenKeys:       []string{"access_token", "token"},
		RefreshKeys:     []string{"refresh_token", "refresh token"},
		LifeKey:         "expires_in",
		LifeUnit:        time.Second,
		DefaultTokenTTL: 4 * time.Hour,
		Scheme:          "Bearer",
		TokenUse:        "element <access_token>, first child of the operation in the SOAP body, and not the authorization header",
	}
}

func (soapProtocol) login(a *Account, _ time.Time) *message {
	action := orDefault(a.SOAPAction, soapDefaultAction)
	return &message{
		url:         a.TokenURL,
		accept:      mediaXML,
		contentType: mediaXML + "; charset=utf-8",
		headers:     []map[string]string{a.Headers},
		body:        soapEnvelope(a),
		finish: func(req *http.Request) {
			// The name is written as SOAP 1.1 spells it: Header.Set would make it Soapaction, which is the same header
			// to HTTP, but not to every old server.
			req.Header["SOAPAction"] = []string{`"` + action + `"`}
		},
	}
}

func (soapProtocol) read(body []byte, s Spec) *grant { return readSOAP(body, s) }

// soapEnvelope writes the request. The elements keep the order of the vendor's page.
func soapEnvelope(a *Account) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:server">` +
		`<soapenv:Header/><soapenv:Body><urn:access_new_token>`)
	soapElement(&b, orDefault(a.SOAPUsernameElement, soapDefaultUsernameElement), a.Username)
	soapElement(&b, orDefault(a.SOAPPasswordElement, soapDefaultPasswordElement), a.Password)
	soapElement(&b, "client_id", a.ClientID)
	soapElement(&b, "client_secret", a.ClientSecret)
	soapElement(&b, "grant_type", "password")
	b.WriteString(`</urn:access_new_token></soapenv:Body></soapenv:Envelope>`)
	return b.Bytes()
}

// soapElement writes one element with its text.
func soapElement(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	// Writing to a buffer does not fail.
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</" + name + ">")
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
