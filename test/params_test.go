// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// everyRequest is one for each operation of each path, of which every one works.
func everyRequest() []request {
	return []request{
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

func TestParams_VaultsOwnAccepted(t *testing.T) {
	eachOf(t, everyRequest(), func(t *testing.T, r request) {
		for name, value := range map[string]any{"list": "true", "help": "1", "after": "", "limit": json.Number("10")} {
			w := jwtV1().mounted(t)
			refused, is := asRefusal(w.do(t.Context(), r.op, r.path, with(r.data, name, value)))
			check.True(t, !is, "%s: %v", name, refused)
		}
	})
}

func TestParams_NameInBodyIgnored(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		_, _ = w.do(t.Context(), logical.UpdateOperation, "config/gst", map[string]any{"name": "other", "rotation_percent": 50})
		w.wantAbsent("config/other")
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{strings.Repeat("p", 10_000): "canary"}, "unknown parameter")
		_, _ = w.do(t.Context(), logical.ReadOperation, "token/app", map[string]any{"role": "other"})
		w.badRequest(logical.ReadOperation, "token/other", nil, "other")
	})
}

// TestParams_EmptySecretSaidToBeEmpty: password=- and token=- were given, and standard input had nothing.
func TestParams_EmptySecretSaidToBeEmpty(t *testing.T) {
	fixturesTest(t, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		for field := range f.onlySecrets() {
			const says = ": is empty: standard input, the file or the variable that it came from had nothing in it"
			w.badRequest(logical.UpdateOperation, "config/new", with(f.config, field, ""), field+says)
			w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{field: ""}, field+says)
			w.badRequest(logical.UpdateOperation, "config/new", without(f.config, field), field+": is required", field+"=-")
		}
		for _, field := range []string{"token", "token_id"} {
			w.badRequest(logical.UpdateOperation, "lookup", map[string]any{field: ""}, field+": is empty: standard input")
		}
		w.badRequest(logical.UpdateOperation, "lookup", map[string]any{"token": " \n"}, "token: is empty: standard input")
		w.badRequest(logical.UpdateOperation, "lookup", nil, "token: is required")
	})
}

// namedPaths are the paths of the contract that end in a name, with what can be done to them.
func namedPaths() map[string][]logical.Operation {
	return map[string][]logical.Operation{
		"config/": {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"role/":   {logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation, logical.DeleteOperation},
		"token/":  {logical.ReadOperation, logical.UpdateOperation},
		"rotate/": {logical.UpdateOperation},
		"revoke/": {logical.UpdateOperation},
		"status/": {logical.ReadOperation},
		"ledger/": {logical.ReadOperation},
		"preset/": {logical.ReadOperation},
	}
}

// body is what is written to a path: something that would be accepted if it were not for the name.
func body(path string, op logical.Operation) map[string]any {
	switch {
	case op != logical.CreateOperation && op != logical.UpdateOperation:
		return nil
	case path == "config/":
		return jwtConfig()
	case path == "role/":
		return map[string]any{"config": "gst"}
	default:
		return nil
	}
}

// A duration beyond any number is too long, and not in the wrong form.
func TestParams_TooLongSaysTheLimit(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for _, long := range []any{
			"99999999999999999999", "9999999999h", "2562048h", "99999999999999999999s", json.Number("99999999999999999999"), float64(1e30),
			"9223372036854775807", "1h99999999999999999999m", 9601 * 3600, "9223372036854775807h",
		} {
			const rule = "from 1s to 9600h"
			said := w.refusal(logical.UpdateOperation, "role/app", map[string]any{"max_ttl": long})
			check.True(t, strings.Contains(said.message, rule), "max_ttl=%v: %s\nwant: %s", long, said.message, rule)
			w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"request_timeout": long}, "from 1s to 60s")
			w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"ledger_retention": long}, "from 0s to 9600h")
		}
		for _, wrong := range []any{"1d", "ninety", "-99999999999999999999", "-5s", "99999999999999999999x", "h", "1.5", float64(1.5), "0.5s"} {
			w.badRequest(logical.UpdateOperation, "role/app", map[string]any{"max_ttl": wrong}, "must be whole seconds")
		}
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"rotation_percent": "99999999999999999999"}, "from 1 to 100")
	})
}

func TestParams_NumberBoolOrWord(t *testing.T) {
	t.Parallel()
	refuseEach(t, jwtV1(), "rotation_percent", []any{0, 101, -1, json.Number("0"), "0"}, "1", "100")
	refuseEach(t, jwtV1(), "rotation_percent", []any{66.5, "canary", "66%", true})
	refuseEach(t, jwtV1(), "request_timeout", []any{0, "0s", 61, "61s", "2m"}, "1s", "60s")
	refuseEach(t, jwtV1(), "ledger_retention", []any{"9601h", 9600*3600 + 1}, "9600h")
	inAnotherBase := []any{"08", "010", "0x10", "+5", "-0", "1_0", "00"}
	refuseEach(t, jwtV1(), "rotation_percent", inAnotherBase, "must be a whole number")
	refuseEach(t, jwtV1(), "request_timeout", inAnotherBase, "must be")
	for _, field := range []string{"allow_http", "paused", "verify_connection"} {
		refuseEach(t, jwtV1(), field, []any{"canary", 7, []any{true}})
	}
	refuseEach(t, jwtV1(), "authorization_scheme", []any{"a canary"}, "one word")
	refuseEach(t, soap(), "soap_action", []any{`canary"`}, "printable ASCII")
}
