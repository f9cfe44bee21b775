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
	"testing/synctest"

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

// Operations, parameters, fields and responses have a description each, and responses a schema.
func TestOpenAPI_EverythingDescribed(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d, seen := w.document(), map[string]string{}
		for path, p := range d.Paths {
			checkParameters(t, path, p.Parameters)
			for method, op := range operationsOf(p) {
				at := method + " " + path
				checkParameters(t, at, op.Parameters)
				check.True(t, strings.HasPrefix(op.OperationID, "masters-india-"), "%s: operationId %q begins otherwise", at, op.OperationID)
				check.Equal(t, seen[op.OperationID], "", "%s: operationId %q is also that of", at, op.OperationID)
				seen[op.OperationID] = at
				check.True(t, regexp.MustCompile(`^[A-Z].*\.$`).MatchString(op.Summary), "%s: summary %q is no sentence", at, op.Summary)
				check.True(t, regexp.MustCompile(`^\w.*\.$`).MatchString(op.Description) && op.Description != op.Summary,
					"%s: description %q is no other sentence", at, op.Description)
				check.True(t, len(op.Responses) != 0, "%s: no responses", at)
				for code, response := range op.Responses {
					said := response.Description
					check.True(t, said != "" && said != "OK", "%s: response %d has description %q", at, code, said)
					switch {
					case code == http.StatusNoContent: // no body
					case path == "/metrics" && code == http.StatusOK:
						check.Equal(t, response.Content["text/plain"].Schema.Type, "string", "%s: the type of response %d", at, code)
					default:
						check.True(t, len(d.schemaOf(response.Content).Properties) != 0, "%s: response %d has no schema", at, code)
					}
				}
			}
		}
		for _, id := range []string{"look-up-token", "read-ledger", "list-ledgers"} {
			check.True(t, seen["masters-india-"+id] != "", "no operation %s", id)
		}
		for name, schema := range d.Components.Schemas {
			for field, property := range schema.Properties {
				said := property.Description
				check.True(t, regexp.MustCompile(`^\p{L}.*\S$`).MatchString(said), "%s: %s has description %q", name, field, said)
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

func TestOpenAPI_SecretsMarkedSensitive(t *testing.T) {
	emptyTest(t, func(t *testing.T, w *testMount) {
		d := w.document()
		config := d.Paths["/config/{name}"]
		body := d.schemaOf(config.Post.RequestBody.Content)
		shown := d.schemaOf(config.Get.Responses[http.StatusOK].Content)
		sensitive := func(schema *framework.OASSchema, field string) {
			t.Helper()
			property := schema.Properties[field]
			check.True(t, property != nil && property.DisplayAttrs != nil && property.DisplayAttrs.Sensitive, "%s is not marked as sensitive", field)
		}
		for _, field := range secretFields() {
			sensitive(body, field)
			_, there := shown.Properties[field]
			check.True(t, !there, "%s is among the fields of a read", field)
		}
		lookup := d.schemaOf(d.Paths["/lookup"].Post.RequestBody.Content)
		sensitive(lookup, "token")
		for _, field := range []string{"access_token", "authorization"} {
			sensitive(d.schemaOf(d.Paths["/token/{role}"].Get.Responses[http.StatusOK].Content), field)
		}
	})
}

// example is a path of the document with a name filled in.
func example(path string) string {
	return strings.TrimPrefix(regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "gst"), "/")
}

func TestHelp_OfMountAndEveryPath(t *testing.T) {
	mountTest(t, jwtV1(), func(t *testing.T, w *testMount) {
		synctest.Wait() // the engine looks into storage when it starts
		before := len(w.Storage.Accesses())
		defer func() {
			now := len(w.Storage.Accesses())
			check.True(t, now == before, "help makes %d storage accesses, want none", now-before)
		}()
		for path := range w.document().Paths {
			resp, err := w.do(t.Context(), logical.HelpOperation, example(path), nil)
			check.Require(t, err == nil, "%s: %v", path, err)
			help := text(t, resp.Data, "help")
			synopsis := regexp.MustCompile(`(?s)Matching Route:[^\n]*\n\n(.*?)\n\n`).FindStringSubmatch(help)
			check.True(t, synopsis != nil && regexp.MustCompile(`^[A-Z][^\n]*\.$`).MatchString(synopsis[1]),
				"%s: the synopsis is no sentence on one line: %q", path, synopsis)
			_, description, found := strings.Cut(help, "## DESCRIPTION")
			if description = strings.TrimSpace(description); !found || len(description) < 40 || !strings.Contains(description, ".") {
				t.Errorf("%s: the description is %q", path, description)
			}
			for _, placeholder := range []string{"TODO", "FIXME", "<no description>", "%!", "<nil>", "{{"} {
				check.True(t, !strings.Contains(help, placeholder), "%s: the help has %q in it", path, placeholder)
			}
			checkWidth(t, path, help)
		}
		resp, err := w.do(t.Context(), logical.HelpOperation, "", nil)
		check.NoError(t, err)
		help := text(t, resp.Data, "help")
		check.True(t, strings.Contains(help, "Masters India"), "the help does not say what the engine is for: %q", help)
		checkWidth(t, "the mount", help)
		for path := range w.document().Paths {
			first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			check.True(t, strings.Contains(help, "^"+first), "the help does not name %s", path)
		}
	})
}

// checkWidth wants a text to fit into a terminal.
func checkWidth(t *testing.T, of, help string) {
	t.Helper()
	for line := range strings.Lines(help) {
		columns := len(strings.TrimRight(line, "\n"))
		check.True(t, columns <= 80, "%s: a line has %d columns: %s", of, columns, line)
	}
}
