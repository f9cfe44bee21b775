// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
	"vault-plugin-secrets-mastersindia/backend/ledger"
)

const (
	pathLookup = "lookup"

	fieldToken = "token"

	lookupHelpSynopsis    = "Find out which account a token came from, and what became of it."
	lookupHelpDescription = `
For a token that was found in a log, a repository or a mail: says which config it
was issued for, whether it still lives and until when, and what to do.

    $ vault write mastersindia/lookup token=-

reads the token from standard input, so that it stands on no command line. Whoever
has only its token_id gives that instead.

Every token that was shared is remembered for the config's ledger_retention after
it expired, also when the config is gone. The token itself is not kept.
`
)

func (b *backend) lookupPaths() []*framework.Path {
	shown := ledgerFields()
	shown["config"] = textField("The config that the token was issued for.")
	shown["advice"] = textField("What to do about a token that was found where it should not be.")
	return []*framework.Path{{
		Pattern: pathLookup + "$",
		Fields: map[string]*framework.FieldSchema{
			fieldToken:   secretField("The token. A scheme before it (JWT, Bearer) is ignored, and so are blanks around it."),
			fieldTokenID: textField("The token_id instead of the token: 16 hex digits."),
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback:                  b.lookupUpdate,
				Summary:                   lookupHelpSynopsis,
				DisplayAttrs:              display("look-up", "token"),
				Responses:                 answers("What is known of the token.", shown),
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
	token = bareToken(token)
	switch {
	case token == "" && tokenID == "":
		return userError("token: is needed, or token_id: vault write %slookup token=- reads it from standard input", req.MountPoint)
	case token != "" && tokenID != "":
		return userError("token, token_id: give one of them")
	case tokenID != "" && !isTokenID(tokenID):
		return userError("token_id: %s; for the token itself, vault write %slookup token=-", tokenIDRule, req.MountPoint)
	case token != "":
		tokenID = issuer.TokenID(token)
	}
	if err := b.mustBeActive(); err != nil {
		return nil, err
	}
	config, entry, err := b.ledger.Find(ctx, strings.ToLower(tokenID))
	if errors.Is(err, ledger.ErrUnknown) {
		return nil, logical.CodedError(http.StatusNotFound, fmt.Sprintf("token %s is not known here: it was not issued through %s, "+
			"or was forgotten ledger_retention after it expired", strings.ToLower(tokenID), req.MountPoint))
	}
	if err != nil {
		return nil, err
	}
	known, err := b.tokensOf(ctx, config)
	if err != nil {
		return nil, err
	}
	now := b.clock().Wall
	found := seen(config, entry, known, now)
	data := found.data()
	data["config"], data["advice"] = config, found.advice(req.MountPoint, now)
	return &logical.Response{Data: data}, nil
}

// bareToken is the token in what was copied from a header, a log or a file. No token has a blank in it.
func bareToken(text string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// tokensOf is what the issuer knows of the config's tokens: nothing where the config is gone.
func (b *backend) tokensOf(ctx context.Context, config string) (issuer.Tokens, error) {
	known, err := b.issuer.Tokens(ctx, config)
	if errors.Is(err, issuer.ErrNoAccount) {
		return issuer.Tokens{}, nil
	}
	return known, err
}
