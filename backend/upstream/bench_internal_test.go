// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package upstream

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkResponse is what it takes to make a token, or an error without a secret in it, of the upstream's response.
func BenchmarkResponse(b *testing.B) {
	token := benchToken()
	soap := func(inner string) string {
		return `<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/">` +
			`<SOAP-ENV:Body><ns1:access_new_tokenResponse xmlns:ns1="urn:server">` + inner +
			`</ns1:access_new_tokenResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>`
	}
	for _, c := range []struct {
		protocol Protocol
		name     string
		status   int
		body     string
	}{
		{JWT, "token", 200, `{"token":"` + token + `"}`},
		{JWT, "refused", 400, `{"non_field_errors":["Unable to log in with provided credentials."]}`},
		{OAuth, "token", 200, `{"access_token":"0123456789abcdef0123456789abcdef01234567","expires_in":3600,"token_type":"Bearer"}`},
		{OAuth, "refused", 400, `{"error":"invalid_grant","error_description":"The user credentials were incorrect."}`},
		{SOAP, "token", 200, soap(`<access_token>0123456789abcdef0123456789abcdef01234567</access_token><expires_in>14400</expires_in>` +
			`<token_type>Bearer</token_type><error_description></error_description>`)},
		{SOAP, "refused", 200, soap(`<error>invalid_grant</error><error_description>wrong credentials</error_description>`)},
		{FirstVision, "token", 200, `{"access_token":"0123456789abcdef0123456789abcdef","expires_in":"7199","token_type":"Bearer"}`},
		{FirstVision, "refused", 401, `[{"errorCode":"240101","title":"Invalid credentials","status":"401"}]`},
	} {
		b.Run(string(c.protocol)+"/"+c.name, func(b *testing.B) {
			client := fuzzClient(b, c.protocol)
			header := http.Header{"Content-Type": {"application/json"}, "Date": {fuzzNow().Format(http.TimeFormat)}}
			if c.protocol == SOAP {
				header.Set("Content-Type", "text/xml; charset=utf-8")
			}
			secrets, body := client.account.Secrets(), []byte(c.body)
			b.ReportAllocs()
			for b.Loop() {
				a := &response{status: c.status, header: header, body: body, sent: fuzzNow(), received: fuzzNow()}
				if _, err := client.conclude(a, "login", secrets); (err == nil) != (c.name == "token") {
					b.Fatalf("the response was read as %v", err)
				}
			}
		})
	}
}

// benchToken is a JWT of the length of real ones, which lives for a day from fuzzNow.
func benchToken() string {
	now, encode := fuzzNow().Unix(), base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"user_id":7,"username":"asha","exp":%d,"orig_iat":%d,"products":[%q]}`,
		now+86400, now, strings.Repeat("einvoice ", 40))
	return strings.Join([]string{encode([]byte(`{"typ":"JWT","alg":"HS256"}`)), encode([]byte(claims)), strings.Repeat("s", 43)}, ".")
}
