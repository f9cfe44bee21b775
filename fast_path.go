// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// fastRead is the fast path: the read of a role and a token that are both in memory. It returns nil for everything else, which
// goes through the SDK's router to tokenRead and gets the same response. The router asks the host for the replication state on
// every request, which is a round trip between two processes and about a quarter of a read.
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
	r := b.roles.peek(name) // nothing but names that exist is in there
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

// activeNode remembers for a moment that this node is the active one, or one that acts as such in its cluster.
//
// Vault and OpenBao take all mounts down, this one with them, when a node gains or loses the lead: a backend sees one state in
// its life. So asking once would do. It asks once a second all the same, lest that should ever change:
//
//   - A node that has lost the lead serves from memory for less than two seconds. That harms nobody: such a token was the shared
//     one a moment ago, and a lease cannot be registered on such a node, so Vault itself forwards a read that would make one.
//   - Only "active" is remembered. A standby asks each time, so a node that has gained the lead serves at once.
//   - A change made on another node ends the memory at once.
type activeNode struct {
	seen atomic.Pointer[sighting] // nil: not known to be active
}

// sighting is a moment at which the node was active.
type sighting struct {
	at time.Duration // Reading.Elapsed
	// renewing says that one request is asking again, so that others need not.
	renewing bool
}

const (
	// askAgain is the age at which a sighting is renewed, and trustedFor the one at which it counts no more.
	askAgain   = time.Second
	trustedFor = 2 * time.Second
)

// is reports whether the node was the active one when last seen, or is it now.
func (n *activeNode) is(system logical.SystemView, now issuer.Reading) bool {
	seen := n.seen.Load()
	renewing := &sighting{at: now.Elapsed - trustedFor, renewing: true}
	if seen != nil {
		age := now.Elapsed - seen.at
		if age < askAgain || age < trustedFor && seen.renewing {
			return true
		}
		renewing.at = seen.at
	}
	n.seen.CompareAndSwap(seen, renewing)
	active := system != nil && isActive(system)
	var known *sighting
	if active {
		known = &sighting{at: now.Elapsed}
	}
	// Fails where the memory was ended meanwhile, or where another request has asked too: then it does not matter.
	n.seen.CompareAndSwap(renewing, known)
	return active
}

// forget makes the next request ask.
func (n *activeNode) forget() { n.seen.Store(nil) }
