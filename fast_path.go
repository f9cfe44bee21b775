// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// fastRead is the fast path: the read of a role and a token that are both in memory. It returns nil for everything else, which
// goes through the SDK's router to tokenRead and gets the same response. The router asks the host for the replication state on
// every request, which is a round trip between two processes and about a quarter of a read.
// What tokenRead refuses a reader is to be refused here too.
//
// The router uses the state to decide whether to forward the request to the active node. See activeNode for why it need not be
// asked for each time.
func (b *backend) fastRead(req *logical.Request) *logical.Response {
	if req.Operation != logical.ReadOperation && req.Operation != logical.UpdateOperation || len(req.Data) > 0 {
		return nil
	}
	name, isToken := strings.CutPrefix(req.Path, pathToken)
	if !isToken {
		return nil
	}
	r := b.roles.peek(name) // only existing roles are cached
	if r == nil {
		return nil
	}
	now := b.clock()
	if !b.active.is(b.System(), now) {
		return nil
	}
	current, warm := b.issuer.ReadWarm(r.Config, now)
	if !warm {
		return nil
	}
	return b.tokenResponse(name, r, current)
}
