// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// inventedGSTIN is a taxpayer number of the right shape that nobody has.
const inventedGSTIN = "00AAAAA0000A1Z0"

// CallBusiness makes the one business call of a protocol as an integrator would, and tells whether the token was accepted.
// baseURL is where a Simulator serves, without a path; clientID is for oauth. A nil client is http.DefaultClient.
func (s *Simulator) CallBusiness(
	ctx context.Context, baseURL string, client *http.Client, p Protocol, token, clientID string,
) (status int, body []byte, accepted bool, err error) {
	return CallBusiness(ctx, baseURL, client, p, token, clientID)
}

// CallBusiness is [Simulator.CallBusiness] for a simulator that runs elsewhere.
func CallBusiness(
	ctx context.Context, baseURL string, client *http.Client, p Protocol, token, clientID string,
) (status int, body []byte, accepted bool, err error) {
	request, err := businessRequest(ctx, strings.TrimSuffix(baseURL, "/"), p, token, clientID)
	if err != nil {
		return 0, nil, false, err
	}
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, false, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return response.StatusCode, body, false, err
	}
	return response.StatusCode, body, response.StatusCode == http.StatusOK && businessAccepted(p, body), nil
}

func businessRequest(ctx context.Context, base string, p Protocol, token, clientID string) (*http.Request, error) {
	switch p {
	case JWT:
		return newBusinessRequest(ctx, http.MethodPost, base+pathEinvoice, `{"user_gstin":"`+inventedGSTIN+`"}`,
			map[string]string{"Authorization": "JWT " + token, "Content-Type": "application/json"})
	case OAuth:
		return newBusinessRequest(ctx, http.MethodGet, base+pathSearchGSTIN+"?gstin="+inventedGSTIN, "",
			map[string]string{"Authorization": "Bearer " + token, "client_id": clientID})
	case SOAP:
		envelope := soapEnvelope("", `<urn:eInvoiceGenerate xmlns:urn="urn:server"><access_token>`+xmlText(token)+
			`</access_token><user_gstin>`+inventedGSTIN+`</user_gstin></urn:eInvoiceGenerate>`)
		return newBusinessRequest(ctx, http.MethodPost, base+pathSOAP, string(envelope),
			map[string]string{"Content-Type": contentTypeXML, "SOAPAction": `"urn:server#eInvoiceGenerate"`})
	case FirstVision:
		return newBusinessRequest(ctx, http.MethodGet, base+"/v1/cards/0000000000000000001/details", "",
			map[string]string{"Authorization": "Bearer " + token})
	default:
		return nil, fmt.Errorf("protocol %q is none of %v", p, Protocols())
	}
}

func newBusinessRequest(ctx context.Context, method, url, body string, header map[string]string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	return request, nil
}

// businessAccepted reads an answer with status 200: two of the protocols refuse a token with that status too.
func businessAccepted(p Protocol, body []byte) bool {
	switch p {
	case JWT:
		var answer struct{ Results json.RawMessage }
		return json.Unmarshal(body, &answer) == nil && answer.Results != nil
	case OAuth:
		var answer struct{ Error bool }
		return json.Unmarshal(body, &answer) == nil && !answer.Error
	case SOAP:
		return bytes.Contains(body, []byte("<status>Success</status>"))
	default:
		return json.Valid(body)
	}
}
