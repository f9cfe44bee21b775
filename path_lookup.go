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

	lookupHelpSynopsis    = "Find out which account a token came from, and what became of it."
	lookupHelpDescription = `
For a token that was found in a log, a repository or a mail: says which config
it was issued for, whether it still lives and until when, and what to do.

    $ vault write mastersindia/lookup token=-

This reads the token from standard input, so that it stands on no command line.
Whoever has only its token_id gives that instead.

Every token that was shared is remembered for the config's ledger_retention
after it expired, also when the config is gone. The token itself is not kept.
`
)

func (b *backend) lookupPaths() []*framework.Path {
	shown := ledgerFields()
	shown["config"] = textField("The config that the token was issued for.")
	shown["advice"] = textField("What to do about a token that was found where it should not be.")
	return []*framework.Path{{
		Pattern: pathLookup + "$",
		Fields: map[string]*framework.FieldSchema{
			fieldToken: {
				Type:         framework.TypeString,
				Description:  "The token. A scheme before it (JWT, Bearer) is ignored, and so are blanks around it.",
				DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
			},
			fieldTokenID: {Type: framework.TypeString, Description: "The token_id instead of the token: 16 hex digits."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.lookupUpdate,
				Summary:  lookupHelpSynopsis,
				Description: "For a token that was found where it should not be. Takes the token, or its token_id, and says which config " +
					"it was issued for, until when it lives, and what to do.",
				DisplayAttrs: display("look-up", "token"),
				Responses: responds("What is known of the token.", shown,
					failure{http.StatusBadRequest, "neither token nor token_id is given, or both are, or token_id is none"},
					failure{http.StatusNotFound, "no token of that token_id is remembered; the message says why that may be"}),
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
	case token == "" && tokenID == "":
		return userError("token: is needed, or token_id: vault write %slookup token=- reads it from standard input", req.MountPoint)
	case token != "" && tokenID != "":
		return userError("token, token_id: give one of them")
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
	// The config for which there is most to be done comes first.
	slices.SortStableFunc(tokens, func(x, y issued) int { return cmp.Compare(urgency(x.state), urgency(y.state)) })
	data := tokens[0].data()
	data["config"], data["advice"] = tokens[0].config, tokens[0].advice(req.MountPoint, now)
	resp := &logical.Response{Data: data}
	for _, other := range tokens[1:] {
		resp.AddWarning(fmt.Sprintf("Config %s was given the same token, and it is %s there: see vault read %sledger/%s.",
			other.config, other.state, req.MountPoint, other.config))
	}
	if partly {
		resp.AddWarning("Another config may have been given the same token: " + damaged.Error() + ".")
	}
	return resp, nil
}

func urgency(state string) int {
	return slices.Index([]string{tokenCurrent, tokenSuperseded, tokenRevoked, tokenExpired}, state)
}

// unknownToken says why a token may not be known. It names the token by its ID.
func unknownToken(mount, tokenID string, likeAnID bool) string {
	message := fmt.Sprintf("token %s is not known here: it was not issued through %s, "+
		"or was forgotten ledger_retention after it expired", tokenID, mount)
	if likeAnID {
		message += "; if what you gave is a token_id, give it as token_id"
	}
	return message
}

// bareToken is the token in what was copied from a header, a log or a file. No token has a blank in it.
func bareToken(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}
