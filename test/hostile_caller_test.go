// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// marker is put before each secret that a hostile request carries, so that it is found wherever it turns up.
const marker = "canary-in-a-secret-"

// longestMessage bounds what a refusal says: it names what is wrong, and does not hand the request back.
const longestMessage = 4 << 10

// clientOperations are what a client of Vault can ask for.
func clientOperations() []logical.Operation {
	return []logical.Operation{
		logical.UpdateOperation, logical.CreateOperation, logical.ReadOperation, logical.DeleteOperation, logical.ListOperation,
		logical.PatchOperation, logical.HeaderOperation, logical.HelpOperation, logical.RecoverOperation,
	}
}

// hostileValues are JSON texts that some field or other does not want.
func hostileValues() []string {
	return []string{
		oddNumber, "-" + oddNumber, oddNumber + ".5", "1e300", "true", "null", "[]", "{}",
		`["canary-in-a-list", ` + oddNumber + `]`, `{"canary-key": "canary-in-a-map"}`, `[[["canary-in-a-nest"]]]`,
		`{"a": {"b": [{"c": "canary-in-a-nest"}]}}`, `{"Host": "canary.example"}`, `{"X-A": "canary\r\nX-B: canary"}`,
		`""`, `" "`, `"canary\u0000"`, `"canary\n"`, `"canary\ud800"`, `"canary=canary"`, `"%s%d%!x canary {{.}} $1 <&>"`,
		`"https://canary:canary-password@upstream.test/"`, `"socks5://canary.test:1080"`, `"99999999999999999999h"`, `"-1s"`, `"1.5s"`,
		`"` + strings.Repeat("canary ", 1500) + `"`,
	}
}

// fieldsOf are the fields that the engine declares for a path, without the name in it.
func fieldsOf(path string) []string {
	b, err := mastersindia.Factory(mastersindia.Options{})(context.Background(), &logical.BackendConfig{})
	if err != nil {
		return nil // is found by the tests that send something to each field
	}
	defer b.Cleanup(context.Background())
	at := declared(b, path+map[bool]string{true: "a"}[strings.HasSuffix(path, "/")])
	return slices.DeleteFunc(slices.Sorted(maps.Keys(at.Fields)), func(name string) bool { return strings.Contains(at.Pattern, "<"+name+">") })
}

// FuzzRequest sends any request that a client could send to a mount with an account and a role.
func FuzzRequest(f *testing.F) {
	operations := clientOperations()
	numbers := make(map[logical.Operation]uint8, len(operations))
	for n, op := range operations {
		numbers[op] = uint8(n)
	}
	for _, r := range everyRequest() {
		body, err := json.Marshal(r.data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(numbers[r.op], r.path, body)
	}
	fields := fieldsOf("config/")
	for n, value := range hostileValues() {
		f.Add(numbers[logical.UpdateOperation], "config/gst", fmt.Appendf(nil, "{%q: %s}", fields[n%len(fields)], value))
	}
	for _, path := range slices.Sorted(maps.Keys(namedPaths())) {
		f.Add(numbers[logical.ReadOperation], path+"a/../b", []byte(`{"pasword": "canary"}`))
		for _, field := range fieldsOf(path) {
			f.Add(numbers[logical.CreateOperation], path+"new", fmt.Appendf(nil, `{%q: "canary"}`, field))
		}
	}
	f.Add(numbers[logical.UpdateOperation], "lookup", []byte(`{"token": "canary"}`))
	f.Fuzz(func(t *testing.T, operation uint8, path string, body []byte) {
		var data map[string]any
		if len(body) > 0 && json.Unmarshal(body, &data) != nil {
			return // Vault itself refuses what is no JSON object.
		}
		op := operations[int(operation)%len(operations)]
		synctest.Test(t, func(t *testing.T) {
			w := jwtV2().mounted(t)
			w.survive(op, path, data)
			w.stillWorks()
		})
	})
}

// Every value goes to every field of every path, and every operation to every name, good and bad.
func TestHostileCaller_RequestsAreRefused(t *testing.T) {
	t.Parallel()
	for path := range namedPaths() {
		timed(t, path, func(t *testing.T) {
			w := jwtV2().mounted(t)
			sent := 0
			for _, op := range clientOperations() {
				for _, name := range append(badNames(), "gst", "app", "new", "") {
					w.survive(op, path+name, body(path, op))
					w.survive(op, path+name, map[string]any{"pasword": "canary", "name": "gst"})
					sent += 2
				}
			}
			w.stillWorks()
			t.Logf("%d requests with names and operations of all kinds", sent)
		})
	}
	for _, path := range append(slices.Collect(maps.Keys(namedPaths())), "lookup") {
		for _, field := range fieldsOf(path) {
			timed(t, path+" "+field, func(t *testing.T) {
				w := jwtV2().mounted(t)
				for _, value := range hostileValues() {
					var data map[string]any
					check.NoError(t, json.Unmarshal(fmt.Appendf(nil, "{%q: %s}", field, value), &data))
					if path == "lookup" {
						w.survive(logical.UpdateOperation, path, data)
						continue
					}
					w.survive(logical.UpdateOperation, path+"gst", data)
					w.survive(logical.UpdateOperation, path+"new", with(body(path, logical.CreateOperation), field, data[field]))
				}
				w.stillWorks()
			})
		}
	}
}

func TestHostileCaller_ParameterFloodShortMessage(t *testing.T) {
	const many = 10_000
	unknown, headers := map[string]any{strings.Repeat("a", many): "canary"}, map[string]any{}
	for n := range many {
		unknown[fmt.Sprintf("parameter-%d", n)] = "canary"
		headers[fmt.Sprintf("X-Header-%d", n)] = "canary"
	}
	nested := any("canary")
	for range many {
		nested = []any{nested}
	}
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		for path, operations := range namedPaths() {
			for _, op := range operations {
				if op == logical.DeleteOperation || path == "ledger/" {
					continue
				}
				said := w.badRequest(op, path+"gst", unknown, "unknown parameter")
				check.True(t, len(said) <= longestMessage, "%s %s: a message of %d bytes", op, path, len(said))
			}
			for _, field := range fieldsOf(path) {
				w.badRequest(logical.UpdateOperation, path+"gst", map[string]any{field: nested}, field)
			}
		}
		w.badRequest(logical.UpdateOperation, "config/gst", map[string]any{"headers": headers}, "headers")
	})
}

