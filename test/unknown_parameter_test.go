// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/internal/check"

	"github.com/hashicorp/vault/sdk/logical"
)

// An option behind the path is taken for a parameter, as is what is around the response that is written back, or KV's data.
func TestUnknownParameter_SaysWhatWasMeant(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		w.badRequest(logical.ReadOperation, "token/app", map[string]any{"-format": "json"}, `"-format"`, "go before the path")
		w.badRequest(logical.ReadOperation, "status/gst", map[string]any{"--field": "state"}, `"--field"`, "go before the path")
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"-force": "true"}, `"-force"`, "go before the path")
		whole := map[string]any{"data": map[string]any{"paused": true}, "lease_id": ""}
		w.badRequest(logical.UpdateOperation, "config/gst", whole, `"data": send the parameters as the top level of the JSON`, "jq .data")
		for given, meant := range map[string]string{
			"pass": "did you mean password or soap_password_element?", "user": "did you mean username or soap_username_element?",
			"secret": "did you mean client_secret?", "url": "did you mean proxy_url or token_url or refresh_url?",
		} {
			message := w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{given: "canary"})
			check.True(t, strings.HasSuffix(message, meant), "%s: %s", given, message)
		}
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"xyzzy": "canary"}, "this operation takes allow_http, ")
	})
}

func TestUnknownParameter_RefusedOnEveryOperation(t *testing.T) {
	eachOf(t, everyRequest(), func(t *testing.T, r request) {
		w := jwtV1().mounted(t)
		for name, value := range map[string]any{
			"tokn": "canary", "Config": "canary", "ttl": "canary", "x-y": 5, "nested": map[string]any{"canary": 1}, "nothing": nil,
			"_": "", "passwort": "canary", "Password": "canary", "pasword": "",
		} {
			w.badRequest(r.op, r.path, with(r.data, name, value), name)
		}
		// Where "token=" is forgotten, curl --data sends the token as a name.
		for _, secret := range []string{"100%d", "hunter2-hunter2", strings.Repeat("0123456789abcdef", 3)[:40], "eyJhbGciOiJub25lIn0.e30."} {
			said := w.badRequest(r.op, r.path, with(r.data, secret, ""), "its name may be a secret", "in Vault's audit log now")
			w.hides(said, secret)
		}
	})
}
