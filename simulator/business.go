// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package simulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// inventedGSTIN is a taxpayer number in the right format that is not assigned.
const inventedGSTIN = "00AAAAA0000A1Z0"

// CallBusiness makes the one business call of a protocol as an integrator would, and reports whether the token was accepted.
// baseURL is where a Simulator serves, without a path; clientID is for oauth. A nil client is http.DefaultClient.
func CallBusiness(
	ctx context.Context, baseURL string, client *http.Client, p Protocol, token, clientID string,
) (status int, body []byte, accepted bool, err error) {
	v := vendorOf(p)
	if v.protocol == "" {
		return 0, nil, false, fmt.Errorf("protocol %q is none of %v", p, Protocols())
	}
	request, err := v.business(ctx, strings.TrimSuffix(baseURL, "/"), token, clientID)
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
	return response.StatusCode, body, response.StatusCode == http.StatusOK && v.accepted(body), nil
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