// survive checks that a request causes no panic, no error of the engine's own, and no secret of it in the response.
func (w *testMount) survive(op logical.Operation, path string, data map[string]any) {
	w.t.Helper()
	data = marked(data)
	resp, err := w.do(w.t.Context(), op, path, data)
	if resp != nil {
		warnings, encodeErr := json.Marshal([]any{resp.Warnings, without(resp.Data, "access_token", "authorization")})
		check.True(w.t, encodeErr == nil, "%s %q: the response cannot be encoded: %v", op, path, encodeErr)
		w.hides(string(warnings), marker)
	}
	r, refused := asRefusal(resp, err)
	if !refused {
		return
	}
	switch {
	case r.status >= http.StatusInternalServerError && !r.coded:
		w.t.Errorf("%s %q: an error without a code: %q", op, path, r.message)
	case r.status == http.StatusInternalServerError:
		w.t.Errorf("%s %q: the engine calls it its own fault: %q", op, path, r.message)
	case r.message == "" || len(r.message) > longestMessage:
		w.t.Errorf("%s %q: a message of %d bytes", op, path, len(r.message))
	case !utf8.ValidString(r.message) || strings.ContainsFunc(r.message, func(c rune) bool { return c < ' ' || c == 0x7f }):
		w.t.Errorf("%s %q: the message is not plain: %q", op, path, r.message)
	}
	w.hides(r.message, hidden(path, data)...)
}

// stillWorks checks that the mount still works, whatever was sent to it before.
func (w *testMount) stillWorks() {
	w.t.Helper()
	w.survive(logical.UpdateOperation, "rotate/gst", nil)
	w.survive(logical.ReadOperation, "token/app", nil)
	w.survive(logical.ReadOperation, "config/gst", nil)
	w.survive(logical.ReadOperation, "status/gst", nil)
	w.survive(logical.ListOperation, "status/", nil)
}

// marked is data with the marker before each of its secrets, but for those that are right.
func marked(data map[string]any) map[string]any {
	data = maps.Clone(data)
	for _, field := range secretFields() {
		if value, given := data[field]; given && value != jwtV2().config[field] {
			data[field] = markedValue(value)
		}
	}
	return data
}

func markedValue(value any) any {
	switch v := value.(type) {
	case string:
		if v == "" {
			return v
		}
		return marker + v
	case []any:
		copied := slices.Clone(v)
		for n := range copied {
			copied[n] = markedValue(copied[n])
		}
		return copied
	case map[string]any:
		copied := maps.Clone(v)
		for key := range copied {
			copied[key] = markedValue(copied[key])
		}
		return copied
	default:
		return value
	}
}

// hidden are the values of a request that its refusal must not repeat. It may repeat names of paths, parameters and configs.
func hidden(path string, data map[string]any) []string {
	names := path + " " + strings.Join(slices.Sorted(maps.Keys(data)), " ")
	if config, ok := data["config"].(string); ok && strings.HasPrefix(path, "role/") {
		names += " " + config
	}
	return append(slices.DeleteFunc(canaries(data), func(value string) bool {
		return !strings.Contains(value, "canary") || strings.Contains(names, value)
	}), marker)
}
