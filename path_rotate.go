// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

const (
	rotateHelpSynopsis    = "Log in now and replace the shared token of a config."
	rotateHelpDescription = `
Logs in at once, even while logins back off after a failure, and replaces the
shared token. The old token is no longer handed out, and expires upstream.

    $ vault write -f mastersindia/rotate/gst

At most one login is made in 10 seconds, and one a minute after the upstream has
refused the credentials. Sooner requests return the result of the last one.
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
				Description: "Logs in even while logins back off after a failure, at most once in 10 seconds, and once a minute after " +
					"the upstream has refused the credentials. The old token is no longer handed out, and expires upstream.",
				DisplayAttrs: display("rotate", "token"),
				Responses: responds("The IDs and expiry of the new and the previous token.", map[string]*framework.FieldSchema{
					"token_id":             textField("ID of the new token."),
					"expires_at":           timeField("When the new token expires."),
					"previous_token_id":    textField("ID of the token that was replaced; empty if there was none."),
					"previous_valid_until": maybeTimeField("Time until which the old token may be valid upstream.", "if there was none"),
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
	if errors.Is(err, issuer.ErrNoAccount) {
		return b.configNotFound(ctx, req.MountPoint, "rotate/", name, "")
	}
	if err != nil {
		return b.rotationError(req.MountPoint, name, err)
	}
	data := map[string]any{
		"token_id":             rotation.Token.ID,
		"expires_at":           rotation.Token.ExpiresAt.Format(time.RFC3339),
		"previous_token_id":    "",
		"previous_valid_until": "",
	}
	if old := rotation.Previous; old != nil {
		data["previous_token_id"], data["previous_valid_until"] = old.ID, old.ValidUntil().Format(time.RFC3339)
	}
	resp := &logical.Response{Data: data}
	switch {
	case rotation.TooSoon:
		resp.AddWarning("No login was made, since rotate/ made one less than 10 seconds ago: this is the current token. " +
			"Write again later.")
	case rotation.Same && rotation.Token.Repeated():
		resp.AddWarning("The token was not replaced: the upstream repeats its last token, and gives no other until that expires.")
	case rotation.Same:
		resp.AddWarning("The token was not replaced: the upstream gave the same one again, as some do within a second. " +
			"Write again later.")
	}
	return resp, nil
}

// rotationError is loginErrorResponse, but where a token is left whose rotation comes after the hold.
func (b *backend) rotationError(mount, name string, err error) (*logical.Response, error) {
	s, _ := b.issuer.Known(name)
	failed, isLogin := errors.AsType[*issuer.LoginError](err)
	next := beforeRotation(s, b.clock().Wall)
	if !isLogin || next == "" {
		return loginErrorResponse(mount, name, err)
	}
	return nil, logical.CodedError(statusOf(failed), failureMessage(mount, name, failed, next))
}
