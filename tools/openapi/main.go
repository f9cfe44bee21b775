// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

// Command openapi checks an OpenAPI document, and responses against it. It reads both from standard input as JSON, prints what is
// wrong, and exits with 1 where anything is. It is a module of its own, so that the plugin does without its dependencies.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// evidence is what standard input has.
type evidence struct {
	Document  json.RawMessage `json:"document"`
	Responses []response      `json:"responses"`
}

// response is the response of an operation.
type response struct {
	Path   string `json:"path"`
	Method string `json:"method"`
	Status int    `json:"status"`
	Body   any    `json:"body"`
}

func main() {
	problems, err := check(context.Background(), os.Stdin)
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, problem := range problems {
		fmt.Println(problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check returns the errors in the document and the responses.
func check(ctx context.Context, from io.Reader) (problems []string, err error) {
	var e evidence
	if err := json.NewDecoder(from).Decode(&e); err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(e.Document)
	if err != nil {
		return nil, fmt.Errorf("the document cannot be read: %w", err)
	}
	if err := doc.Validate(ctx); err != nil {
		problems = append(problems, "the document is not valid: "+err.Error())
	}
	for _, a := range e.Responses {
		if problem := a.check(doc); problem != "" {
			problems = append(problems, fmt.Sprintf("%s %s returned %d: %s", a.Method, a.Path, a.Status, problem))
		}
	}
	return problems, nil
}

// check returns the error in a response, or "".
func (a response) check(doc *openapi3.T) string {
	path := doc.Paths.Value(a.Path)
	if path == nil || path.GetOperation(a.Method) == nil {
		return "there is no such operation"
	}
	response := path.GetOperation(a.Method).Responses.Value(strconv.Itoa(a.Status))
	if response == nil {
		return "that is not documented"
	}
	content := response.Value.Content.Get("application/json")
	if content == nil {
		return "the document has no JSON there"
	}
	if len(content.Schema.Value.Properties) == 0 {
		return "the schema has no properties"
	}
	if err := content.Schema.Value.VisitJSON(a.Body, openapi3.MultiErrors(), openapi3.EnableFormatValidation()); err != nil {
		return err.Error()
	}
	return ""
}
