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
	calls []string // "put config/gst"
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

func (s *faultyStorage) access(access, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, access+" "+key)
	if s.fault == nil {
		return nil
	}
	return s.fault(access, key)
}

func (s *faultyStorage) List(ctx context.Context, prefix string) ([]string, error) {
	if err := s.access(storeList, prefix); err != nil {
		return nil, err
	}
	return s.inner.List(ctx, prefix)
}

func (s *faultyStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if err := s.access(storeGet, key); err != nil {
		return nil, err
	}
	return s.inner.Get(ctx, key)
}

func (s *faultyStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if err := s.access(storePut, entry.Key); err != nil {
		return err
	}
	return s.inner.Put(ctx, entry)
}

func (s *faultyStorage) Delete(ctx context.Context, key string) error {
	if err := s.access(storeDelete, key); err != nil {
		return err
	}
	return s.inner.Delete(ctx, key)
}
