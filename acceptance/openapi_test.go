// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package acceptance

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vault-plugin-secrets-mastersindia/acceptance/harness"
	"vault-plugin-secrets-mastersindia/internal/check"
	"vault-plugin-secrets-mastersindia/simulator"
)

// specification is the part of an OpenAPI document that is about the engine.
type specification struct {
	Version    string                     `json:"openapi"`
	Info       json.RawMessage            `json:"info"`
	Paths      map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

type specifiedPath struct {
	Get    *specifiedOperation `json:"get,omitempty"`
	Post   *specifiedOperation `json:"post,omitempty"`
	Delete *specifiedOperation `json:"delete,omitempty"`
}

type specifiedOperation struct {
	OperationID string `json:"operationId"`
	Summary     string `json:"summary"`
	Description string `json:"description"`
	Responses   map[string]struct {
		Content map[string]json.RawMessage `json:"content"`
	} `json:"responses"`
}

// checkedResponse is what tools/openapi compares with the document.
type checkedResponse struct {
	Path   string          `json:"path"`
	Method string          `json:"method"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// TestOpenAPI_ResponsesMatchSchema has a validator judge the OpenAPI document of the mount, and its responses.
func TestOpenAPI_ResponsesMatchSchema(t *testing.T) {
	t.Parallel()
	w := newTestVault(t)
	w.app(t, simulator.OAuth)
	caller := w.Caller(w.Token)
	responses := everyResponse(t, w, caller)

	spec := specificationOf(t, caller, "sys/internal/specs/openapi", "/mastersindia/")
	checkOperations(t, spec, responses)
	checkResponses(t, spec, responses)

	generic := specificationOf(t, caller, "sys/internal/specs/openapi?generic_mount_paths=true", "/{mastersindia_mount_path}/")
	check.Equal(t, len(generic.Paths), len(spec.Paths), "N paths where the mount's path is left open")
	checkResponses(t, generic, nil)
}

// specificationOf fetches Vault's document and keeps what is about the engine: other engines are not always valid.
func specificationOf(t *testing.T, caller *harness.Caller, from, prefix string) specification {
	t.Helper()
	response, err := caller.Call(t.Context(), http.MethodGet, from, nil)
	check.Require(t, err == nil && response.OK(), "%s: %d %v", from, response.Status, err)
	var spec specification
	check.NoError(t, json.Unmarshal(response.Body, &spec))
	maps.DeleteFunc(spec.Paths, func(path string, _ json.RawMessage) bool { return !strings.HasPrefix(path, prefix) })
	maps.DeleteFunc(spec.Components.Schemas, func(name string, _ json.RawMessage) bool {
		return !strings.HasPrefix(name, "MastersIndia")
	})
	check.Require(t, len(spec.Paths) != 0 && len(spec.Components.Schemas) != 0,
		"%s has %d paths and %d schemas of the engine", from, len(spec.Paths), len(spec.Components.Schemas))
	return spec
}

// everyResponse asks every operation once, and some for an error.
func everyResponse(t *testing.T, w *testVault, caller *harness.Caller) []checkedResponse {
	t.Helper()
	tokenID := w.readToken(t, "app").String("token_id")
	var responses []checkedResponse
	for _, r := range []struct {
		method, template, path string
		data                   map[string]any
		status                 int
	}{
		{"LIST", "config/", "config", nil, 200},
		{http.MethodPost, "config/{name}", "config/main", map[string]any{"request_timeout": "20s"}, 204},
		{http.MethodGet, "config/{name}", "config/main", nil, 200},
		{http.MethodGet, "config/{name}", "config/none", nil, 404},
		{http.MethodPost, "config/{name}", "config/main", map[string]any{"password": "wrong", "client_secret": "wrong"}, 400},
		{"LIST", "role/", "role", nil, 200},
		{http.MethodPost, "role/{name}", "role/app", map[string]any{"max_ttl": "30m"}, 204},
		{http.MethodGet, "role/{name}", "role/app", nil, 200},
		{http.MethodGet, "token/{role}", "token/app", nil, 200},
		{http.MethodGet, "token/{role}", "token/none", nil, 400},
		{http.MethodPost, "token/{role}", "token/app", nil, 200},
		{http.MethodPost, "rotate/{name}", "rotate/main", nil, 200},
		{http.MethodGet, "status/{name}", "status/main", nil, 200},
		{"LIST", "status/", "status", nil, 200},
		{http.MethodPost, "lookup", "lookup", map[string]any{"token_id": tokenID}, 200},
		{http.MethodPost, "lookup", "lookup", map[string]any{"token_id": strings.Repeat("0", 16)}, 404},
		{http.MethodPost, "revoke/{name}", "revoke/main", nil, 200},
		{http.MethodGet, "status/{name}", "status/main", nil, 200}, // without a token
		{http.MethodGet, "ledger/{name}", "ledger/main", nil, 200},
		{"LIST", "ledger/", "ledger", nil, 200},
		{http.MethodGet, "metrics", "metrics", nil, 200},
		{"LIST", "preset/", "preset", nil, 200},
		{http.MethodGet, "preset/{name}", "preset/ksa-qa", nil, 200},
		{http.MethodPost, "role/{name}", "role/app", map[string]any{"max_ttl": 0}, 204}, // nothing to warn of where it is deleted
		{http.MethodDelete, "role/{name}", "role/app", nil, 204},
		{http.MethodPost, "config/{name}", "config/spare", map[string]any{"preset": "ksa-qa", "username": "clerk", "password": "invented",
			"verify_connection": false}, 204},
		{http.MethodDelete, "config/{name}", "config/spare", nil, 204},
		{"LIST", "role/", "role", nil, 404},
	} {
		response := check.Value(caller.Call(t.Context(), r.method, "mastersindia/"+r.path, r.data))(t)
		check.Equal(t, response.Status, r.status, "%s %s returned", r.method, r.path)
		method := r.method
		if method == "LIST" {
			method = http.MethodGet // as OpenAPI has it, with a slash at the end
		}
		responses = append(responses, checkedResponse{"/mastersindia/" + r.template, method, response.Status, response.Body})
	}
	return responses
}

// checkOperations wants every operation to be described, and each of its successes to have been seen.
func checkOperations(t *testing.T, spec specification, responses []checkedResponse) {
	t.Helper()
	ids := make(map[string]string)
	for path, text := range spec.Paths {
		var p specifiedPath
		check.NoError(t, json.Unmarshal(text, &p))
		for method, op := range map[string]*specifiedOperation{
			http.MethodGet: p.Get, http.MethodPost: p.Post, http.MethodDelete: p.Delete,
		} {
			if op == nil {
				continue
			}
			check.True(t, strings.HasPrefix(op.OperationID, "masters-india-") && ids[op.OperationID] == "",
				"%s %s: operationId %q is not the engine's, or that of %q too", method, path, op.OperationID, ids[op.OperationID])
			ids[op.OperationID] = method + " " + path
			check.True(t, op.Summary != "" && op.Description != "",
				"%s %s: summary %q, description %q", method, path, op.Summary, op.Description)
			for status, response := range op.Responses {
				check.True(t, status == "204" || len(response.Content) != 0,
					"%s %s: nothing is said of the body of a %s", method, path, status)
				if strings.HasPrefix(status, "2") && !slices.ContainsFunc(responses, func(a checkedResponse) bool {
					return a.Path == path && a.Method == method && strconv.Itoa(a.Status) == status
				}) {
					t.Errorf("%s %s: no response with %s was seen", method, path, status)
				}
			}
		}
	}
	check.True(t, len(ids) >= 20, "there are only %d operations", len(ids))
}

// checkResponses has tools/openapi compare the document with the rules of OpenAPI, and the responses with the document.
func checkResponses(t *testing.T, spec specification, responses []checkedResponse) {
	t.Helper()
	var bodies []checkedResponse
	for _, a := range responses {
		switch {
		case a.Status == http.StatusNoContent || strings.HasSuffix(a.Path, "/metrics"):
			continue // no JSON
		case a.Status == http.StatusOK:
			// Vault's document describes the data of a response, and not what is around it.
			var whole struct {
				Data json.RawMessage `json:"data"`
			}
			check.NoError(t, json.Unmarshal(a.Body, &whole))
			a.Body = whole.Data
		}
		bodies = append(bodies, a)
	}
	evidence := check.Value(json.Marshal(map[string]any{"document": spec, "responses": bodies}))(t)
	validator := exec.CommandContext(t.Context(), "go", "run", ".")
	validator.Dir, validator.Stdin = "../tools/openapi", bytes.NewReader(evidence)
	problems, err := validator.CombinedOutput()
	check.True(t, err == nil, "tools/openapi: %v\n%s", err, problems)
}
