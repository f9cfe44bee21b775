// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	mastersindia "vault-plugin-secrets-mastersindia"
	"vault-plugin-secrets-mastersindia/internal/check"
)

// checkResponse compares a response with what the OpenAPI document says, and looks for secrets of the fixtures in it. Every response
// to a mount's do passes here.
func (w *testMount) checkResponse(req *logical.Request, resp *logical.Response, err error) {
	w.t.Helper()
	if req.Operation == logical.HelpOperation {
		return
	}
	path := declared(w.Backend(), req.Path)
	if path == nil || path.Operations[req.Operation] == nil {
		return // the SDK refuses it
	}
	said := fmt.Sprint(err)
	if resp != nil {
		said += fmt.Sprint(resp.Data, resp.Warnings)
	}
	for _, f := range fixtures() {
		for _, secret := range f.secrets() {
			check.True(w.t, !strings.Contains(said, secret), "%s %s: the response has a secret of %s", req.Operation, req.Path, f.name)
		}
	}
	documented := path.Operations[req.Operation].Properties().Responses
	check.Equal(w.t, undocumented(documented, req.Operation, resp, err), "", "%s %s", req.Operation, req.Path)
}

// declared is what the engine declares of a path, nil where there is none such.
func declared(backend logical.Backend, path string) *framework.Path {
	return backend.(interface {
		Route(path string) *framework.Path
	}).Route(path)
}

// undocumented is what is wrong with a response, or "".
func undocumented(documented map[int][]framework.Response, op logical.Operation, resp *logical.Response, err error) string {
	status := statusOfResponse(op, resp, err)
	switch status {
	case http.StatusBadRequest, http.StatusInternalServerError, http.StatusGatewayTimeout:
		return "" // every operation's
	}
	responses := documented[status]
	if len(responses) == 0 {
		return fmt.Sprintf("returns %d, which is not documented", status)
	}
	if status != http.StatusOK || responses[0].Fields == nil {
		return ""
	}
	return differences(responses[0].Fields, resp.Data)
}

// statusOfResponse is the HTTP status that Vault makes of a response.
func statusOfResponse(op logical.Operation, resp *logical.Response, err error) int {
	var coded logical.HTTPCodedError
	looks := op == logical.ReadOperation || op == logical.ListOperation
	switch {
	case errors.As(err, &coded):
		return coded.Code()
	case err != nil:
		return http.StatusInternalServerError
	case resp.IsError():
		return http.StatusBadRequest
	case resp == nil && looks, op == logical.ListOperation && resp.Data["keys"] == nil:
		return http.StatusNotFound
	case resp == nil, len(resp.Data) == 0: // the latter with warnings only
		return http.StatusNoContent
	default:
		return http.StatusOK
	}
}

// differences are those between documented fields and the data of a response, as it is in JSON.
func differences(fields map[string]*framework.FieldSchema, data map[string]any) string {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err.Error()
	}
	var response map[string]any
	if err := json.Unmarshal(encoded, &response); err != nil {
		return err.Error()
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(response)) {
		field := fields[name]
		switch {
		case field == nil:
			found = append(found, name+" is not documented")
		case !isOfType(response[name], field.Type):
			found = append(found, fmt.Sprintf("%s is no %s but a %T", name, field.Type, response[name]))
		case len(field.AllowedValues) > 0 && !slices.Contains(field.AllowedValues, response[name]):
			found = append(found, fmt.Sprintf("%s is %v, which is none of %v", name, response[name], field.AllowedValues))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, has := response[name]; !has && fields[name].Required {
			found = append(found, name+" is missing")
		}
	}
	return strings.Join(found, "; ")
}

// isOfType is stricter than the SDK, which takes texts for numbers.
func isOfType(value any, t framework.FieldType) bool {
	kinds := map[framework.FieldType]reflect.Kind{
		framework.TypeString: reflect.String, framework.TypeTime: reflect.String, framework.TypeInt: reflect.Float64,
		framework.TypeBool: reflect.Bool, framework.TypeMap: reflect.Map, framework.TypeKVPairs: reflect.Map,
		framework.TypeSlice: reflect.Slice, framework.TypeStringSlice: reflect.Slice,
	}
	kind, known := kinds[t]
	number, _ := value.(float64)
	text, _ := value.(string)
	_, err := time.Parse(time.RFC3339Nano, text)
	return known && reflect.ValueOf(value).Kind() == kind && number == math.Trunc(number) && (err == nil || t != framework.TypeTime)
}

