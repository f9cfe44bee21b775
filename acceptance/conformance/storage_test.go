// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/vault/sdk/logical"
)

// storage is a mount's storage in memory, which refuses writes where Vault's does.
type storage struct {
	logical.InmemStorage

	readOnly atomic.Bool
	mu       sync.Mutex
	// fault, if set, decides about each access: see set.
	fault accessFault
	// accesses counts those that fault decided about.
	accesses int64
}

// accessFault gets the number of an access, which is 1 for the first since the fault was set, and the access. The access fails
// with the error that it returns, and if late only after it was done.
type accessFault func(n int64, call string) (late bool, err error)

// set makes fault decide about every access from now on. It is never called twice at a time.
func (s *storage) set(fault accessFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.accesses = fault, 0
}

func newStorage() *storage { return &storage{} }

// access does an access, unless it is to fail.
func (s *storage) access(call string, do func() error) error {
	var late bool
	var err error
	s.mu.Lock()
	if s.fault != nil {
		s.accesses++
		late, err = s.fault(s.accesses, call)
	}
	s.mu.Unlock()
	if err != nil && !late {
		return err
	}
	return errors.Join(do(), err)
}

func (s *storage) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.access("list "+prefix, func() (err error) {
		names, err = s.InmemStorage.List(ctx, prefix)
		return err
	})
	return names, err
}

func (s *storage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = s.access("get "+key, func() (err error) {
		entry, err = s.InmemStorage.Get(ctx, key)
		return err
	})
	return entry, err
}

func (s *storage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if s.readOnly.Load() {
		return logical.ErrReadOnly
	}
	return s.access("put "+entry.Key, func() error { return s.InmemStorage.Put(ctx, entry) })
}

func (s *storage) Delete(ctx context.Context, key string) error {
	if s.readOnly.Load() {
		return logical.ErrReadOnly
	}
	return s.access("delete "+key, func() error { return s.InmemStorage.Delete(ctx, key) })
}
