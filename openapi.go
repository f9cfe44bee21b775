// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"encoding/json"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
)

const (
	// helpDocument is the key of the OpenAPI document in the response to a help request.
	helpDocument = "openapi"
	// errorSchema is the name of the schema that all errors share.
	errorSchema = "MastersIndiaError"
)

// completeDocument adds to the SDK's OpenAPI document what the SDK cannot express, and what Vault would drop.
func completeDocument(help map[string]any) {
	doc, has := help[helpDocument].(*framework.OASDocument)
	if !has {
		return
	}
	describeBodies(doc)
	encoded, err := json.Marshal(doc)
	if err != nil {
		return // keep the document of the SDK
	}
	var plain map[string]any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		return
	}
	repeatReferences(plain)
	help[helpDocument] = plain
}

// describeBodies describes response bodies other than data: errors, and the text of the metrics.
func describeBodies(doc *framework.OASDocument) {
	doc.Components.Schemas[errorSchema] = &framework.OASSchema{
		Type: "object",
		Properties: map[string]*framework.OASSchema{"errors": {
			Type: "array", Description: "What happened, and the command to run next.", Items: &framework.OASSchema{Type: "string"},
		}},
	}
	failed := framework.OASContent{
		"application/json": {Schema: &framework.OASSchema{Ref: "#/components/schemas/" + errorSchema}},
	}
	for path, item := range doc.Paths {
		for _, op := range []*framework.OASOperation{item.Get, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			for status, response := range op.Responses {
				switch {
				case status >= http.StatusBadRequest:
					response.Content = failed
				case path == "/"+pathMetrics:
					response.Content = framework.OASContent{"text/plain": {Schema: &framework.OASSchema{Type: "string"}}}
				}
			}
		}
	}
}

// repeatReferences puts each "$ref" a second time as "ref". Vault decodes what a plugin sends by the names of its own fields, one
// of which is Ref, and drops "$ref" (hashicorp/vault#30714): all schemas of requests and responses would be empty. OpenAPI says
// to ignore other keys beside a reference, so the second one does no harm in the original document.
func repeatReferences(node any) {
	switch node := node.(type) {
	case map[string]any:
		if ref, is := node["$ref"].(string); is {
			node["ref"] = ref
		}
		for _, child := range node {
			repeatReferences(child)
		}
	case []any:
		for _, child := range node {
			repeatReferences(child)
		}
	}
}
