// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"encoding/json"
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

// document is the part of an OpenAPI document that is looked at here.
type document struct {
	Paths      map[string]documentPath `json:"paths"`
	Components struct {
		Schemas map[string]documentSchema `json:"schemas"`
	} `json:"components"`
}

type documentPath struct {
	Description string              `json:"description"`
	Parameters  []documentParameter `json:"parameters"`
	Create      bool                `json:"x-vault-createSupported"`
	Get         *documentOperation  `json:"get"`
	Post        *documentOperation  `json:"post"`
	Delete      *documentOperation  `json:"delete"`
}

type documentOperation struct {
	Summary     string                      `json:"summary"`
	Description string                      `json:"description"`
	OperationID string                      `json:"operationId"`
	Parameters  []documentParameter         `json:"parameters"`
	RequestBody *documentBody               `json:"requestBody"`
	Responses   map[string]documentResponse `json:"responses"`
}

type documentParameter struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	In          string         `json:"in"`
	Schema      documentSchema `json:"schema"`
}

type documentBody struct {
	Content map[string]documentContent `json:"content"`
}

type documentResponse struct {
	Description string                     `json:"description"`
	Content     map[string]documentContent `json:"content"`
}

type documentContent struct {
	Schema documentSchema `json:"schema"`
}

type documentSchema struct {
	Ref         string                    `json:"$ref"`
	Type        string                    `json:"type"`
	Description string                    `json:"description"`
	Properties  map[string]documentSchema `json:"properties"`
	Attributes  struct {
		Sensitive bool `json:"sensitive"`
	} `json:"x-vault-displayAttrs"`
}

// document asks for the engine's help, as "vault path-help" does for a whole mount.
func (w *testMount) document() document {
	w.t.Helper()
	resp, err := w.do(w.t.Context(), logical.HelpOperation, "", nil)
	check.NoError(w.t, err)
	encoded, err := json.Marshal(resp.Data["openapi"])
	check.NoError(w.t, err)
	var d document
	check.NoError(w.t, json.Unmarshal(encoded, &d))
	check.Require(w.t, len(d.Paths) != 0, "the document has no paths")
	return d
}

// operations are those of a path, by method.
func (p documentPath) operations() map[string]*documentOperation {
	all := map[string]*documentOperation{"get": p.Get, "post": p.Post, "delete": p.Delete}
	maps.DeleteFunc(all, func(_ string, op *documentOperation) bool { return op == nil })
	return all
}

func (d document) resolve(s documentSchema) documentSchema {
	if s.Ref == "" {
		return s
	}
	return d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
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
			got[unnamed(path)] = slices.Sorted(maps.Keys(p.operations()))
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
			for method, op := range p.operations() {
				check.True(t, strings.HasPrefix(op.OperationID, "masters-india-"),
					"%s %s: operationId %q does not begin with masters-india-", method, path, op.OperationID)
				other, twice := seen[op.OperationID]
				check.True(t, !twice, "%s %s: operationId %q is that of %s too", method, path, op.OperationID, other)
				seen[op.OperationID] = method + " " + path
				check.True(t, regexp.MustCompile(`^[A-Z].*\.$`).MatchString(op.Summary),
					"%s %s: summary %q is no sentence", method, path, op.Summary)
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
			for method, op := range p.operations() {
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

func checkParameters(t *testing.T, of string, parameters []documentParameter) {
	t.Helper()
	for _, parameter := range parameters {
		check.True(t, parameter.Description != "", "%s: parameter %s has no description", of, parameter.Name)
	}
}

func TestOpenAPI_ResponsesHaveSchemas(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d := w.document()
		for path, p := range d.Paths {
			for method, op := range p.operations() {
				check.True(t, len(op.Responses) != 0, "%s %s: no responses", method, path)
				for code, response := range op.Responses {
					check.True(t, response.Description != "" && response.Description != "OK",
						"%s %s: response %s has description %q", method, path, code, response.Description)
					if code == "204" {
						continue // no body
					}
					if path == "/metrics" && code == "200" {
						check.True(t, response.Content["text/plain"].Schema.Type == "string", "%s %s: response %s is no text", method, path, code)
						continue
					}
					check.True(t, len(d.resolve(response.Content["application/json"].Schema).Properties) != 0,
						"%s %s: response %s has no schema", method, path, code)
				}
			}
		}
	})
}

// TestOpenAPI_ReferencesResolveInVault is about what Vault does not decode when it takes over the document of a plugin.
func TestOpenAPI_ReferencesResolveInVault(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		resp, err := w.do(t.Context(), logical.HelpOperation, "", nil)
		check.NoError(t, err)
		own, _ := resp.Data["openapi"].(map[string]any)
		taken, err := framework.NewOASDocumentFromMap(own)
		check.NoError(t, err)
		for path, item := range taken.Paths {
			if item.Get == nil || path == "/metrics" {
				continue
			}
			check.True(t, item.Get.Responses[http.StatusOK].Content["application/json"].Schema.Ref != "",
				"%s: the schema of the response gets lost", path)
		}
	})
}

func TestOpenAPI_SecretsMarkedSensitive(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d := w.document()
		config := d.Paths["/config/{name}"]
		body := d.resolve(config.Post.RequestBody.Content["application/json"].Schema)
		shown := d.resolve(config.Get.Responses["200"].Content["application/json"].Schema)
		for _, field := range secretFields() {
			check.True(t, body.Properties[field].Attributes.Sensitive, "%s is not marked as sensitive", field)
			_, there := shown.Properties[field]
			check.True(t, !there, "%s is among the fields of a read", field)
		}
		lookup := d.resolve(d.Paths["/lookup"].Post.RequestBody.Content["application/json"].Schema)
		check.True(t, lookup.Properties["token"].Attributes.Sensitive, "the token of lookup is not marked as sensitive")
	})
}
