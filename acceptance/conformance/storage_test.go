// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"context"
	"sync/atomic"

	"github.com/hashicorp/vault/sdk/logical"
)

// storage is a mount's storage in memory, which refuses writes where Vault's does and counts them.
type storage struct {
	logical.InmemStorage

	readOnly atomic.Bool
	writes   atomic.Int64
	reads    atomic.Int64
}

func newStorage() *storage { return &storage{} }

func (s *storage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	s.reads.Add(1)
	return s.InmemStorage.Get(ctx, key)
}

func (s *storage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if s.readOnly.Load() {
		return logical.ErrReadOnly
	}
	s.writes.Add(1)
	return s.InmemStorage.Put(ctx, entry)
}

func (s *storage) Delete(ctx context.Context, key string) error {
	if s.readOnly.Load() {
		return logical.ErrReadOnly
	}
	s.writes.Add(1)
	return s.InmemStorage.Delete(ctx, key)
}
