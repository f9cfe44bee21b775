// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"fmt"
	"net/http"
)

const contentTypeXML = "text/xml; charset=UTF-8"

// refusedInFrench is the refusal of a server whose messages need more than ASCII.
const refusedInFrench = "Accès refusé"

// soap sends an envelope, in the encoding of the account.
func (ex *exchange) soap(status int, envelope []byte) {
	if ex.latin1 {
		ex.reply(status, "text/xml; charset=ISO-8859-1", latin1(envelope))
		return
	}
	ex.reply(status, contentTypeXML, envelope)
}

// soapEnvelope wraps a body as the samples of page SOAP are wrapped.
func soapEnvelope(attributes, body string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` +
		`<SOAP-ENV:Envelope` + attributes + ` xmlns:SOAP-ENV="` + envelopeNamespace + `"` +
		` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
		` xmlns:SOAP-ENC="http://schemas.xmlsoap.org/soap/encoding/">` +
		`<SOAP-ENV:Body>` + body + `</SOAP-ENV:Body></SOAP-ENV:Envelope>`)
}

// soapLoggedIn is the success of page SOAP: error_description is there, and empty.
func (ex *exchange) soapLoggedIn(token string, expiresIn any) {
	life := ""
	if expiresIn != nil {
		life = fmt.Sprintf("<expires_in>%v</expires_in>", expiresIn)
	}
	ex.soap(http.StatusOK, soapEnvelope("", `<ns1:access_new_tokenResponse xmlns:ns1="urn:server">`+
		`<access_token>`+token+`</access_token>`+life+`<token_type>bearer</token_type><error_description/>`+
		`</ns1:access_new_tokenResponse>`))
}

// soapLoginRefused is the error of page SOAP. It is no Fault but another element, named after another operation, with the
// code as bare text; and encodingStyle, meant for a URI, says what went wrong. Status 200 is inferred.
func (ex *exchange) soapLoginRefused(code string) {
	if ex.latin1 {
		code = refusedInFrench
	}
	ex.soap(http.StatusOK, soapEnvelope(` SOAP-ENV:encodingStyle="Get Access token"`,
		`<ns1:access_tokenResponse xmlns:ns1="urn:server"> `+xmlText(code)+` </ns1:access_tokenResponse>`))
}

// soapInvoiced responds to a business call whose token was accepted. No page shows this response: it is the JSON envelope of the
// other APIs, as XML.
func (ex *exchange) soapInvoiced(call soapCall) {
	ex.soap(http.StatusOK, soapEnvelope("", `<ns1:eInvoiceGenerateResponse xmlns:ns1="urn:server"><results>`+
		`<message><Irn>`+invoiceNumber([]byte(call.fields["user_gstin"]))+`</Irn><Remarks>simulated</Remarks></message>`+
		`<errorMessage/><status>Success</status><code>200</code></results></ns1:eInvoiceGenerateResponse>`))
}

// soapTokenRefused refuses a token, in the words of the OAuth server behind it (inferred).
func (ex *exchange) soapTokenRefused(description string) {
	ex.soap(http.StatusOK, soapEnvelope("", `<ns1:eInvoiceGenerateResponse xmlns:ns1="urn:server">`+
		`<error>invalid_token</error><error_description>`+xmlText(description)+`</error_description>`+
		`</ns1:eInvoiceGenerateResponse>`))
}

// soapFault is NuSOAP's Fault; SOAP 1.1 wants status 500 with it.
func (ex *exchange) soapFault(text string) {
	ex.soap(http.StatusInternalServerError, soapEnvelope("", `<SOAP-ENV:Fault>`+
		`<faultcode xsi:type="xsd:string">SOAP-ENV:Client</faultcode><faultactor xsi:type="xsd:string"></faultactor>`+
		`<faultstring xsi:type="xsd:string">`+xmlText(text)+`</faultstring><detail xsi:type="xsd:string"></detail>`+
		`</SOAP-ENV:Fault>`))
}
