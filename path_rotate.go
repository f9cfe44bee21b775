// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	rotateHelpSynopsis    = "Log in now and replace the shared token of a config."
	rotateHelpDescription = `
Logs in at once, also in a pause that follows a failed login, and replaces the
shared token. The old one is handed out no more, and dies by itself upstream.

    $ vault write -f mastersindia/rotate/gst

Made at most once in 10 seconds, and once a minute after the upstream has
refused the credentials: asked again sooner, it answers with the last one.
`
)

func (b *backend) rotatePaths() []*framework.Path {
	return []*framework.Path{{
		Pattern: "rotate/" + framework.GenericNameRegex(fieldName),
		Fields:  map[string]*framework.FieldSchema{fieldName: nameField("config")},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.rotateUpdate,
				Summary:  rotateHelpSynopsis,
				Description: "Logs in also in a pause that follows a failed login; at most once in 10 seconds, and once a minute after " +
					"the upstream has refused the credentials. The old token is handed out no more, and dies by itself upstream.",
				DisplayAttrs: display("rotate", "token"),
				Responses: responds("The new token, without itself.", map[string]*framework.FieldSchema{
					"token_id":             textField("Names the new token."),
					"expires_at":           timeField("When the new token dies."),
					"previous_token_id":    textField("Names the token that was replaced; empty where there was none alive."),
					"previous_valid_until": maybeTimeField("Until when the old token may be good upstream.", "where there was none"),
				}, append(upstreamFailures(), failure{
					http.StatusBadRequest, "the config does not exist or is paused, or the upstream refuses the credentials",
				})...),
				ForwardPerformanceStandby: true,
			},
		},
		HelpSynopsis:    rotateHelpSynopsis,
		HelpDescription: rotateHelpDescription,
	}}
}

func (b *backend) rotateUpdate(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	rotation, err := b.issuer.Rotate(ctx, name)
	if err != nil {
		return loginErrorResponse(req.MountPoint, name, err)
	}
	data := map[string]any{
		"token_id":             rotation.Token.ID,
		"expires_at":           rotation.Token.ExpiresAt.Format(time.RFC3339),
		"previous_token_id":    "",
		"previous_valid_until": "",
	}
	if old := rotation.Previous; old != nil {
		data["previous_token_id"], data["previous_valid_until"] = old.ID, old.ExpiresAt.Format(time.RFC3339)
	}
	return &logical.Response{Data: data}, nil
}
