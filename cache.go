// Copyright (c) The vault-plugin-secrets-mastersindia authors
// SPDX-License-Identifier: MPL-2.0

package mastersindia

import (
	"context"
	"sync"
)

// cache keeps storage entries that were read, so that a warm read touches no storage. It remembers no absence: wrong names
// must not fill the memory.
type cache[T any] struct {
	mu      sync.RWMutex
	entries map[string]*T
	// changes counts what was forgotten, so that an entry which was read before a write is not kept after it.
	changes uint64
}

// get returns the entry, reading it by fetch where it is not known; nil where there is none.
func (c *cache[T]) get(ctx context.Context, name string, fetch func(context.Context, string) (*T, error)) (*T, error) {
	c.mu.RLock()
	entry, known := c.entries[name]
	before := c.changes
	c.mu.RUnlock()
	if known {
		return entry, nil
	}
	entry, err := fetch(ctx, name)
	if err != nil || entry == nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == before {
		if c.entries == nil {
			c.entries = make(map[string]*T)
		}
		c.entries[name] = entry
	}
	return entry, nil
}

// peek returns the entry if it is known, and nil otherwise.
func (c *cache[T]) peek(name string) *T {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[name]
}

// forget drops an entry that has changed.
func (c *cache[T]) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, name)
	c.changes++
}
