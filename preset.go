// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"vault-plugin-secrets-mastersindia/backend/upstream"
)

// preset is a documented login endpoint that a config can name.
type preset struct {
	name        string
	description string

	protocol       upstream.Protocol
	tokenURL       string
	refreshURL     string
	requestFormat  upstream.Format
	headers        map[string]string
	refreshHeaders map[string]string
	// audience and scope are filled only where the preset has them.
	audience, scope string

	// documentedAt is the vendor's page.
	documentedAt string
	// documented, seen and assumed are what is known of the endpoint, by source.
	documented, seen, assumed string
	// tokenUse says how an application sends the token.
	tokenUse string
	// needs is what a config requires besides the credentials.
	needs string
	// caveat is what to know before using it.
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
	useBody      = "field access_token in the JSON body (in the query for GET), and not the authorization header"
	useVerify    = "header Authorization: Bearer <token>, and header client_id"
	useSOAP      = "element <access_token>, first child of the operation in the SOAP body, and not the authorization header"
	useBearer    = "header Authorization: Bearer <token>"
	documentsJWT = "URL, username and password, token, 206 for refused credentials, lifetime of 24 h"
)

// fills reports whether writing the preset sets a field.
func (p *preset) fills(f *configField) bool {
	return f.filled && (!f.ifSaid || p.fieldValue(f) != "")
}

// fieldValue is the value that the preset sets; by default that of the protocol.
func (p *preset) fieldValue(f *configField) any {
	switch f.name {
	case "token_url":
		return p.tokenURL
	case upstream.FieldAssertionAudience:
		return p.audience
	case upstream.FieldScope:
		return p.scope
	case "refresh_url":
		return p.refreshURL
	case "headers":
		return maps.Clone(p.headers)
	case "refresh_headers":
		return maps.Clone(p.refreshHeaders)
	case "request_format":
		if p.requestFormat != "" {
			return string(p.requestFormat)
		}
	}
	if f.fallback != nil {
		return f.fallback(f.spec(string(p.protocol)))
	}
	return reset{}
}

// suits reports whether the preset's value of a field fits a config that may give a different protocol or format.
func (p *preset) suits(f *configField, c *config) bool {
	return f.usedBy(c) && (string(p.protocol) == c.Protocol || !f.perProtocol)
}

// revocable reports whether a token can be revoked upstream.
func (p *preset) revocable() bool { return p.refreshURL != "" }

// findPreset returns nil where there is no preset of that name.
func findPreset(presets []preset, name string) *preset {
	n := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if n < 0 {
		return nil
	}
	return &presets[n]
}

