// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// everyRequest is one for each operation of each path, of which every one works.
func everyRequest() []struct {
	op   logical.Operation
	path string
	data map[string]any
} {
	return []struct {
		op   logical.Operation
		path string
		data map[string]any
	}{
		{logical.UpdateOperation, "config/new", jwtConfig("verify_connection", false)},
		{logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": 50}},
		{logical.ReadOperation, "config/gst", nil},
		{logical.ListOperation, "config/", nil},
		{logical.UpdateOperation, "role/new", map[string]any{"config": "gst"}},
		{logical.UpdateOperation, "role/app", map[string]any{"max_ttl": "1h"}},
		{logical.ReadOperation, "role/app", nil},
		{logical.ListOperation, "role/", nil},
		{logical.ReadOperation, "token/app", nil},
		{logical.UpdateOperation, "token/app", nil},
		{logical.UpdateOperation, "rotate/gst", nil},
		{logical.ReadOperation, "status/gst", nil},
		{logical.ListOperation, "status/", nil},
		{logical.UpdateOperation, "revoke/gst", nil},
		{logical.ReadOperation, "ledger/gst", nil},
		{logical.ListOperation, "ledger/", nil},
		{logical.ReadOperation, "metrics", nil},
		{logical.ReadOperation, "preset/ksa-qa", nil},
		{logical.ListOperation, "preset/", nil},
		{logical.DeleteOperation, "role/app", nil},
		{logical.DeleteOperation, "config/gst", nil},
	}
}

// TestParams_UnknownRefusedOnEveryOperation: an unknown parameter is refused by name on every operation.
func TestParams_UnknownRefusedOnEveryOperation(t *testing.T) {
	t.Parallel()
	for _, r := range everyRequest() {
		timed(t, string(r.op)+" "+r.path, func(t *testing.T) {
			w := jwtV1().mounted(t)
			for name, value := range map[string]any{
				"tokn": "canary", "Config": "canary", "ttl": "canary", "x-y": 5, "nested": map[string]any{"canary": 1}, "nothing": nil,
				"_": "", "100%d": "canary", "passwort": "canary", "Password": "canary", "pasword": "",
			} {
				w.badRequest(r.op, r.path, with(r.data, name, value), name)
			}
		})
	}
}

// TestParams_VaultsOwnAccepted: what Vault adds itself is let through.
func TestParams_VaultsOwnAccepted(t *testing.T) {
	t.Parallel()
	for _, r := range everyRequest() {
		timed(t, string(r.op)+" "+r.path, func(t *testing.T) {
			for name, value := range map[string]any{
				"list": "true", "help": "1", "after": "", "limit": json.Number("10"),
			} {
				w := jwtV1().mounted(t)
				if refused, is := asRefusal(w.do(t.Context(), r.op, r.path, with(r.data, name, value))); is {
					t.Errorf("%s: %v", name, refused)
				}
			}
		})
	}
}

// TestParams_LongNameCutInMessage: a long parameter name is not repeated whole.
func TestParams_LongNameCutInMessage(t *testing.T) {
	t.Parallel()
	timed(t, "on a write", func(t *testing.T) {
		w := jwtV1().mounted(t)
		message := w.badRequest(logical.UpdateOperation, "config/gst",
			map[string]any{strings.Repeat("p", 10_000): "canary"}, "unknown parameter")
		if len(message) > 2_000 {
			t.Errorf("a message of %d bytes", len(message))
		}
	})
}

// TestParams_NameInBodyIgnored: a name in the body does not move a write.
func TestParams_NameInBodyIgnored(t *testing.T) {
	t.Parallel()
	timed(t, "name and path differ", func(t *testing.T) {
		w := jwtV1().mounted(t)
		_, _ = w.do(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"name": "other", "rotation_percent": 50})
		w.wantAbsent("config/other")
		_, _ = w.do(t.Context(), logical.ReadOperation, "token/app", map[string]any{"role": "other"})
		w.badRequest(logical.ReadOperation, "token/other", nil, "other")
	})
}
