// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// Responses that name their error in a way of their own, or none. TestClassify_Login has those of the vendors' pages.
func TestHostileUpstream_ErrorShapesClassified(t *testing.T) {
	const envelope = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>BODY</s:Body></s:Envelope>`
	type testCase struct {
		of     fixture
		status int
		body   string
		kind   string
		code   int
	}
	each(t, map[string]testCase{
		"a code of the server":           {jwtV1(), 400, `{"error":"server_error"}`, "unavailable", 502},
		"a timeout":                      {jwtV1(), 408, `{"message":"no such thing"}`, "unavailable", 504},
		"nothing refused":                {jwtV1(), 403, `{}`, "invalid", 400},
		"no error and no token":          {jwtV1(), 200, `{"error":{"code":0,"message":""}}`, "malformed", 502},
		"more than 1 MiB":                {oauth(), 200, `{"access_token":"0123456789abcdef0123456789abcdef","x":"` + strings.Repeat("x", 1<<20) + `"}`, "malformed", 502},
		"half an object":                 {jwtV1(), 200, `{"error":"no`, "malformed", 502},
		"two values":                     {jwtV1(), 200, `{"error":"no"}{"error":"no"}`, "malformed", 502},
		"a list of lists":                {jwtV1(), 200, `[["no"]]`, "malformed", 502},
		"an error in place of the token": {oauth(), 200, `{"error":"not today","data":{"access_token":"0123456789abcdef0123456789abcdef"}}`, "rejected", 400},
		"a status of its own":            {firstVision(), 200, `[{"errorCode":"999999","status":500}]`, "unavailable", 502},
		"a status of its own, throttled": {firstVision(), 200, `[{"errorCode":"999999","status":429}]`, "throttled", 429},
		"half an envelope":               {soap(), 200, envelope[:60], "malformed", 502},
		"no envelope":                    {soap(), 200, "<s:Envelope></x>", "malformed", 502},
		"not UTF-8":                      {soap(), 200, strings.Replace(envelope, "BODY", "<error>\xff</error>", 1), "malformed", 502},
		"a fault of theirs": {
			soap(), 200, strings.Replace(envelope, "BODY", "<s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring></s:Fault>", 1),
			"unavailable", 502,
		},
	}, func(t *testing.T, c testCase) {
		w := c.of.mounted(t)
		w.respond(c.status, c.body)
		r := w.upstreamRefusal(logical.ReadOperation, "token/app", nil, c.code)
		w.says(r.message, "gst")
		w.hides(r.message, c.of.secrets()...)
		check.Equal[any](t, w.status()["last_error_kind"], c.kind, "last_error_kind")
	})
}