// Nor does any response but that to token/ have a secret or a token.
func TestResponseSchema_EveryOperationAsDocumented(t *testing.T) {
	// The one protocol whose responses have client_id, and the one with refresh tokens.
	eachOf(t, []fixture{oauth(), jwtV2()}, func(t *testing.T, f fixture) {
		w := f.mounted(t)
		lookup := map[string]any{"token_id": w.read("token/app").Data["token_id"]}
		synctest.Wait() // the token is written to the ledger
		seen := make(map[string]bool)
		ask := func(op logical.Operation, path string, data map[string]any) {
			t.Helper()
			resp, err := w.do(t.Context(), op, path, data)
			check.Require(t, err == nil && !resp.IsError(), "%s %s: %v %v", op, path, resp, err)
			declared := declared(w.Backend(), path)
			seen[declared.Pattern+" "+string(op)] = true
			if !strings.HasPrefix(path, "token/") && resp != nil {
				said := check.Value(json.Marshal(resp))(t)
				w.hides(string(said), slices.Concat(disguises(f), jwtV1().secrets(), w.issued())...)
			}
			if path == "metrics" {
				return // is text
			}
			response := schema.GetResponseSchema(t, declared, op)
			schema.ValidateResponse(t, response, resp, true)
			if resp != nil {
				checkNested(t, path, response.Fields, resp.Data)
			}
		}
		ask(logical.UpdateOperation, "lookup", lookup)
		for _, r := range everyRequest() {
			ask(r.op, r.path, r.data)
		}
		for path, p := range w.document().Paths {
			declared := declared(w.Backend(), example(path))
			for op := range declared.Operations {
				if op != logical.CreateOperation && !seen[declared.Pattern+" "+string(op)] { // Vault makes it of an update
					t.Errorf("%s %s was not asked; the document has %d operations there", op, path, len(operationsOf(p)))
				}
			}
		}
	})
}

// checkNested compares what is within a list or a map with its description, which names that: OpenAPI's schema has no more.
func checkNested(t *testing.T, path string, fields map[string]*framework.FieldSchema, data map[string]any) {
	t.Helper()
	for name, field := range fields {
		var within []any
		switch value := data[name].(type) {
		case map[string]any:
			within = slices.Collect(maps.Values(value))
		case []any:
			within = value
		}
		for _, item := range within {
			facts, _ := item.(map[string]any)
			for fact := range facts {
				check.True(t, regexp.MustCompile(`\b`+fact+`\b`).MatchString(field.Description),
					"%s: %s has %s, which its description does not name: %s", path, name, fact, field.Description)
			}
		}
	}
}

func TestSchema_FactoryWithEmptyConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, err := mastersindia.Factory(mastersindia.Options{Version: "v1.2.3"})(t.Context(), &logical.BackendConfig{})
		check.NoError(t, err)
		defer b.Cleanup(t.Context())
		check.Equal(t, b.Type(), logical.TypeLogical, "type")
		versioned, ok := b.(logical.PluginVersioner)
		check.Require(t, ok, "the backend has no version")
		check.Equal(t, versioned.PluginVersion().Version, "v1.2.3", "version")
	})
}

func TestSchema_SealedAndLocalPaths(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		special := w.Backend().SpecialPaths()
		for _, prefix := range []string{"config/", "token/"} {
			check.True(t, slices.Contains(special.SealWrapStorage, prefix), "sealed are %q, want %q among them", special.SealWrapStorage, prefix)
		}
		for _, prefix := range []string{"token/", "ledger/"} {
			check.True(t, slices.Contains(special.LocalStorage, prefix), "local are %q, want %q among them", special.LocalStorage, prefix)
		}
		check.True(t, !slices.Contains(special.LocalStorage, "config/") && !slices.Contains(special.LocalStorage, "role/"),
			"local are %q, but configs and roles belong to all clusters", special.LocalStorage)
		for _, prefix := range append(slices.Clone(special.SealWrapStorage), special.LocalStorage...) {
			check.True(t, strings.HasSuffix(prefix, "/"), "prefix %q does not end in a slash: it is the name of one entry", prefix)
		}
		check.Equal(t, len(special.Root)+len(special.Unauthenticated), 0, "root paths and unauthenticated paths")
	})
}

func TestSchema_LeaseType(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		data := w.read("token/app").Secret.InternalData
		check.Equal(t, data["secret_type"], "mastersindia_token", "secret_type")
		_, there := data["schema"]
		check.True(t, there, "the lease's data carry no schema version")
		for name, value := range data {
			s, ok := value.(string)
			check.True(t, !ok || !strings.Contains(s, "eyJ"), "the lease's %s has a token in it", name)
		}
	})
}
