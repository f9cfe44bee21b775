// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia_test

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// The accesses that a faultyStorage tells apart.
const (
	storeGet    = "get"
	storePut    = "put"
	storeDelete = "delete"
	storeList   = "list"
)

// errStorage is what storage that was told to fail answers.
func errStorage() error { return errors.New("the storage of the test is broken") }

// faultyStorage is storage that counts and fails as told.
type faultyStorage struct {
	inner logical.Storage

	mu    sync.Mutex
	fault func(access, key string) error
	// strike, where it is set, is told the number of each access and what it is, such as "put config/gst".
	strike func(n int, call string) blow
	calls  []string // "put config/gst"
}

// blow is what becomes of an access: it fails where err is set, though only after it was done where late is set as well.
type blow struct {
	err  error
	late bool
}

func newFaultyStorage() *faultyStorage { return &faultyStorage{inner: &logical.InmemStorage{}} }

// fail makes every access of that kind under prefix answer err, until mend.
func (s *faultyStorage) fail(access, prefix string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = func(a, key string) error {
		if a == access && strings.HasPrefix(key, prefix) {
			return err
		}
		return nil
	}
}

func (s *faultyStorage) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
}

// accesses are all so far: "put config/gst".
func (s *faultyStorage) accesses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// access counts an access and does it, unless it is to fail.
func (s *faultyStorage) access(ctx context.Context, access, key string, do func() error) error {
	var b blow
	s.mu.Lock()
	s.calls = append(s.calls, access+" "+key)
	if s.fault != nil {
		b.err = s.fault(access, key)
	}
	if s.strike != nil && b.err == nil {
		b = s.strike(len(s.calls), access+" "+key)
	}
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err // as over gRPC
	}
	if b.err != nil && !b.late {
		return b.err
	}
	if err := do(); err != nil {
		return err
	}
	return b.err
}

// set makes strike decide about every access from now on.
func (s *faultyStorage) set(strike func(n int, call string) blow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strike = strike
}

func (s *faultyStorage) List(ctx context.Context, prefix string) (keys []string, err error) {
	err = s.access(ctx, storeList, prefix, func() (err error) {
		keys, err = s.inner.List(ctx, prefix)
		return err
	})
	return keys, err
}

func (s *faultyStorage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = s.access(ctx, storeGet, key, func() (err error) {
		entry, err = s.inner.Get(ctx, key)
		return err
	})
	return entry, err
}

func (s *faultyStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return s.access(ctx, storePut, entry.Key, func() error { return s.inner.Put(ctx, entry) })
}

func (s *faultyStorage) Delete(ctx context.Context, key string) error {
	return s.access(ctx, storeDelete, key, func() error { return s.inner.Delete(ctx, key) })
}