// tokenUse says how an application sends the account's token: as in the preset with the same login host, since a config may keep
// the name of a preset and log in elsewhere, or else as is usual for the protocol.
func tokenUse(presets []preset, a *upstream.Account) string {
	host := hostOf(a.TokenURL)
	for n := range presets {
		if p := &presets[n]; p.protocol == a.Protocol && strings.Contains(p.tokenURL, "://"+host+"/") {
			return p.tokenUse
		}
	}
	return specOf(string(a.Protocol)).TokenUse
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

func presetNames(presets []preset) []string {
	names := make([]string, len(presets))
	for n := range presets {
		names[n] = presets[n].name
	}
	return names
}

// presets are the login endpoints that the vendors document, by name.
func presets() []preset {
	return []preset{
		{
			name: "einvoice-sandbox", description: "GST e-invoicing, sandbox", protocol: upstream.JWT,
			tokenURL:     "https://sandb-api.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEinvoice, documented: documentsJWT, seen: "request bodies in JSON, form and multipart",
			assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "einvoice-production", description: "GST e-invoicing, production", protocol: upstream.JWT,
			tokenURL:     "https://router.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEinvoice, documented: documentsJWT,
			seen:    "clients that log in at prod-api.mastersindia.co instead: preset=prod-api-production",
			assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "prod-api-production", description: "GST e-invoicing and e-way bill, production, second host", protocol: upstream.JWT,
			tokenURL:     "https://prod-api.mastersindia.co/api/v1/token-auth/",
			documentedAt: "nowhere: the documentation names router.mastersindia.co (einvoice-production)",
			documented:   "nothing of this host",
			seen:         "the host and path, in several independent clients; tokens from here used on router and api-platform",
			assumed:      "that the responses are those of the documented host", tokenUse: useJWT,
			caveat: "use it if the vendor gave you this host; einvoice-production is the documented one",
		},
		{
			name: "eway-sandbox", description: "E-way bill, sandbox", protocol: upstream.JWT,
			tokenURL:     "https://sandb-api.edoc.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEway, documented: documentsJWT, seen: "reports that the name does not resolve",
			assumed: "JSON as the default body", tokenUse: useJWT,
			caveat: "if the name does not resolve, use preset=einvoice-sandbox",
		},
		{
			name: "eway-production", description: "E-way bill, production", protocol: upstream.JWT,
			tokenURL:     "https://router.mastersindia.co/api/v1/token-auth/",
			documentedAt: pageEway, documented: documentsJWT, seen: "request bodies in JSON, form and multipart",
			assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "platform-production", description: "API platform (IRN list, FASTag, Vahan, OCR, MCA ...), production",
			protocol: upstream.JWT, requestFormat: upstream.JSON,
			tokenURL:     "https://api-platform.mastersindia.co/api/v2/token-auth/",
			documentedAt: pagePlatform,
			documented: "URL, token and refresh token, 206 for refused credentials; a JSON body on one page, form-data " +
				"(request_format=multipart) on another",
			seen: "JSON bodies alone; refresh token under refresh_token as well as under the documented key with a space; 403 as " +
				"well as 401 for an expired token",
			assumed:  "no refresh URL, since none is documented for this host",
			tokenUse: useJWT + ", and headers by product (Gstin, Productid, Subid, Mode): see metadata of a role",
		},
		{
			name: "ksa-qa", description: "KSA e-invoicing, QA", protocol: upstream.JWT,
			tokenURL:       "https://qa-globalback.mastersindia-einv.com/api/v2/token-auth/",
			refreshURL:     "https://qa-globalback.mastersindia-einv.com/api/v2/api-token-refresh/",
			headers:        map[string]string{"Productid": "einvoicing_global"},
			refreshHeaders: map[string]string{"Service": "online_service"},
			documentedAt:   pageKSA, documented: "URLs, headers, token and refresh_token, and that a refresh invalidates the old pair",
			seen: "nothing beyond the page", assumed: "JSON as the default body", tokenUse: useJWT,
		},
		{
			name: "einvoice-soap-staging", description: "GST e-invoicing over SOAP, staging", protocol: upstream.SOAP,
			tokenURL:     "http://staging-soapapi.mastersindia.co/api.einvoice.php",
			documentedAt: pageSOAP, documented: "URL, operation, client_id, client_secret, grant_type, responses",
			seen:    "nothing: no public client uses it",
			assumed: "soap_action, soap_username_element and soap_password_element, which the page lost", tokenUse: useSOAP,
			needs: "allow_http=true", caveat: "plain http: the password is sent in clear text",
		},
		{
			name: "oauth-sandbox", description: "E-invoice and e-way bill over OAuth, sandbox", protocol: upstream.OAuth,
			tokenURL:     "https://clientbasic.mastersindia.co/oauth/access_token",
			documentedAt: pageOAuthEway, documented: "URL, JSON body, access_token, expires_in", seen: "form bodies",
			assumed: "HTTP status of refusals", tokenUse: useBody,
		},
		{
			name: "oauth-production", description: "E-invoice and e-way bill over OAuth, production", protocol: upstream.OAuth,
			tokenURL:     "https://pro.mastersindia.co/oauth/access_token",
			documentedAt: pageOAuth, documented: "JSON body, access_token, expires_in", seen: "the host, in use by many clients",
			assumed: "HTTP status of refusals", tokenUse: useBody,
		},
		{
			name: "oauth-verification", description: "GSTIN, PAN and return verification over OAuth", protocol: upstream.OAuth,
			tokenURL:     "https://commonapi.mastersindia.co/oauth/access_token",
			documentedAt: pageOAuth, documented: "JSON body, access_token, expires_in",
			seen:    "the host, and the client_id header, in use by many clients",
			assumed: "HTTP status of refusals", tokenUse: useVerify,
		},
		{
			name: "firstvision-sandbox", description: "Fiserv FirstVision APAC, sandbox", protocol: upstream.FirstVision,
			tokenURL:     "https://stg34.visionplus.io/sandbox/v1/api/oauth/token",
			documentedAt: pageFirstVision, documented: "path, JSON body with client_id and client_secret, expires_in, array of errors",
			seen: "the host, in the vendor's API descriptions; recipes of the vendor's that send a GET",
			assumed: "JSON, as the newest pages have it: set request_format=query for the older form with HTTP Basic; POST, as the API " +
				"description has it",
			tokenUse: useBearer, needs: "scope, such as scope=\"accounts cards\"",
		},
		{
			name: "firstvision-sandbox-v2", description: "Fiserv FirstVision APAC, sandbox, API version 2", protocol: upstream.FirstVision,
			tokenURL:     "https://stg34.visionplus.io/sandbox/v2/api/oauth/token?appContext=firstvision",
			documentedAt: pageFirstVision + " and the API description beside it",
			documented:   "path, appContext, JSON body, the scope firstvision.all",
			seen:         "the host, in the vendor's API descriptions", assumed: "nothing more",
			tokenUse: useBearer, needs: "scope, such as scope=firstvision.all",
		},
		firstVisionRegion("emea", "sandbox", "cert.api.firstdata.com", "",
			"nothing beyond the page", "nothing: the sample request is for this host"),
		firstVisionRegion("emea", "uat", "cat.emea.api.fiservapps.com", "", seenNothing, assumedAudience),
		firstVisionRegion("emea", "production", "prod.emea.api.fiservapps.com",
			"the vendor's pages disagree: Client-Onboarding.md has the host emea.api.fiservapps.com", seenNothing, assumedAudience),
		firstVisionRegion("apac", "uat", "cat.apac.api.fiservapps.com",
			"the vendor's pages disagree: Client-Onboarding.md has the host cat-fsapi-apac.fiservsoa.com", seenNothing, assumedAudience),
		firstVisionRegion("apac", "production", "prod.apac.api.fiservapps.com",
			"the vendor's pages disagree: Client-Onboarding.md has the host fsapi-apac.fiservsoa.com", seenNothing, assumedAudience),
	}
}

const (
	pageRegions     = "Fiserv/firstvision-emea: docs/Support/Registration-and-Token.md, which covers APAC too"
	seenNothing     = "nothing: no public client logs in here"
	assumedAudience = "assertion_audience, of which the page shows the sandbox's only: token_url without /jwt/generate"
)

// firstVisionRegion is an endpoint of the gateway that EMEA and APAC share. It accepts only a signed assertion.
func firstVisionRegion(region, environment, host, caveat, seen, assumed string) preset {
	token := "https://" + host + "/api/fs/fv_" + region + "/security/v1/token"
	use := useBearer
	if environment == "uat" {
		use += ", and header AppCode, which the vendor gives out (Error-codes.md): see metadata of a role"
	}
	return preset{
		name:        "firstvision-" + region + "-" + environment,
		description: "Fiserv FirstVision " + strings.ToUpper(region) + ", " + strings.Replace(environment, "uat", "UAT", 1),
		protocol:    upstream.FirstVision, requestFormat: upstream.Assertion,
		tokenURL: token + "/jwt/generate", audience: token, scope: region + "_firstvision",
		documentedAt: pageRegions,
		documented:   "URL, form with a signed assertion, its claims, scope, lifetime of 60 minutes, error codes",
		seen:         seen, assumed: assumed, tokenUse: use,
		needs:  "credentials of this region and environment: those of another do not work",
		caveat: caveat,
	}
}
