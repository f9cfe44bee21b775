// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// heldStorage is storage whose accesses can be slow. A write that is held lands when it is released, even if its caller has
// given up: Vault completes a write that a plugin asked for over gRPC.
type heldStorage struct {
	logical.Storage

	mu      sync.Mutex
	hold    string // key whose next write is held, "" for none
	caught  chan struct{}
	release chan struct{}
	delay   time.Duration // of each read under delayed
	delayed string
}

// holdNextPut holds the next write of the key. caught is closed once that write has come.
func (h *heldStorage) holdNextPut(key string) (caught <-chan struct{}, release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hold, h.caught, h.release = key, make(chan struct{}), make(chan struct{})
	return h.caught, sync.OnceFunc(func() { close(h.release) })
}

// delayGets makes each read under the prefix take that long.
func (h *heldStorage) delayGets(prefix string, delay time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.delayed, h.delay = prefix, delay
}

func (h *heldStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	h.mu.Lock()
	delay := h.delay
	if !strings.HasPrefix(key, h.delayed) {
		delay = 0
	}
	h.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return h.Storage.Get(ctx, key)
}

func (h *heldStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	h.mu.Lock()
	if h.hold == "" || h.hold != entry.Key {
		h.mu.Unlock()
		return h.Storage.Put(ctx, entry)
	}
	h.hold = ""
	close(h.caught)
	release := h.release
	h.mu.Unlock()
	landed := make(chan error, 1)
	go func() {
		<-release
		landed <- h.Storage.Put(context.WithoutCancel(ctx), entry)
	}()
	select {
	case err := <-landed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onHeldStorage restarts the plugin on storage that can be held.
func (s *testMount) onHeldStorage() *heldStorage {
	s.t.Helper()
	h := &heldStorage{Storage: s.Storage.Entries}
	s.Storage.Entries = h
	s.Reload()
	return h
}

// waitUntil lets time pass until something is so, though not for ever.
func (s *testMount) waitUntil(what string, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); advance(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited two minutes for %s", what)
		}
	}
}

// closed reports whether the channel has been closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
