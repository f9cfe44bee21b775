// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// secretTokenType is the type of our leases. It is fixed: Vault finds the way to end a lease by it.
const secretTokenType = "mastersindia_token"

// leaseSchema is the version of the data that a lease carries.
const leaseSchema = 1

func tokenSecret() *framework.Secret {
	return &framework.Secret{
		Type: secretTokenType,
		Fields: map[string]*framework.FieldSchema{
			"access_token": {Type: framework.TypeString, Description: "The upstream token."},
		},
		// No Renew: a token's life cannot be prolonged, so its lease cannot either.
		Revoke: secretTokenRevoke,
	}
}

// secretTokenRevoke ends a lease, always. It tells nobody upstream and drops nothing: others use the same token, and a Vault
// token that ends would log all of them out. revoke/ is the way to take a token out of use.
func secretTokenRevoke(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	return nil, nil //nolint:nilnil // Vault's way to say that the lease has ended
}
