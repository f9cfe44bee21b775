// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	fieldName = "name"
	// mostListDetails bounds the entries that one list reads to say more than their names.
	mostListDetails = 256
	// mostListReads bounds those under way at one time.
	mostListReads = 16
)

// nameField is the schema of the name in a path.
func nameField(what string) *framework.FieldSchema {
	return &framework.FieldSchema{
		Type:        framework.TypeString,
		Description: "Name of the " + what + ". Case counts.",
		Required:    true,
	}
}

// answers is the OpenAPI description of an operation that answers with data.
func answers(description string, fields map[string]*framework.FieldSchema) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusOK: {{Description: description, Fields: fields}}}
}

// answersNothing is the OpenAPI description of an operation that answers without data.
func answersNothing(description string) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusNoContent: {{Description: description}}}
}

// answersList is the OpenAPI description of a list that says the given facts of each name.
func answersList(what string, facts ...string) map[int][]framework.Response {
	return answers("Names of the "+what+".", map[string]*framework.FieldSchema{
		"keys":     {Type: framework.TypeStringSlice, Description: "Names."},
		"key_info": {Type: framework.TypeMap, Description: "By name: " + fieldNames(facts) + "."},
	})
}

// textField, numberField and so on describe fields of an answer.
func textField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeString, Description: description}
}

func secretField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{
		Type: framework.TypeString, Description: description, DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
	}
}

func numberField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeInt, Description: description}
}

func boolField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeBool, Description: description}
}

func timeField(description string) *framework.FieldSchema {
	return &framework.FieldSchema{Type: framework.TypeTime, Description: description + " RFC 3339, UTC."}
}

// listAnswer is a list with facts; Vault makes a 404 of an empty one.
func listAnswer(names []string, info map[string]any) *logical.Response {
	return logical.ListResponseWithInfo(names, info)
}

// display names an operation in OpenAPI.
func display(verb, suffix string) *framework.DisplayAttributes {
	return &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationVerb: verb, OperationSuffix: suffix}
}
