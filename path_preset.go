// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	presetHelpSynopsis    = "Read what a preset fills in, and what is known of the endpoint."
	presetHelpDescription = `
A preset is a login endpoint that a vendor documents. Name it when you write a
config, and it fills protocol, token_url and what else belongs to them.

    $ vault list -detailed mastersindia/preset
    $ vault read mastersindia/preset/einvoice-production

A stored config keeps what was filled in: an upgrade of the plugin changes none.
`
	presetListHelpSynopsis    = "List the presets."
	presetListHelpDescription = `
List the documented login endpoints. The details of a name are its protocol,
token_url and description.

    $ vault list -detailed mastersindia/preset
`
)

func presetPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern: "preset/" + framework.GenericNameRegex(fieldName),
			Fields:  map[string]*framework.FieldSchema{fieldName: nameField("preset")},
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback:     presetRead,
					Summary:      presetHelpSynopsis,
					Description:  "Says what is documented, what is only seen in use and what is assumed, and how the token is then used.",
					DisplayAttrs: display("read", "preset"),
					Responses:    responds("The preset.", presetFields(), nameNotFound()),
				},
			},
			HelpSynopsis:    presetHelpSynopsis,
			HelpDescription: presetHelpDescription,
		},
		{
			Pattern:      "preset/?$",
			DisplayAttrs: display("list", "presets"),
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ListOperation: &framework.PathOperation{
					Callback: presetList, Summary: presetListHelpSynopsis, Description: listDescription,
					Responses: responds("Names of the presets.", listFields("protocol", "token_url", "description")),
				},
			},
			HelpSynopsis:    presetListHelpSynopsis,
			HelpDescription: presetListHelpDescription,
		},
	}
}

func presetFields() map[string]*framework.FieldSchema {
	shown := map[string]*framework.FieldSchema{
		"description":    textField("What the endpoint is for."),
		"documented_at":  textField("The vendor's page."),
		"documented":     textField("What the vendor's page says."),
		"seen":           textField("What is seen in use, but not documented."),
		"assumed":        textField("What is neither documented nor seen, but assumed."),
		"token_use":      textField("How an application sends the token."),
		"revocable":      boolField("Whether a token can be killed upstream before its time."),
		"single_session": textField("Whether a second login kills the first token: unknown where nobody knows."),
		"needs":          textField("What a config must give besides its credentials; may be empty."),
		"caveat":         textField("What one should know before using it; may be empty."),
	}
	for _, f := range configFields() {
		if f.filled {
			shown[f.name] = &framework.FieldSchema{Type: f.kind, Required: true, Description: "Filled into a config."}
		}
	}
	return shown
}

func presetRead(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	p := findPreset(d.Get(fieldName).(string)) //nolint:forcetypeassert // captured from the path
	if p == nil {
		return nil, nil //nolint:nilnil // 404
	}
	filled := &config{Protocol: string(p.protocol)}
	data := map[string]any{
		"description":    p.description,
		"protocol":       string(p.protocol),
		"documented_at":  p.documentedAt,
		"documented":     p.documented,
		"seen":           p.seen,
		"assumed":        p.assumed,
		"token_use":      p.tokenUse,
		"revocable":      p.revocable(),
		"single_session": "unknown",
		"needs":          p.needs,
		"caveat":         p.caveat,
	}
	fields := configFields()
	for n := range fields {
		if f := &fields[n]; f.filled && f.name != "protocol" {
			f.set(filled, p.fieldValue(f))
			data[f.name] = f.value(filled)
		}
	}
	return &logical.Response{Data: data}, nil
}

func presetList(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	var names []string
	info := make(map[string]any)
	for _, p := range presets() {
		names = append(names, p.name)
		info[p.name] = map[string]any{"protocol": string(p.protocol), "token_url": p.tokenURL, "description": p.description}
	}
	return logical.ListResponseWithInfo(names, info), nil
}
