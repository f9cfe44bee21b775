// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// document is an OpenAPI document as Vault takes it over from a plugin.
type document struct{ *framework.OASDocument }

// document asks for the engine's help, as "vault path-help" does for a whole mount.
func (w *testMount) document() document {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.HelpOperation, "", nil)
	check.NoError(w.t, err)
	own, _ := resp.Data["openapi"].(map[string]any)
	d := check.Value(framework.NewOASDocumentFromMap(own))(w.t)
	check.Require(w.t, len(d.Paths) != 0, "the document has no paths")
	return document{d}
}

// operations are those of a path, by method.
func operationsOf(p *framework.OASPathItem) map[string]*framework.OASOperation {
	all := map[string]*framework.OASOperation{"get": p.Get, "post": p.Post, "delete": p.Delete}
	maps.DeleteFunc(all, func(_ string, op *framework.OASOperation) bool { return op == nil })
	return all
}

// schemaOf is the schema of what is sent, which must be a reference: Vault loses others.
func (d document) schemaOf(content framework.OASContent) *framework.OASSchema {
	sent := content["application/json"]
	if sent == nil || sent.Schema == nil {
		return &framework.OASSchema{}
	}
	return cmp.Or(d.Components.Schemas[strings.TrimPrefix(sent.Schema.Ref, "#/components/schemas/")], &framework.OASSchema{})
}

// contractPaths are the paths of the contract, and what each can do.
func contractPaths() map[string][]string {
	return map[string][]string{
		"/config/{name}": {"delete", "get", "post"}, "/config/": {"get"},
		"/role/{name}": {"delete", "get", "post"}, "/role/": {"get"},
		"/token/{role}":    {"get", "post"},
		"/rotate/{config}": {"post"},
		"/revoke/{config}": {"post"},
		"/status/{config}": {"get"}, "/status/": {"get"},
		"/lookup":          {"post"},
		"/ledger/{config}": {"get"}, "/ledger/": {"get"},
		"/metrics":       {"get"},
		"/preset/{name}": {"get"}, "/preset/": {"get"},
	}
}

// unnamed is a path with its parameter's name left out: what it is called is not promised.
func unnamed(path string) string { return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "{}") }

func TestOpenAPI_PathsAndOperationsOfContract(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		got, want := map[string][]string{}, map[string][]string{}
		for path, p := range w.document().Paths {
			got[unnamed(path)] = slices.Sorted(maps.Keys(operationsOf(p)))
		}
		for path, operations := range contractPaths() {
			want[unnamed(path)] = operations
		}
		check.Equal(t, got, want, "operations")
	})
}

func TestOpenAPI_OperationIDsUnique(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		seen := map[string]string{}
		for path, p := range w.document().Paths {
			for method, op := range operationsOf(p) {
				check.True(t, strings.HasPrefix(op.OperationID, "masters-india-"),
					"%s %s: operationId %q does not begin with masters-india-", method, path, op.OperationID)
				other, twice := seen[op.OperationID]
				check.True(t, !twice, "%s %s: operationId %q is that of %s too", method, path, op.OperationID, other)
				seen[op.OperationID] = method + " " + path
				check.True(t, regexp.MustCompile(`^[A-Z].*\.$`).MatchString(op.Summary), "%s %s: summary %q is no sentence", method, path, op.Summary)
				check.True(t, regexp.MustCompile(`^\w.*\.$`).MatchString(op.Description) && op.Description != op.Summary,
					"%s %s: description %q is no other sentence", method, path, op.Description)
			}
		}
		for _, id := range []string{"look-up-token", "read-ledger", "list-ledgers"} {
			check.True(t, seen["masters-india-"+id] != "", "no operation %s", id)
		}
	})
}

func TestOpenAPI_EveryFieldDescribed(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d := w.document()
		for path, p := range d.Paths {
			checkParameters(t, path, p.Parameters)
			for method, op := range operationsOf(p) {
				checkParameters(t, method+" "+path, op.Parameters)
			}
		}
		for name, schema := range d.Components.Schemas {
			for field, property := range schema.Properties {
				check.True(t, regexp.MustCompile(`^\p{L}.*\S$`).MatchString(property.Description),
					"%s: %s has description %q", name, field, property.Description)
			}
		}
	})
}

func checkParameters(t *testing.T, of string, parameters []framework.OASParameter) {
	t.Helper()
	for _, parameter := range parameters {
		check.True(t, parameter.Description != "", "%s: parameter %s has no description", of, parameter.Name)
	}
}

func TestOpenAPI_ResponsesHaveSchemas(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d := w.document()
		for path, p := range d.Paths {
			for method, op := range operationsOf(p) {
				check.True(t, len(op.Responses) != 0, "%s %s: no responses", method, path)
				for code, response := range op.Responses {
					check.True(t, response.Description != "" && response.Description != "OK",
						"%s %s: response %d has description %q", method, path, code, response.Description)
					switch {
					case code == http.StatusNoContent: // no body
					case path == "/metrics" && code == http.StatusOK:
						check.True(t, response.Content["text/plain"].Schema.Type == "string", "%s %s: response %d is no text", method, path, code)
					default:
						check.True(t, len(d.schemaOf(response.Content).Properties) != 0, "%s %s: response %d has no schema", method, path, code)
					}
				}
			}
		}
	})
}

func TestOpenAPI_SecretsMarkedSensitive(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d := w.document()
		config := d.Paths["/config/{name}"]
		body := d.schemaOf(config.Post.RequestBody.Content)
		shown := d.schemaOf(config.Get.Responses[http.StatusOK].Content)
		for _, field := range secretFields() {
			check.True(t, body.Properties[field].DisplayAttrs.Sensitive, "%s is not marked as sensitive", field)
			_, there := shown.Properties[field]
			check.True(t, !there, "%s is among the fields of a read", field)
		}
		lookup := d.schemaOf(d.Paths["/lookup"].Post.RequestBody.Content)
		check.True(t, lookup.Properties["token"].DisplayAttrs.Sensitive, "the token of lookup is not marked as sensitive")
	})
}
