// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/stored"
)

const (
	// mostLedgerTokens bounds one answer.
	mostLedgerTokens = 10_000

	ledgerHelpSynopsis    = "Read which tokens were issued for a config, without the tokens."
	ledgerHelpDescription = `
Every shared token that was issued, the newest first: when, why, until when it
lives, and whether it was replaced or revoked.

    $ vault read mastersindia/ledger/gst

A token is remembered for the config's ledger_retention after it expired (as
that was when the token was issued) and at most a day longer, also when the
config is gone. To find out which config a token came from, see lookup.
`
	ledgerListHelpSynopsis    = "List the configs for which tokens were issued."
	ledgerListHelpDescription = `
List the configs of which tokens are remembered, deleted ones included. The
details of a name say until when.

    $ vault list -detailed mastersindia/ledger
`
)

func (b *backend) ledgerPaths() []*framework.Path {
	return []*framework.Path{
		{
			Pattern: "ledger/" + framework.GenericNameRegex(fieldName),
			Fields:  map[string]*framework.FieldSchema{fieldName: nameField("config")},
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation: &framework.PathOperation{
					Callback: b.ledgerRead,
					Summary:  ledgerHelpSynopsis,
					Description: "Gives every shared token that is remembered, the newest first: when and why it was issued, until when it " +
						"lives, and whether it was replaced or revoked.",
					DisplayAttrs: display("read", "ledger"),
					Responses: responds("The tokens that were issued.", map[string]*framework.FieldSchema{
						"tokens": {
							Type: framework.TypeSlice, Required: true,
							Description: "Newest first; of each token_id, state, issued_at, expires_at, usable_until and reason.",
						},
					}, failure{http.StatusNotFound, "no token is remembered for that name"}),
					ForwardPerformanceStandby: true,
				},
			},
			HelpSynopsis:    ledgerHelpSynopsis,
			HelpDescription: ledgerHelpDescription,
		},
		{
			Pattern:      "ledger/?$",
			DisplayAttrs: display("list", "ledgers"),
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ListOperation: &framework.PathOperation{
					Callback: b.ledgerList, Summary: ledgerListHelpSynopsis, Description: listDescription,
					Responses:                 respondsList("configs", "remembered_until"),
					ForwardPerformanceStandby: true,
				},
			},
			HelpSynopsis:    ledgerListHelpSynopsis,
			HelpDescription: ledgerListHelpDescription,
		},
	}
}

// ledgerFields are what is said of one token.
func ledgerFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"token_id": textField("Names the token without showing it."),
		"state": textField("current, superseded (replaced, and alive upstream), revoked or expired.",
			tokenCurrent, tokenSuperseded, tokenRevoked, tokenExpired),
		"issued_at":    timeField("When the token's life began."),
		"expires_at":   timeField("When the token dies by itself."),
		"usable_until": timeField("Until when the upstream takes the token, as far as is known: it may have been killed sooner."),
		"reason":       textField("Why it was got: first_read, rotation, forced, rejected, verification or after_revoke."),
	}
}

func (b *backend) ledgerRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	entries, more, err := b.listIssued(ctx, name)
	damaged, partly := errors.AsType[*stored.DamagedError](err)
	if len(entries) == 0 || err != nil && !partly {
		return nil, err // 404
	}
	known, unread, err := b.tokensOf(ctx, name)
	if err != nil {
		return loginErrorResponse(req.MountPoint, name, err)
	}
	now := b.clock().Wall
	tokens := make([]any, 0, len(entries))
	for _, e := range entries {
		token := seen(name, e, known, now)
		tokens = append(tokens, token.data())
	}
	resp := &logical.Response{Data: map[string]any{"tokens": tokens}}
	if more {
		resp.AddWarning(fmt.Sprintf("Only the newest %d tokens are shown.", mostLedgerTokens))
	}
	if unread != nil {
		resp.AddWarning("Which of the tokens readers are given is not known, and none is called current: " + unread.Error() + ".")
	}
	if partly {
		resp.AddWarning("Tokens are missing here: " + damaged.Error() + ".")
	}
	return resp, nil
}

func (b *backend) ledgerList(ctx context.Context, _ *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	names, err := b.ledger.Configs(ctx)
	if err != nil {
		return nil, err
	}
	return listEntries(names, func(name string) (map[string]any, error) {
		until, err := b.ledger.Until(ctx, name)
		return map[string]any{"remembered_until": until}, err
	})
}
