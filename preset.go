// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

// preset is a documented login endpoint that a config can name.
type preset struct {
	name        string
	description string

	protocol       string
	tokenURL       string
	refreshURL     string
	requestFormat  string
	headers        map[string]string
	refreshHeaders map[string]string

	// documentedAt is the vendor's page.
	documentedAt string
	// documented, seen and assumed sort what is known of the endpoint by where it is known from.
	documented, seen, assumed string
	// tokenUse says how an application sends the token.
	tokenUse string
	// needs is what a config must give besides the credentials.
	needs string
	// caveat is what one should know before using it.
	caveat string
}

const (
	pageEinvoice    = "Masters India e-invoicing API: Authentication, Access Tokens; Environments"
	pageEway        = "Masters India e-way bill API: Authentication, Access Tokens; Environments"
	pagePlatform    = "https://docs.mastersindia.co/masters-india-apis/auth-api"
	pageKSA         = "https://masters-india-1.gitbook.io/ksa-e-invoicing-api/authentication/access-tokens"
	pageSOAP        = "Masters India e-invoicing API: Access Token SOAP"
	pageOAuth       = "https://docs.mastersindia.co/e-invoicing-api/access-token/access-token-vanila"
	pageOAuthEway   = "https://docs.mastersindia.co/gst-eway-bill-api"
	pageFirstVision = "Fiserv/firstvision-apac: docs/APIs/Security/get-access-token.md"

	useJWT       = "header Authorization: JWT <token>"
	useBody      = "field access_token in the JSON body (in the query for GET)"
	useVerify    = "header Authorization: Bearer <token>, and header client_id"
	useSOAP      = "element <access_token>, first child of the operation in the SOAP body"
	useBearer    = "header Authorization: Bearer <token>"
	documentsJWT = "URL, username and password, token, 206 for refused credentials, life of 24 h"
)

// fieldValue is what the preset fills a field with; where it says nothing that is the protocol's default.
func (p *preset) fieldValue(f *configField) any {
	switch f.name {
	case "token_url":
		return p.tokenURL
	case "refresh_url":
		return p.refreshURL
	case "headers":
		return p.headers
	case "refresh_headers":
		return p.refreshHeaders
	case "request_format":
		if p.requestFormat != "" {
			return p.requestFormat
		}
	}
	if f.fallback != nil {
		return f.fallback(p.protocol)
	}
	return reset{}
}

// suits reports whether what the preset says of a field is right for a config that it fills and that names its own protocol.
func (p *preset) suits(f *configField, protocol string) bool {
	return p.protocol == protocol || !f.perProtocol && f.usedBy(protocol)
}

// revocable reports whether the upstream can be told to kill a token before its time.
func (p *preset) revocable() bool { return p.refreshURL != "" }

// findPreset returns nil where there is no preset of that name.
func findPreset(name string) *preset {
	for _, p := range presets() {
		if p.name == name {
			return &p
		}
	}
	return nil
}

func presetNames() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// presets are the login endpoints that the vendors document, by name.
func presets() []preset {
	return []preset{
		{
			name: "einvoice-sandbox", description: "GST e-invoicing, sandbox", protocol: protocolJWT,
			tokenURL:     "https://sandb-api.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEinvoice, documented: documentsJWT, seen: "request bodies in JSON, form and multipart",
			assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "einvoice-production", description: "GST e-invoicing, production", protocol: protocolJWT,
			tokenURL:     "https://router.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEinvoice, documented: documentsJWT,
			seen:    "clients that log in at prod-api.mastersindia.co instead: set token_url if that is what you were given",
			assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "eway-sandbox", description: "E-way bill, sandbox", protocol: protocolJWT,
			tokenURL:     "https://sandb-api.edoc.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEway, documented: documentsJWT, seen: "reports that the name does not resolve",
			assumed: "JSON as the default body", tokenUse: useJWT,
			caveat: "if the name does not resolve, use preset=einvoice-sandbox",
		},
		{
			name: "eway-production", description: "E-way bill, production", protocol: protocolJWT,
			tokenURL:     "https://router.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEway, documented: documentsJWT, seen: "request bodies in JSON, form and multipart",
			assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "platform-production", description: "API platform (IRN list, FASTag, Vahan, OCR, MCA ...), production",
			protocol: protocolJWT, requestFormat: "multipart",
			tokenURL:     "https://api-platform.mastersindia.co/api/v2/token-auth/",
			documentedAt: pagePlatform, documented: "URL, form-data body, token and refresh token, 206 for refused credentials",
			seen:     "JSON bodies; refresh token under refresh_token as well as under the documented key with a space",
			assumed:  "no refresh URL, since none is documented for this host",
			tokenUse: useJWT + ", and headers by product (Gstin, Productid ...)",
		},
		{
			name: "ksa-qa", description: "KSA e-invoicing, QA", protocol: protocolJWT,
			tokenURL:       "https://qa-globalback.mastersindia-einv.com/api/v2/token-auth/",
			refreshURL:     "https://qa-globalback.mastersindia-einv.com/api/v2/api-token-refresh/",
			headers:        map[string]string{"Productid": "einvoicing_global"},
			refreshHeaders: map[string]string{"Service": "online_service"},
			documentedAt:   pageKSA, documented: "URLs, headers, token and refresh_token, and that a refresh kills the pair",
			seen: "nothing beyond the page", assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "einvoice-soap-staging", description: "GST e-invoicing over SOAP, staging", protocol: protocolSOAP,
			tokenURL:     "http://staging-soapapi.mastersindia.co/api.einvoice.php",
			documentedAt: pageSOAP, documented: "URL, operation, client_id, client_secret, grant_type, answers",
			seen:    "nothing: no public client uses it",
			assumed: "soap_action, soap_username_element and soap_password_element, which the page lost", tokenUse: useSOAP,
			needs: "allow_http=true", caveat: "plain http: everyone on the way reads the password",
		},
		{
			name: "oauth-sandbox", description: "E-invoice and e-way bill over OAuth, sandbox", protocol: protocolOAuth,
			tokenURL:     "https://clientbasic.mastersindia.co/oauth/access_token",
			documentedAt: pageOAuthEway, documented: "URL, JSON body, access_token, expires_in", seen: "form bodies",
			assumed: "HTTP status of refusals", tokenUse: useBody,
		},
		{
			name: "oauth-production", description: "E-invoice and e-way bill over OAuth, production", protocol: protocolOAuth,
			tokenURL:     "https://pro.mastersindia.co/oauth/access_token",
			documentedAt: pageOAuth, documented: "JSON body, access_token, expires_in", seen: "the host, in use by many clients",
			assumed: "HTTP status of refusals", tokenUse: useBody,
		},
		{
			name: "oauth-verification", description: "GSTIN, PAN and return verification over OAuth", protocol: protocolOAuth,
			tokenURL:     "https://commonapi.mastersindia.co/oauth/access_token",
			documentedAt: pageOAuth, documented: "JSON body, access_token, expires_in",
			seen:    "the host, and the client_id header, in use by many clients",
			assumed: "HTTP status of refusals", tokenUse: useVerify,
		},
		{
			name: "firstvision-sandbox", description: "Fiserv FirstVision APAC, sandbox", protocol: protocolFirstVision,
			tokenURL:     "https://stg34.visionplus.io/sandbox/v1/api/oauth/token",
			documentedAt: pageFirstVision, documented: "path, JSON body with client_id and client_secret, expires_in, array of errors",
			seen:    "the host, in the vendor's API descriptions",
			assumed: "JSON, as the newest pages have it: set request_format=query for the older form with HTTP Basic", tokenUse: useBearer,
		},
	}
}
