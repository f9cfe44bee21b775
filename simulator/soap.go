// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

const pathSOAP = "/api.einvoice.php"

// The operations of the one SOAP endpoint, and their namespace (page SOAP).
const (
	soapNamespace = "urn:server"
	opLogin       = "access_new_token"
	opInvoice     = "eInvoiceGenerate"
)

// SOAP is Masters India's SOAP operation access_new_token.
const SOAP Protocol = "soap"

func soapVendor() vendor {
	return vendor{
		protocol: SOAP,
		demo: Account{
			Protocol: SOAP, Username: "demo-soap@simulator.example", Password: "demo-soap-password",
			ClientID: "demo-soap-client", ClientSecret: "demo-soap-client-secret",
		},
		tokenTTL: 4 * time.Hour, // page SOAP: 14400
		logins:   []Login{{Config: "einvoice-soap", Role: "legacy", Preset: "einvoice-soap-staging", Path: pathSOAP}},
		endpoints: []endpoint{
			{false, "POST " + pathSOAP, "soap: operation " + opLogin},
			{true, "POST " + pathSOAP, "soap: operation " + opInvoice + ", the token in access_token"},
		},
		routes: func(s *Simulator) map[string]opener { return map[string]opener{pathSOAP: s.openSOAP} },
		call:   opInvoice,
		business: func(ctx context.Context, base, token, _ string) (*http.Request, error) {
			envelope := soapEnvelope("", `<urn:eInvoiceGenerate xmlns:urn="urn:server"><access_token>`+xmlText(token)+
				`</access_token><user_gstin>`+inventedGSTIN+`</user_gstin></urn:eInvoiceGenerate>`)
			return newBusinessRequest(ctx, http.MethodPost, base+pathSOAP, string(envelope),
				map[string]string{"Content-Type": contentTypeXML, "SOAPAction": `"urn:server#eInvoiceGenerate"`})
		},
		accepted: func(body []byte) bool { return bytes.Contains(body, []byte("<status>Success</status>")) },
	}
}

// openSOAP reads a call. The page's URL ends in ?wsdl and is posted to: the query does not matter.
func (s *Simulator) openSOAP(ex *exchange) attempt {
	if ex.r.Method != http.MethodPost {
		return other(func() { ex.text(http.StatusMethodNotAllowed, "simulated: POST a SOAP envelope\n") })
	}
	call, err := readSOAPCall(ex.r.Header.Get("Content-Type"), ex.body)
	if err != nil {
		return s.soapUnread(ex, err)
	}
	switch call.name {
	case opLogin:
		return s.openSOAPLogin(ex, call)
	case opInvoice:
		return s.openSOAPInvoice(ex, call)
	default:
		return s.soapUnread(ex, soapError(fmt.Sprintf("Operation '%s' is not defined in the WSDL for this service", call.name)))
	}
}

// soapUnread responds to a request that is not a known call. It counts as a login: that is what a client here most likely wanted.
func (s *Simulator) soapUnread(ex *exchange, err error) attempt {
	return attempt{
		kind: kindLogin, protocol: SOAP,
		refuse: func() { ex.soapLoginRefused("invalid_grant") },
		respond: func() bool {
			ex.soapFault(err.Error())
			return false
		},
	}
}

func (s *Simulator) openSOAPLogin(ex *exchange, call soapCall) attempt {
	values := map[string]string{
		"username":      call.fields["username"], // page SOAP has lost its tags here: these are the words that it still shows
		"password":      call.fields["passwd"],
		"client_id":     call.fields["client_id"],
		"client_secret": call.fields["client_secret"],
		"grant_type":    call.fields["grant_type"],
	}
	asked, _ := s.account(SOAP, values["username"])
	ex.latin1 = asked.Latin1
	return attempt{
		kind: kindLogin, protocol: SOAP, account: values["username"],
		refuse: func() { ex.soapLoginRefused("invalid_grant") },
		respond: func() bool {
			a, problem := s.oauthAccount(SOAP, values)
			if problem != nil {
				ex.soapLoginRefused(problem.Code)
				return false
			}
			token, issued, expires := s.issueOpaque(a)
			ex.soapLoggedIn(token, a.expiresIn(issued, expires))
			return true
		},
	}
}

// openSOAPInvoice reads the business call: the token is the first child of the operation (page Generate IRN, SOAP).
func (s *Simulator) openSOAPInvoice(ex *exchange, call soapCall) attempt {
	g, state := s.checkToken(ex, SOAP, call.fields["access_token"])
	return attempt{
		kind: kindBusiness, protocol: SOAP, account: g.owner.name,
		refuse: func() { ex.soapTokenRefused("The access token provided is invalid") },
		respond: func() bool {
			switch state {
			case verdictLive:
				ex.soapInvoiced(call)
				return true
			case verdictExpired:
				ex.soapTokenRefused("The access token provided has expired")
			default:
				ex.soapTokenRefused("The access token provided is invalid")
			}
			return false
		},
	}
}
