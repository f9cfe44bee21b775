// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	presetHelpSynopsis    = "Read the settings of a preset, and what is known about its endpoint."
	presetHelpDescription = `
A preset is a login endpoint that a vendor documents. A config that is written
with preset=<name> gets its protocol, token_url and related settings from it.

    $ vault list -detailed mastersindia/preset
    $ vault read mastersindia/preset/einvoice-production

A stored config keeps these settings after an upgrade of the plugin.
`
	presetListHelpSynopsis    = "List the presets."
	presetListHelpDescription = `
List the documented login endpoints. key_info has the protocol, token_url and
description of each.

    $ vault list -detailed mastersindia/preset
`
)

func (b *backend) presetPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern: "preset/" + framework.GenericNameRegex(fieldName),
			Fields:  map[string]*framework.FieldSchema{fieldName: nameField("preset")},
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback:     b.presetRead,
					Summary:      presetHelpSynopsis,
					Description:  "Returns what is documented, what is seen in use and what is assumed, and how an application sends the token.",
					DisplayAttrs: display("read", "preset"),
					Responses:    responds("The preset.", b.presetFields(), nameNotFound()),
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
					Callback: b.presetList, Summary: presetListHelpSynopsis, Description: listDescription,
					Responses: responds("Names of the presets.", listFields("protocol", "token_url", "description")),
				},
			},
			HelpSynopsis:    presetListHelpSynopsis,
			HelpDescription: presetListHelpDescription,
		},
	}
}

func (b *backend) presetFields() map[string]*framework.FieldSchema {
	shown := map[string]*framework.FieldSchema{
		"description":    textField("What the endpoint is for."),
		"documented_at":  textField("The vendor's page."),
		"documented":     textField("What the vendor's page says."),
		"seen":           textField("What is seen in use but not documented."),
		"assumed":        textField("What is neither documented nor seen in use, but assumed."),
		"token_use":      textField("How an application sends the token."),
		"revocable":      boolField("Whether a token can be revoked upstream before it expires."),
		"single_session": textField("Whether a second login invalidates the first token, or unknown."),
		"needs":          textField("Parameters that a config requires besides its credentials; may be empty."),
		"caveat":         textField("Known limitations; may be empty."),
	}
	for n := range b.fields {
		if f := &b.fields[n]; f.filled {
			shown[f.name] = &framework.FieldSchema{Type: f.kind, Required: true, Description: "Set by the preset."}
		}
	}
	return shown
}

func (b *backend) presetRead(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	p := findPreset(b.presets, d.Get(fieldName).(string)) //nolint:forcetypeassert // captured from the path
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
	for n := range b.fields {
		if f := &b.fields[n]; f.filled && f.name != "protocol" {
			f.set(filled, p.fieldValue(f))
			data[f.name] = f.value(filled)
		}
	}
	return &logical.Response{Data: data}, nil
}

func (b *backend) presetList(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	var names []string
	info := make(map[string]any)
	for n := range b.presets {
		p := &b.presets[n]
		names = append(names, p.name)
		info[p.name] = map[string]any{"protocol": string(p.protocol), "token_url": p.tokenURL, "description": p.description}
	}
	return logical.ListResponseWithInfo(names, info), nil
}
