// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

//go:build acceptance

package conformance

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-mastersindia/internal/check"
)

// storage is a mount's storage in memory, which refuses writes where Vault's does, and where a test has broken it.
type storage struct {
	logical.InmemStorage

	readOnly, broken atomic.Bool
}

var errBroken = errors.New("the storage of the test is broken")

func newStorage() *storage { return &storage{} }

func (s *storage) refuse() error {
	switch {
	case s.readOnly.Load():
		return logical.ErrReadOnly
	case s.broken.Load():
		return errBroken
	default:
		return nil
	}
}

func (s *storage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if err := s.refuse(); err != nil {
		return err
	}
	return s.InmemStorage.Put(ctx, entry)
}

func (s *storage) Delete(ctx context.Context, key string) error {
	if err := s.refuse(); err != nil {
		return err
	}
	return s.InmemStorage.Delete(ctx, key)
}

// TestStorageFault_OverGRPC has the storage fail on the host's side. The unit tests do it for every access, in process.
func TestStorageFault_OverGRPC(t *testing.T) {
	t.Parallel()
	_, m := newMount(t)
	u := newUpstream(t)
	u.configure(t, m, map[string]any{"verify_connection": false})
	m.storage.broken.Store(true)
	for path, data := range map[string]map[string]any{"config/main": {"rotation_percent": 50}, "role/app": {"max_ttl": 60}} {
		_, err := m.do(t, logical.UpdateOperation, path, data)
		check.True(t, err != nil && strings.Contains(err.Error(), errBroken.Error()) && strings.Contains(err.Error(), path),
			"%s: got %v, want the storage's error and the entry's name", path, err)
	}
	if response, err := m.do(t, logical.ReadOperation, "token/app", nil); err == nil && !response.IsError() {
		t.Errorf("a token is served whose login could not be noted: %v", response.Data["token_id"])
	}
	u.wantLogins(t, 0)
	m.storage.broken.Store(false)
	check.Eventually(t, 20*time.Second, "no token, though storage is well again", func() bool {
		response, err := m.do(t, logical.ReadOperation, "token/app", nil)
		return err == nil && !response.IsError()
	})
	u.wantLogins(t, 1)
}
