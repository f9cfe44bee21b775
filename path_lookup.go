// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/ledger"
	"vault-plugin-secrets-mastersindia/backend/stored"
)

const (
	pathLookup = "lookup"

	fieldToken = "token"

	lookupHelpSynopsis    = "Find out which config a token came from, and its present state."
	lookupHelpDescription = `
For a token that was found in a log, a repository or an email: returns the
config that it was issued for, its state and expiry, and what to do about it.

    $ vault write mastersindia/lookup token=-

This reads the token from standard input, which keeps it out of the shell
history. If you have only its token_id, give token_id instead.

The record of every shared token is kept for the config's ledger_retention after
it expires, even if the config is deleted. The token itself is not kept.
`
)

func (b *backend) lookupPaths() []*framework.Path {
	shown := ledgerFields()
	shown["config"] = textField("The config that the token was issued for.")
	shown["advice"] = textField("What to do about the token if it has leaked.")
	return []*framework.Path{{
		Pattern: pathLookup + "$",
		Fields: map[string]*framework.FieldSchema{
			fieldToken: {
				Type:         framework.TypeString,
				Description:  "The token. A scheme before it (JWT, Bearer) and whitespace around it are ignored.",
				DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
			},
			fieldTokenID: {Type: framework.TypeString, Description: "The token_id instead of the token: 16 hex digits."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.lookupUpdate,
				Summary:  lookupHelpSynopsis,
				Description: "For a token that may have leaked. Takes the token or its token_id, and returns the config that it was " +
					"issued for, its state and expiry, and what to do about it.",
				DisplayAttrs: display("look-up", "token"),
				Responses: responds("The token.", shown,
					failure{http.StatusBadRequest, "not exactly one of token and token_id is given, or token_id is not 16 hex digits"},
					failure{http.StatusNotFound, "the ledger has no such token; the message names the possible reasons"}),
				ForwardPerformanceStandby: true,
			},
		},
		HelpSynopsis:    lookupHelpSynopsis,
		HelpDescription: lookupHelpDescription,
	}}
}

func (b *backend) lookupUpdate(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	token, _ := req.Data[fieldToken].(string)
	tokenID, _ := req.Data[fieldTokenID].(string)
	token, tokenID = bareToken(token), foldTokenID(tokenID)
	switch {
	case token == "" && req.Data[fieldToken] != nil:
		return userError("token: %s; vault write %slookup token=- reads it from standard input", emptyRule, req.MountPoint)
	case tokenID == "" && req.Data[fieldTokenID] != nil:
		return userError("token_id: %s", emptyRule)
	case token == "" && tokenID == "":
		return userError("token: is required, or token_id: vault write %slookup token=- reads it from standard input", req.MountPoint)
	case token != "" && tokenID != "":
		return userError("token, token_id: give exactly one of them")
	case tokenID != "" && !isTokenID(tokenID):
		return userError("token_id: %s; for the token itself, vault write %slookup token=-", tokenIDRule, req.MountPoint)
	case token != "":
		tokenID = account.TokenID(token)
	}
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	found, err := b.findIssued(ctx, tokenID)
	if errors.Is(err, ledger.ErrUnknown) {
		return nil, logical.CodedError(http.StatusNotFound, unknownToken(req.MountPoint, tokenID, isTokenID(token)))
	}
	damaged, partly := errors.AsType[*stored.DamagedError](err)
	if len(found) == 0 || err != nil && !partly {
		return nil, err
	}
	now := b.clock().Wall
	tokens := make([]issued, len(found))
	for n, f := range found {
		known, unread, err := b.tokensOf(ctx, f.Config)
		if err != nil {
			return loginErrorResponse(req.MountPoint, f.Config, err)
		}
		tokens[n] = seen(f.Config, f.Entry, known, now)
		tokens[n].unread = unread
	}
	// The config whose token is most urgent to deal with comes first.
	slices.SortStableFunc(tokens, func(x, y issued) int { return cmp.Compare(urgency(x.state), urgency(y.state)) })
	data := tokens[0].data()
	data["config"], data["advice"] = tokens[0].config, tokens[0].advice(req.MountPoint, now)
	resp := &logical.Response{Data: data}
	for _, other := range tokens[1:] {
		resp.AddWarning(fmt.Sprintf("Config %s has received the same token, which is %s there: see vault read %sledger/%s.",
			other.config, other.state, req.MountPoint, other.config))
	}
	if partly {
		resp.AddWarning("Another config may have received the same token: " + damaged.Error() + ".")
	}
	return resp, nil
}

func urgency(state string) int {
	return slices.Index([]string{tokenCurrent, tokenSuperseded, tokenRevoked, tokenExpired}, state)
}

// unknownToken names the reasons why a token may be unknown.
func unknownToken(mount, tokenID string, likeAnID bool) string {
	message := fmt.Sprintf("token %s is unknown: it was not issued through %s, "+
		"or its ledger_retention is over", tokenID, mount)
	if likeAnID {
		message += "; if that is a token_id, give it as token_id; if it is in a file, give it as token=@FILE"
	}
	return message
}

// bareToken is the token in a text copied from a header, a log or a file. No token contains whitespace.
func bareToken(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
