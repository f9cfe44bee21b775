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
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// checkResponse compares a response with what the engine's OpenAPI document says of the operation. Every response to a mount's do
// passes here, so that no test can get a response that is not documented.
func (w *testMount) checkResponse(req *logical.Request, resp *logical.Response, err error) {
	w.t.Helper()
	if req.Operation == logical.HelpOperation {
		return
	}
	path := declared(w.Backend(), req.Path)
	if path == nil || path.Operations[req.Operation] == nil {
		return // the SDK refuses it
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
	switch t {
	case framework.TypeString:
		_, is := value.(string)
		return is
	case framework.TypeTime:
		text, _ := value.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	case framework.TypeInt:
		n, is := value.(float64)
		return is && n == math.Trunc(n)
	case framework.TypeBool:
		_, is := value.(bool)
		return is
	case framework.TypeMap, framework.TypeKVPairs:
		_, is := value.(map[string]any)
		return is
	case framework.TypeSlice, framework.TypeStringSlice:
		_, is := value.([]any)
		return is
	default:
		return false
	}
}

func TestResponseSchema_EveryOperationAsDocumented(t *testing.T) {
	mountTest(t, oauth(), func(t *testing.T, w *testMount) { // the one protocol whose responses have client_id
		lookup := map[string]any{"token_id": w.read("token/app").Data["token_id"]}
		synctest.Wait() // the token is written to the ledger
		seen := make(map[string]bool)
		ask := func(op logical.Operation, path string, data map[string]any) {
			t.Helper()
			resp, err := w.do(t.Context(), op, path, data)
			check.Require(t, err == nil && !resp.IsError(), "%s %s: %v %v", op, path, resp, err)
			declared := declared(w.Backend(), path)
			seen[declared.Pattern+" "+string(op)] = true
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
