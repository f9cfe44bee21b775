// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-mastersindia/backend/account"
	"vault-plugin-secrets-mastersindia/backend/issuer"

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

// leaseTTL is the life of a lease on a token with the given life left: whole seconds that end before the token does. It is
// never 0, which Vault would take for its default of 32 days. The limits do not count where they are 0.
func leaseTTL(remaining time.Duration, limits ...time.Duration) time.Duration {
	ttl := remaining - account.Margin
	for _, limit := range limits {
		if limit > 0 {
			ttl = min(ttl, limit)
		}
	}
	return max(ttl.Truncate(time.Second), time.Second)
}

// leaseLimit remembers the mount's longest lease, which only Vault knows and which costs a call to learn.
type leaseLimit struct {
	last atomic.Pointer[limitReading]
}

type limitReading struct {
	limit time.Duration
	at    time.Duration
}

// limitAge is how old the remembered limit may be.
const limitAge = time.Minute

// get returns the mount's longest lease as it was at most a minute ago.
func (l *leaseLimit) get(system logical.SystemView, now issuer.Reading) time.Duration {
	if last := l.last.Load(); last != nil && now.Elapsed-last.at < limitAge {
		return last.limit
	}
	limit := system.MaxLeaseTTL()
	l.last.Store(&limitReading{limit: limit, at: now.Elapsed})
	return limit
}
