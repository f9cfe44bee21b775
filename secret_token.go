// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// secretTokenType is the type of our leases. It is fixed, because Vault uses it to find the backend that revokes a lease.
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

// secretTokenRevoke always succeeds, and does not revoke the upstream token: others share it, and a Vault token that ends would
// log all of them out. revoke/ revokes the upstream token.
func secretTokenRevoke(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	return nil, nil //nolint:nilnil // Vault's way to say that the lease has ended
}
