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
	// mostLedgerTokens bounds one response.
	mostLedgerTokens = 10_000

	ledgerHelpSynopsis    = "Read which tokens were issued for a config, without the tokens."
	ledgerHelpDescription = `
Lists every shared token that was issued, newest first: when and why it was
issued, when it expires, and whether it was replaced or revoked.

    $ vault read mastersindia/ledger/gst

A record is kept for ledger_retention after the token expires, and at most a day
longer, even if the config is deleted. A change of ledger_retention applies to
new tokens. To find the config of a token, use lookup.
`
	ledgerListHelpSynopsis    = "List the configs for which tokens were issued."
	ledgerListHelpDescription = `
List the configs in the ledger, including deleted ones. key_info has the time
until which the records of each are kept.

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
					Description: "Returns every shared token in the ledger, newest first: when and why it was issued, when it expires, and " +
						"whether it was replaced or revoked.",
					DisplayAttrs: display("read", "ledger"),
					Responses: responds("The tokens that were issued.", map[string]*framework.FieldSchema{
						"tokens": {
							Type: framework.TypeSlice, Required: true,
							Description: "Newest first; for each, token_id, state, issued_at, expires_at, usable_until and reason.",
						},
					}, failure{http.StatusNotFound, "the ledger has no token of that config"}),
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

// ledgerFields describe one token.
func ledgerFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"token_id": textField("ID of the token: the first 16 hex digits of its SHA-256."),
		"state": textField("current, superseded (replaced, but still valid upstream), revoked or expired.",
			tokenCurrent, tokenSuperseded, tokenRevoked, tokenExpired),
		"issued_at":    timeField("When the token's life began."),
		"expires_at":   timeField("When the token expires."),
		"usable_until": timeField("Time until which the upstream accepts the token, as far as known; may differ from expires_at."),
		"reason":       textField("Why the login was made: first_read, rotation, forced, rejected, verification or after_revoke."),
	}
}

func (b *backend) ledgerRead(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name := d.Get(fieldName).(string) //nolint:forcetypeassert // captured from the path
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	known, unread, err := b.tokensOf(ctx, name) // first: it reads what the ledger lacks
	if err != nil {
		return loginErrorResponse(req.MountPoint, name, err)
	}
	entries, more, err := b.listIssued(ctx, name)
	damaged, partly := errors.AsType[*stored.DamagedError](err)
	if len(entries) == 0 && err == nil && known.Account == nil {
		return wrongKind(b.roleNotConfig(ctx, req, name))
	}
	if len(entries) == 0 || err != nil && !partly {
		return nil, err
	}
	now := b.clock()
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
	names, err := b.listLedgers(ctx)
	if err != nil {
		return nil, err
	}
	return b.listEntries(names, func(_ int, name string) (map[string]any, error) {
		until, err := b.ledger.Until(ctx, name)
		for _, u := range b.issuer.Unsent(name) {
			until = max(until, ledgerEntry(u.Token).Until(u.Keep))
		}
		return map[string]any{"remembered_until": until}, err
	})
}
