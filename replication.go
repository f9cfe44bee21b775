// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/backend/issuer"
)

// mayLogin reports whether this node may log in and store what that gives: it is neither a performance standby nor a
// disaster recovery secondary. The active node of a performance secondary may, since tokens are local to the cluster.
func (b *backend) mayLogin() bool {
	system := b.System()
	return system != nil && isActive(system)
}

func isActive(system logical.SystemView) bool {
	return !system.ReplicationState().HasState(consts.ReplicationPerformanceStandby | consts.ReplicationDRSecondary)
}

// mustBeActive returns the error at which Vault forwards a request to a node that may log in.
func (b *backend) mustBeActive() error {
	if !b.mayLogin() {
		return logical.ErrReadOnly
	}
	return nil
}

// activeNode caches for a moment that this node is the active node of its cluster.
//
// Vault and OpenBao unmount every backend when a node gains or loses leadership, so a backend sees one state only and asking once
// would do. It asks once a second anyway, in case that changes:
//
//   - A node that has lost leadership serves from memory for less than two seconds. This is harmless: the token was the shared
//     one a moment ago, and Vault forwards a read with a lease, since such a node cannot register leases.
//   - Only "active" is cached. A standby asks each time, so a node that gains leadership serves at once.
//   - A change made on another node clears the cache at once.
type activeNode struct {
	seen atomic.Pointer[sighting] // nil: not known to be active
}

// sighting is a time at which the node was known to be active.
type sighting struct {
	at time.Duration // Reading.Elapsed
	// renewing is set while one request asks again, so that others need not.
	renewing bool
}

const (
	// askAgain is the age at which a sighting is renewed, and trustedFor the age at which it is no longer valid.
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
	// This fails if the cache was cleared meanwhile or another request has asked too; both are fine.
	n.seen.CompareAndSwap(renewing, known)
	return active
}

// forget makes the next request ask.
func (n *activeNode) forget() { n.seen.Store(nil) }

// invalidate drops from memory what another node has changed.
func (b *backend) invalidate(_ context.Context, key string) {
	b.active.forget() // another node writes: it may be the active one now
	prefix, name, ok := splitPath(key)
	if !ok {
		return
	}
	switch prefix + "/" {
	case rolePrefix:
		b.roles.forget(name)
	case configPrefix, tokenPrefix:
		b.issuer.Invalidate(name)
	}
}
